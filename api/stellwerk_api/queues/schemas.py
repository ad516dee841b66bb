"""What operators see of a queue."""

from marshmallow import Schema, fields

from stellwerk.jobs.queue_states import COUNTED_UP_TO

_UP_TO = f"Exact up to {COUNTED_UP_TO}."


class QueueSchema(Schema):
    """A queue: its jobs, and the workers that take them; null where Redis does not answer."""

    name = fields.String(required=True)
    paused = fields.Boolean(required=True)
    paused_at = fields.AwareDateTime(required=True, allow_none=True)
    paused_by = fields.Integer(
        required=True, allow_none=True, metadata={"description": "A user's id."}
    )
    waiting = fields.Integer(
        required=True, metadata={"description": f"Due, and not published yet. {_UP_TO}"}
    )
    scheduled = fields.Integer(
        required=True, metadata={"description": "Not due yet, retries included."}
    )
    outstanding = fields.Integer(
        required=True, metadata={"description": "Published, and not claimed yet."}
    )
    running = fields.Integer(required=True)
    oldest_s = fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "How long the first of the due jobs has been waiting."},
    )
    workers = fields.List(fields.String(), required=True, allow_none=True)
    slots = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Jobs that these workers run at once, a low queue's included."},
    )
    ended_last_minute = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Completed or failed attempts."}
    )


class QueueList(Schema):
    """All of them."""

    items = fields.List(fields.Nested(QueueSchema), required=True)
