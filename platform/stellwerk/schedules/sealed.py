"""What schedules hold under the vault's keys."""

from stellwerk.db.holdings import SealedJson

SEALED = (SealedJson("schedules", "payload"),)
