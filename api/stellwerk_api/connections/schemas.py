"""What browsers bring in the query."""

from typing import Any

from marshmallow import ValidationError, validate, validates_schema

from stellwerk.connections.schemas import ChannelWishBody
from stellwerk.fields import PlainString
from stellwerk_api.query_fields import SeveralOf


class StartQuery(ChannelWishBody):
    """What `start_url` carries; or, in a browser that is signed in, what to connect and why."""

    ticket = PlainString(validate=validate.Length(1, 128))
    access = SeveralOf(
        PlainString(validate=validate.Length(1, 40)),
        load_default=list,
        validate=validate.Length(max=20),
        metadata={"description": "As in `POST /connections/{provider}`."},
    )

    @validates_schema
    def _says_it_once(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("ticket") and (data["access"] or data["return_url"]):
            raise ValidationError("The request that it belongs to has said the rest.", "ticket")
