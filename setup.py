"""Package discovery over the three source roots, which `setup.cfg` alone cannot express."""

from setuptools import find_namespace_packages, setup

ROOTS = {"stellwerk": "platform", "stellwerk_api": "api", "stellwerk_workers": "workers"}
PACKAGES = [
    package
    for name, root in ROOTS.items()
    for package in find_namespace_packages(where=root, include=[name, f"{name}.*"])
]

setup(packages=PACKAGES, package_dir={name: f"{root}/{name}" for name, root in ROOTS.items()})
