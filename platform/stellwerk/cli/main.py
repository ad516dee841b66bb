"""The `stellwerk` command: finds its subcommands when they are asked for, and reports errors."""

import importlib
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType

import click

from stellwerk.errors import (
    AlreadyRunning,
    ApiRefused,
    ApiUnreachable,
    NotRunning,
    PortTaken,
    StellwerkError,
)

FAILED = 1
INTERRUPTED = 130
EXIT_CODES: Mapping[type[StellwerkError], int] = MappingProxyType(
    {AlreadyRunning: 3, NotRunning: 3, PortTaken: 4, ApiRefused: 4, ApiUnreachable: 5}
)

# After \b click keeps lines as they are.
EXIT_CODES_EXPLAINED = """\b
Exit codes:
  0    done
  1    an error: one line on standard error says what to mend;
       `watch`, `submit --wait`: the job failed; `calls originate`: the call did
  2    the command line itself is wrong
  3    `up`: already running on this home; `down`, `status`: not running
  4    `up`: the public port is taken; else: the API refused
  5    nothing answers at the platform's URL
  6    `watch`, `submit --wait`: the job was cancelled; `calls originate`: the call was
  7    `calls originate`: busy, or nobody answered
  130  ended by Ctrl-C
"""

# Command: the module it lives in, and its line in --help, so that help imports none of them.
COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "up": ("stack", "Start the platform; Ctrl-C ends it."),
        "down": ("stack", "End the platform that runs on this home."),
        "status": ("stack", "Show URLs and processes of the running platform."),
        "restart": ("stack", "Start processes of the running platform again."),
        "doctor": ("doctor", "Check what is configured, reachable and missing."),
        "db": ("database", "Look after the database."),
        "backup": ("backup", "Write database and artifacts into one file."),
        "restore": ("backup", "Put a backup back."),
        "demo": ("demo", "Bring the platform up and make a video through it."),
        "login": ("client", "Sign in, and keep the token for the commands below."),
        "logout": ("client", "Forget the token."),
        "operations": ("client", "List what can be submitted."),
        "submit": ("submission", "Submit a job."),
        "jobs": ("jobs", "List your jobs."),
        "watch": ("jobs", "Follow a job to its end."),
        "cancel": ("jobs", "Cancel a job."),
        "retry": ("jobs", "Run a failed job again."),
        "logs": ("jobs", "Show what a job wrote down."),
        "artifacts": ("artifacts", "List or download what a job made."),
        "calls": ("calls", "Call numbers, and read the history of calls."),
        "modules": ("modules", "Install modules as services, and look after their instances."),
        "webhooks": ("webhooks", "List, make and try out webhook endpoints."),
        "queues": ("queues", "Show, pause and resume queues."),
        "config": ("configuration", "Show and change what is configured while it runs."),
        "schedules": ("schedules", "List, make and change schedules."),
        "audit": ("audit", "Read the record, and prove that it is whole."),
        "mail": ("mail", "Read the mails that are kept while no mail server is set."),
        "api-keys": ("api_keys", "List, make, rotate and revoke your API keys."),
        "users": ("users", "List and change accounts."),
        "keys": ("keys", "Look after keys."),
        "admin": ("admin", "Make and change administrators."),
        "completion": ("completion", "Print the completion script of a shell."),
    }
)


class LazyGroup(click.Group):
    """A group that imports a command's module when that command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command that is installed, in the order of the table."""
        del ctx
        return [name for name in COMMANDS if find_spec(_module(name))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None where there is none of that name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(_module(cmd_name))
        commands = [value for value in vars(module).values() if isinstance(value, click.Command)]
        return next((command for command in commands if command.name == cmd_name), None)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table's lines."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES_EXPLAINED,
)
@click.version_option(package_name="stellwerk")
def stellwerk() -> None:
    """Stellwerk, a job platform: thin API, workers, one ledger."""


def main() -> None:
    """Run the command line and leave with one of the exit codes explained above."""
    try:
        code = stellwerk.main(prog_name="stellwerk", standalone_mode=False)
    except StellwerkError as exc:
        _report(exc)
        code = exit_code(exc)
    except click.ClickException as exc:
        exc.show()
        code = exc.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    sys.exit(code if isinstance(code, int) else 0)


def _module(command: str) -> str:
    return f"stellwerk.cli.{COMMANDS[command][0]}"


def exit_code(error: StellwerkError) -> int:
    """The process's exit code for an error."""
    return EXIT_CODES.get(type(error), FAILED)


def _report(error: StellwerkError) -> None:
    click.echo(f"error: {error.message}", err=True)
    for field_error in error.errors:
        click.echo(f"  {field_error.field}: {field_error.reason}", err=True)


if __name__ == "__main__":
    main()
