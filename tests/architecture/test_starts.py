"""What a process imports when it starts: not what only some of its work needs, which takes long."""

import subprocess
import sys

import pytest

from stellwerk.settings import environment

SELDOM = {
    "PIL",
    "authlib",
    "boto3",
    "elevenlabs",
    "email_validator",
    "matplotlib",
    "numpy",
    "openai",
    "opentelemetry.instrumentation",
    "piper",
    "requests",
    "urllib3",
}
SIGNING_IN = {"argon2", "jwt"}
PAGES = {"flask", "flask_smorest", "jinja2"}
LEDGER = {"marshmallow", "sqlalchemy"}
NOT_IMPORTED = {
    "stellwerk.cli.main": SELDOM | SIGNING_IN | PAGES | LEDGER | {"celery", "pydantic", "rich"},
    "stellwerk.stack.up": SELDOM | SIGNING_IN | PAGES | LEDGER | {"celery"},
    "stellwerk.broker.flower": SELDOM | SIGNING_IN | PAGES | LEDGER,
    "stellwerk_workers.beat_app": SELDOM | SIGNING_IN | PAGES | LEDGER,
    "stellwerk_workers.dispatcher": SELDOM | SIGNING_IN | PAGES,
    "stellwerk_workers.app": SELDOM | {"jwt"} | PAGES,
    "stellwerk_api.app": SELDOM,
}
SETTINGS = {
    "STELLWERK_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
    "STELLWERK_REDIS_URL": "redis://127.0.0.1:1/0",
    "STELLWERK_ENCRYPTION_KEY": "only-for-tests-0123456789-0123456789",
    "STELLWERK_JWT_SECRET_KEY": "only-for-tests-9876543210-9876543210",
}


@pytest.mark.parametrize("module", NOT_IMPORTED)
def test_a_start_imports_nothing_that_only_some_work_needs(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    ran = subprocess.run(  # noqa: S603  our own module
        [sys.executable, "-c", code],
        env=environment() | SETTINGS,
        capture_output=True,
        text=True,
        check=True,
    )
    assert NOT_IMPORTED[module] & set(ran.stdout.split()) == set()
