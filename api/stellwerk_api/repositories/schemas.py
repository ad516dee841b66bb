"""Which repository is added."""

from marshmallow import Schema, fields, validate

from stellwerk.fields import PlainString
from stellwerk.providers.repositories.protocol import SourceKind
from stellwerk_api.repository.schemas import RepositorySchema


class NewRepositoryBody(Schema):
    """A repository: a folder on the platform's machines, or an HTTPS address."""

    name = PlainString(required=True, validate=validate.Length(1, 100))
    kind = fields.Enum(SourceKind, by_value=True, required=True)
    location = PlainString(
        required=True,
        validate=validate.Length(1, 2000),
        metadata={"description": "The absolute path, or the https:// URL, of index.json's folder."},
    )
    public_key = PlainString(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 44),
        metadata={"description": "Ed25519, base64; with it all has to be signed."},
    )


class AddedRepository(RepositorySchema):
    """The repository, and the job that reads it where that takes a job."""

    sync_job_id = fields.UUID(required=True, allow_none=True)
