"""Follows an operation on a module to its end, and says in a line what came of it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import click

from stellwerk.cli.api import Api
from stellwerk.cli.following import follow
from stellwerk.cli.outcome import EXIT_CODES
from stellwerk.cli.output import emit_json, say
from stellwerk.cli.pages import all_of
from stellwerk.cli.progress import show_progress
from stellwerk.errors import ApiRefused

Document = dict[str, Any]

LOG_LINES = 20

no_follow_option = click.option(
    "--no-follow", is_flag=True, help="Print the operation's id and do not wait for its end."
)


def see_through(
    api: Api, submit: Callable[[], Document], *, no_follow: bool, as_json: bool
) -> None:
    """Submit, follow and exit as `stellwerk watch` does; with `no_follow` print its id.

    With `as_json` its job is printed as it ended, or what the API answered.
    """
    try:
        accepted = submit()
    except ApiRefused as exc:
        _tell_refusal(exc.details)
        raise
    if no_follow:
        _print_accepted(accepted, as_json=as_json)
        return
    say(f"accepted as {accepted['operation_id']}")
    job = show_progress(follow(api, accepted["job_id"]))
    if as_json:
        emit_json(job)
    elif job["status"] == "completed":
        click.echo(_OUTCOMES[job["operation"]](api, job["result"]))
    else:
        _tell_failure(api, job)
    click.get_current_context().exit(EXIT_CODES[job["status"]])


def tell_operation(operation: Document) -> None:
    """An operation as it is, on a few lines."""
    name = f"{operation['operation_id']}  {operation['module_name'] or ''}".rstrip()
    click.echo(f"{name}: {operation['status']}, {operation['progress']} %")
    if operation["message"]:
        click.echo(f"  {operation['message']}")


def _tell_refusal(details: Mapping[str, Any]) -> None:
    """What a person needs to go on, beside the message."""
    if "operation_id" in details:
        say(f"Under way: `stellwerk modules status {details['operation_id']}`")
    for one in details.get("candidates", ()):
        say(f"--repository {one['repository_id']}: {one['repository']} has {one['version']}")


def _print_accepted(accepted: Document, *, as_json: bool) -> None:
    if as_json:
        emit_json(accepted)
    else:
        click.echo(accepted["operation_id"])


def _tell_failure(api: Api, job: Document) -> None:
    """The step that failed, what was undone, and the last lines somebody wrote."""
    operation = api.get(f"/modules/status/{job['job_id']}")
    step = operation["failed_step"]
    where = f" at the step {step}" if step else ""
    say(f"{operation['module_name']}: {job['operation']} {job['status']}{where}")
    error = job["error"] or {}
    if error:
        say(f"  {error['code']}: {error['message']}")
    if operation["undone"]:
        say(f"  undone: {', '.join(operation['undone'])}")
    for line in error.get("details", {}).get("log") or _job_log(api, job["job_id"]):
        say(f"  | {line}")


def _job_log(api: Api, job_id: str) -> list[str]:
    entries = api.get(f"/jobs/{job_id}/logs", limit=200)["items"]
    return [str(entry["message"]) for entry in entries[-LOG_LINES:]]


def _frontend_url(api: Api, module_name: str) -> str:
    modules = all_of(api, "/modules")
    return next(str(one["frontend_url"]) for one in modules if one["name"] == module_name)


def _installed(api: Api, result: Document) -> str:
    name = result["module_name"]
    with_it = "".join(f", with {one}" for one in result["dependencies"][:1])
    more = "".join(f" and {one}" for one in result["dependencies"][1:])
    return f"{name} {result['version']} is at {_frontend_url(api, name)}{with_it}{more}"


def _added(api: Api, result: Document) -> str:
    del api
    return f"{result['module_name']} {result['version']} runs once more, as {result['instance_id']}"


def _updated(api: Api, result: Document) -> str:
    name, count = result["module_name"], result["instances"]
    instances = "one instance" if count == 1 else f"{count} instances"
    versions = f"{result['from_version']} -> {result['version']}"
    return f"{name} {versions}, {instances}, at {_frontend_url(api, name)}"


def _uninstalled(api: Api, result: Document) -> str:
    del api
    count = len(result["instances"])
    instances = "its instance" if count == 1 else f"its {count} instances"
    return f"{result['module_name']} is gone, with {instances}{_kept(result)}"


def _removed(api: Api, result: Document) -> str:
    del api
    return f"{result['module_name']} {result['instances'][0]} is gone{_kept(result)}"


def _kept(result: Document) -> str:
    return "".join(f"\n  its data is kept in {folder}" for folder in result["kept"])


def _controlled(api: Api, result: Document) -> str:
    del api
    return f"{result['module_name']} {result['instance_id']}: {result['status']}"


def _synced(api: Api, result: Document) -> str:
    del api
    changed = "changed" if result["changed"] else "as before"
    return f"repository {result['repository_id']}: {result['modules']} modules, {changed}"


_OUTCOMES: Mapping[str, Callable[[Api, Document], str]] = MappingProxyType(
    {
        "modules.install": _installed,
        "modules.install_instance": _added,
        "modules.update": _updated,
        "modules.uninstall": _uninstalled,
        "modules.remove_instance": _removed,
        "modules.start": _controlled,
        "modules.stop": _controlled,
        "modules.restart": _controlled,
        "modules.sync": _synced,
    }
)
