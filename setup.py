"""Package discovery over the three source roots, and the files that ship beside the code."""

from pathlib import Path

from setuptools import find_namespace_packages, setup

ROOTS = {"stellwerk": "platform", "stellwerk_api": "api", "stellwerk_workers": "workers"}
PACKAGES = [
    package
    for name, root in ROOTS.items()
    for package in find_namespace_packages(where=root, include=[name, f"{name}.*"])
    if "__pycache__" not in package
]
SHIPPED = {
    "": ["Procfile"],
    "deploy": [
        "deploy/Caddyfile",
        "deploy/Gateway.caddyfile",
        "deploy/envelope.caddyfile",
        "deploy/nginx.conf",
    ],
    "deploy/systemd": [
        "deploy/systemd/stellwerk-telephony.service",
        "deploy/systemd/stellwerk-worker@.service",
    ],
    "deploy/container-manager": [
        "deploy/container-manager/compose.yaml",
        "deploy/container-manager/stellwerk-container-manager.service",
    ],
    "deploy/prometheus": ["deploy/prometheus/alerts.yml", "deploy/prometheus/prometheus.yml"],
    "deploy/grafana": ["deploy/grafana/stellwerk.json"],
    "migrations": ["migrations/env.py", "migrations/script.py.mako"],
    "modules/repository": sorted(map(str, Path("modules/repository").glob("*.*"))),
    "migrations/versions": sorted(map(str, Path("migrations/versions").glob("*.py"))),
}

setup(
    packages=PACKAGES,
    package_dir={name: f"{root}/{name}" for name, root in ROOTS.items()},
    data_files=[(f"share/stellwerk/{folder}", files) for folder, files in SHIPPED.items()],
)
