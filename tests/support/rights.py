"""The table of who gets what from every guarded route, pointed at Ada's things.

What nobody gets is always 401. `test_access.py` says what an ordinary user gets who is not Ada.
"""

from dataclasses import dataclass

READ = "read"
WRITE = "write"
SUBMIT = "submit"  # `write`, or a pattern that covers the operation
NEVER = "never"  # no key may, whatever its scopes


@dataclass(frozen=True, slots=True)
class Rights:
    """What Ada, an operator and an admin get, and which scope Ada's API key needs.

    Where Ada gets 403, the key is an admin's and gets what that admin gets.
    """

    owner: int
    operator: int
    admin: int
    scope: str


def _each(status: int, scope: str) -> Rights:
    """Everybody the same: of what is theirs, or of Ada's, which operators see and manage."""
    return Rights(status, status, status, scope)


def _hers(status: int, scope: str) -> Rights:
    """Ada's alone: even an admin finds nothing."""
    return Rights(status, 404, 404, scope)


def _staff(status: int, scope: str) -> Rights:
    return Rights(403, status, status, scope)


def _admins(status: int, scope: str) -> Rights:
    return Rights(403, 403, status, scope)


RIGHTS = {
    "jobs.poll": _each(200, READ),
    "jobs.cancel": _each(202, WRITE),
    "jobs.retry": _each(409, WRITE),
    "jobs.signal": _each(202, WRITE),
    "jobs.resolve": _each(409, WRITE),
    "jobs.events": _each(406, READ),
    "jobs.logs": _each(200, READ),
    "jobs.steps": _each(200, READ),
    "jobs.children": _each(200, READ),
    "jobs.artifacts": _each(200, READ),
    "jobs.artifact": _each(404, READ),
    "jobs.browse": _each(200, READ),
    "jobs.own_events": _each(406, READ),
    "jobs.submit": _each(202, SUBMIT),
    "jobs.submit_many": _each(202, SUBMIT),
    "jobs.requeue": _staff(200, WRITE),
    "api_keys.browse": _each(200, NEVER),
    "api_keys.create": _each(201, NEVER),
    "api_keys.show": _hers(200, NEVER),
    "api_keys.rotate": _hers(201, NEVER),
    "api_keys.revoke": _hers(204, NEVER),
    "accounts.who_am_i": _each(200, READ),
    "accounts.show": _each(200, READ),
    "accounts.show_usage": _each(200, READ),
    "accounts.change": _each(200, NEVER),
    "accounts.change_password": _each(422, NEVER),
    "accounts.delete": _each(422, NEVER),
    "accounts.logout": _each(204, NEVER),
    "users.browse": _admins(200, NEVER),
    "users.show": _admins(200, NEVER),
    "users.delete": _admins(202, NEVER),
    "users.change": _admins(200, NEVER),
    "connections.browse": _each(200, READ),
    "connections.begin": _each(404, NEVER),  # no provider is set up here
    "connections.show": _each(404, READ),
    "connections.forget": _each(404, NEVER),
    "connections.begin_channel": _each(404, NEVER),
    "connections.forget_channel": _each(404, NEVER),
    "operations.browse": _each(200, READ),
    "operations.show": _each(200, READ),
    "webhook_endpoints.browse": _each(200, READ),
    "webhook_endpoints.create": _each(201, WRITE),
    "webhook_endpoints.show": _hers(200, READ),
    "webhook_endpoints.change": _hers(200, WRITE),
    "webhook_endpoints.delete": _hers(204, WRITE),
    "webhook_endpoints.rotate_secret": _hers(200, WRITE),
    "webhook_endpoints.test": _hers(202, WRITE),
    "webhook_endpoints.browse_deliveries": _hers(200, READ),
    "webhook_endpoints.redeliver": _hers(409, WRITE),
    "webhook_endpoints.redeliver_callback": _hers(404, WRITE),
    "webhook_endpoints.show_callback_secret": _each(200, READ),
    "webhook_endpoints.make_callback_secret": _each(200, WRITE),
    "webhook_endpoints.browse_callbacks": _each(200, READ),
    "schedules.browse": _each(200, READ),
    "schedules.create": _each(201, WRITE),
    "schedules.show": _hers(200, READ),
    "schedules.change": _hers(200, WRITE),
    "schedules.delete": _hers(204, WRITE),
    "schedules.pause": _hers(200, WRITE),
    "schedules.resume": _hers(200, WRITE),
    "schedules.run": _hers(202, WRITE),
    "schedules.fires": _hers(200, READ),
    "channels.list_channels": _each(200, READ),
    "channels.create_channel": _each(201, WRITE),
    "channels.get_channel": _hers(200, READ),
    "channels.change_channel": _hers(200, WRITE),
    "channels.delete_channel": _hers(204, WRITE),
    "videos.list_videos": _each(200, READ),
    "videos.generate_video": _each(422, SUBMIT),
    "videos.get_video": _hers(200, READ),
    "videos.change_video": _hers(200, WRITE),
    "videos.delete_video": _hers(204, WRITE),
    "videos.retry_video": _hers(409, SUBMIT),
    "videos.get_video_cost": _hers(200, READ),
    "listeners.me": _each(200, READ),
    "listeners.compare": _admins(200, NEVER),
    "calls.originate": _each(422, SUBMIT),
    "calls.hang_up": _hers(202, WRITE),
    "calls.show": _each(200, READ),
    "calls.browse": _each(200, READ),
    "calls.measure": _admins(200, READ),
    "queues.browse": _staff(200, READ),
    "queues.show": _staff(200, READ),
    "queues.pause": _staff(200, WRITE),
    "queues.resume": _staff(200, WRITE),
    "privacy.browse": _each(200, READ),
    "privacy.show": Rights(200, 404, 200, READ),
    "privacy.withdraw": _hers(200, NEVER),
    "privacy.confirm": _each(202, NEVER),
    "privacy.export": _each(422, NEVER),
    "privacy.delete": _each(422, NEVER),
    "configuration.browse": _staff(200, READ),
    "configuration.show": _staff(200, READ),
    "configuration.change": _admins(200, NEVER),
    "configuration.apply": _admins(200, NEVER),
    "configuration.replace": _admins(200, NEVER),
    "configuration.reset": _admins(200, NEVER),
    "modules.browse": _each(200, READ),
    "modules.instances": _each(200, READ),
    "modules.show": _each(200, READ),
    "modules.primary": _each(200, READ),
    "modules.events": _each(406, READ),
    "modules.operation": _each(404, READ),  # her job is none of modules'
    "modules.orphans": _staff(200, READ),
    "modules.environment": _staff(200, READ),
    "modules.logs": _staff(404, READ),  # nothing runs
    "modules.configure": _staff(200, WRITE),
    "modules.make_primary": _staff(409, WRITE),
    "modules.update": _staff(422, SUBMIT),
    "modules.install_instance": _staff(422, SUBMIT),
    "modules.remove": _staff(409, SUBMIT),
    "modules.start": _staff(202, SUBMIT),
    "modules.stop": _staff(202, SUBMIT),
    "modules.restart": _staff(202, SUBMIT),
    "repository.browse": _each(200, READ),
    "repository.offers": _each(200, READ),
    "repository.install": _staff(422, SUBMIT),
    "repository.install_status": _each(404, READ),
    "repository.uninstall": _staff(202, SUBMIT),
    "legacy_install.install_named": _staff(409, SUBMIT),  # it is installed
    "repositories.browse": _each(200, READ),
    "repositories.show": _each(200, READ),
    "repositories.add": _staff(422, SUBMIT),
    "repositories.remove": _staff(204, WRITE),
    "repositories.sync": _staff(202, SUBMIT),
    "audit.browse": _admins(200, READ),
    "system.metrics": _staff(200, READ),
    "root.metrics": _staff(200, READ),
}
