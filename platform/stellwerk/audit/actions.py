"""What is put on record: every action there is, named `noun.what_happened`."""

from enum import StrEnum


class Action(StrEnum):
    """Something somebody did, or tried, that has to be found again later."""

    ACCOUNT_REGISTERED = "account.registered"
    ACCOUNT_REGISTERED_AGAIN = "account.registered_again"  # the address has an account
    ACCOUNT_VERIFIED = "account.verified"  # the e-mail address is theirs
    ACCOUNT_EMAIL_CHANGED = "account.email_changed"
    ACCOUNT_CHANGED = "account.changed"  # role, tier, limits: `details` has each before and after
    ACCOUNT_DISABLED = "account.disabled"
    ACCOUNT_ENABLED = "account.enabled"
    ACCOUNT_INSTALLED = "account.installed"  # an admin, made at the command line
    ACCOUNT_PROMOTED = "account.promoted"  # made an admin at the command line
    ACCOUNT_ERASURE_REQUESTED = "account.erasure_requested"
    ACCOUNT_ERASED = "account.erased"
    ACCOUNT_ERASURE_WITHDRAWN = "account.erasure_withdrawn"
    ACCOUNT_EXPORT_REQUESTED = "account.export_requested"
    ACCOUNT_EXPORTED = "account.exported"  # the file was downloaded
    ACCOUNT_EXPORT_WITHDRAWN = "account.export_withdrawn"
    ACCOUNT_READ = "account.read"  # somebody's, by an administrator
    ACCOUNTS_LISTED = "accounts.listed"  # everybody's, by an administrator
    SESSION_STARTED = "session.started"
    SESSION_REFUSED = "session.refused"  # a sign-in that failed
    SESSION_ENDED = "session.ended"
    SESSION_REFRESH_REUSED = "session.refresh_reused"  # a spent token: the session has ended
    PASSWORD_CHANGED = "password.changed"  # noqa: S105  an action, not a secret
    PASSWORD_RESET = "password.reset"  # noqa: S105  an action, not a secret
    PASSWORD_REFUSED = "password.refused"  # noqa: S105  an action: who is signed in did not know it
    API_KEY_CREATED = "api_key.created"
    API_KEY_ROTATED = "api_key.rotated"
    API_KEY_REVOKED = "api_key.revoked"
    CONFIGURATION_CHANGED = "configuration.changed"
    CONFIGURATION_RESET = "configuration.reset"
    SIGNING_KEY_ROTATED = "signing_key.rotated"
    DATA_KEYS_ROTATED = "data_keys.rotated"
    BACKUP_WRITTEN = "backup.written"
    BACKUP_RESTORED = "backup.restored"
    QUEUE_PAUSED = "queue.paused"
    QUEUE_RESUMED = "queue.resumed"
    JOBS_LISTED = "jobs.listed"  # everybody's, by an operator
    JOBS_REQUEUED = "jobs.requeued"
    JOB_READ = "job.read"  # another's log or files
    CALL_READ = "call.read"  # another's
    JOB_CANCELLED = "job.cancelled"  # another's
    JOB_RETRIED = "job.retried"  # another's
    JOB_SIGNALLED = "job.signalled"  # another's
    CALL_REQUESTED = "call.requested"  # somebody has a number called
    EFFECT_RESOLVED = "effect.resolved"
    WEBHOOK_SECRET_MADE = "webhook_secret.made"  # noqa: S105  an action, not a secret
    REPOSITORY_ADDED = "repository.added"
    REPOSITORY_REMOVED = "repository.removed"
    INSTANCE_CONFIGURED = "instance.configured"  # a module's variables; their names alone
    INSTANCE_MADE_PRIMARY = "instance.made_primary"
    CONNECTION_REQUESTED = "connection.requested"
    CONNECTION_OPENED = "connection.opened"
    CONNECTION_REFUSED = "connection.refused"
    CONNECTION_LOST = "connection.lost"
    CONNECTION_REMOVED = "connection.removed"
    SCHEDULE_PAUSED = "schedule.paused"  # whoever made it may not have owned the account
    AUDIT_READ = "audit.read"
    AUDIT_DISTRUSTED = "audit.distrusted"  # the head was not the one that this platform signed


class Party(StrEnum):
    """Who acts where it is nobody with an account."""

    NOBODY = "nobody"  # who is not signed in
    SYSTEM = "system"  # the platform itself
    COMMAND_LINE = "command_line"  # whoever runs commands where the platform is installed


USER = "user"  # the kind of an actor with an account


def actor_of(user_id: int | None) -> int | Party:
    """The user, or whoever runs a command where the platform is installed."""
    return Party.COMMAND_LINE if user_id is None else user_id
