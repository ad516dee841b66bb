"""`stellwerk doctor`: what is configured, reachable, missing, and how to mend it."""

import json
from collections.abc import Iterator
from dataclasses import asdict

import click

from stellwerk.cli.checks import machine, services
from stellwerk.cli.checks.finding import Finding, Grade, examine, patient
from stellwerk.errors import ConfigurationError
from stellwerk.settings import load_settings

MARKS = {Grade.OK: "ok", Grade.OFF: "-", Grade.WARNING: "warning", Grade.BROKEN: "BROKEN"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A list of findings.")
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Check what is configured, reachable and missing; exit code 1 if something is broken."""
    findings = []
    for finding in _findings():
        findings.append(finding)
        if not as_json:
            click.echo(_line(finding))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    ctx.exit(1 if any(finding.grade is Grade.BROKEN for finding in findings) else 0)


def _findings() -> Iterator[Finding]:
    try:
        given = load_settings()
    except ConfigurationError as exc:
        yield Finding("settings", Grade.BROKEN, exc.message)
        return
    yield Finding("settings", Grade.OK, f"{given.mode} mode")
    checks = (
        machine.check_python,
        machine.check_servers,
        machine.check_home,
        machine.check_port,
        services.check_stack,
        services.check_postgres,
        services.check_redis,
        services.check_workers,
        services.check_calls,
        services.check_recordings,
        services.check_modules,
        services.check_artifacts,
        services.check_mail,
        services.check_switch,
        machine.check_media,
        machine.check_provider_keys,
    )
    yield from examine(patient(given), checks)


def _line(finding: Finding) -> str:
    remedy = f"\n{'':28}{finding.remedy}" if finding.remedy else ""
    return f"{MARKS[finding.grade]:<9}{finding.name:<19}{finding.message}{remedy}"
