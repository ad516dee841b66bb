"""What clients ask and are told about modules."""

from marshmallow import Schema, fields, validate

from stellwerk.fields import PlainString
from stellwerk.modules.names import INSTANCE_ID, NAME
from stellwerk.modules.operating import OperationStatus
from stellwerk.modules.orphans import OrphanKind
from stellwerk.modules.schemas import Data, InstallPayload, variables
from stellwerk.modules.states import InstanceStatus
from stellwerk_api.accepted import Accepted
from stellwerk_api.jobs.documents import JobErrorSchema
from stellwerk_api.pagination import PageQuery, page_schema
from stellwerk_api.query_fields import QueryInteger

LINES_MAX = 1000
FOR_OPERATORS = "Empty for those who may not manage modules."
_HEALTH = validate.OneOf(["healthy", "starting", "unhealthy", "unknown"])


class AcceptedOperation(Accepted):
    """An operation that will be carried out; `operation_id` is its job's id."""

    operation_id = fields.UUID(required=True)
    module_name = fields.String(required=True, allow_none=True)


class OperationFormSchema(Schema):
    """An operation: what its job is, in short. Cancelled ones have failed."""

    operation_id = fields.UUID(required=True)
    job_id = fields.UUID(required=True)
    operation = fields.String(required=True)
    module_name = fields.String(required=True, allow_none=True)
    status = fields.Enum(OperationStatus, by_value=True, required=True)
    progress = fields.Integer(required=True, metadata={"description": "Percent."})
    message = fields.String(required=True)
    status_url = fields.String(required=True)
    failed_step = fields.String(required=True, allow_none=True)
    undone = fields.List(
        fields.String(), required=True, metadata={"description": "Steps, the last one first."}
    )
    error = fields.Nested(JobErrorSchema, required=True, allow_none=True)
    result = fields.Dict(required=True, allow_none=True)


class InstanceSchema(Schema):
    """An instance. Where the runtime does not answer, `health` is `unknown`."""

    instance_id = fields.String(required=True, validate=validate.Regexp(INSTANCE_ID))
    module_name = fields.String(required=True, validate=validate.Regexp(NAME))
    path = fields.String(required=True)
    version = fields.String(required=True)
    status = fields.Enum(InstanceStatus, by_value=True, required=True)
    health = fields.String(required=True, validate=_HEALTH)
    message = fields.String(required=True, metadata={"description": "Why it is in error."})
    is_primary = fields.Boolean(required=True)
    frontend_url = fields.String(
        required=True,
        metadata={"description": "Below the origin of modules; leads to the primary instance."},
    )
    restarts = fields.Integer(required=True)
    started_at = fields.AwareDateTime(required=True, allow_none=True)
    created_at = fields.AwareDateTime(required=True)
    updated_at = fields.AwareDateTime(required=True)


class InstanceDetails(InstanceSchema):
    """An instance, with what only a closer look shows."""

    service = fields.String(required=True, metadata={"description": "Its name in the runtime."})
    last_log = fields.String(
        required=True,
        metadata={"description": f"Its last lines when it fell into error. {FOR_OPERATORS}"},
    )
    environment = fields.List(
        fields.String(),
        required=True,
        metadata={"description": f"Names of its variables and secrets. {FOR_OPERATORS}"},
    )


class ModuleSchema(Schema):
    """An installed module, with the state of its primary instance."""

    name = fields.String(required=True)
    version = fields.String(required=True)
    newest_version = fields.String(required=True)
    update_available = fields.Boolean(required=True)
    category = fields.String(required=True)
    description = fields.String(required=True)
    dependencies = fields.List(fields.String(), required=True)
    repository_id = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Null: it was removed."}
    )
    primary_instance_id = fields.String(required=True)
    status = fields.Enum(InstanceStatus, by_value=True, required=True)
    health = fields.String(required=True, validate=_HEALTH)
    instances = fields.Integer(required=True)
    frontend_url = fields.Url(required=True, require_tld=False)
    created_at = fields.AwareDateTime(required=True)
    updated_at = fields.AwareDateTime(required=True)


class InstanceQuery(PageQuery):
    """Which instances."""

    module_name = PlainString(validate=validate.Length(1, 40))
    status = fields.Enum(InstanceStatus, by_value=True)


class DataQuery(Schema):
    """What becomes of data."""

    data = fields.Enum(
        Data,
        by_value=True,
        load_default=Data.KEEP,
        metadata={"description": "`keep` puts it beside the folders of modules."},
    )


class LogsQuery(Schema):
    """Which lines of a log."""

    tail = QueryInteger(load_default=100, validate=validate.Range(1, LINES_MAX))
    cursor = fields.String(
        load_default=None,
        validate=validate.Length(1, 200),
        metadata={"description": "`cursor` of the answer before: lines after those."},
    )


class LogLines(Schema):
    """Lines, oldest first; `cursor` is where the next begin, null where nothing was written yet."""

    lines = fields.List(fields.String(), required=True)
    cursor = fields.String(required=True, allow_none=True)


class EnvironmentSchema(Schema):
    """Variables of an instance; values of secrets are never shown."""

    module_name = fields.String(required=True)
    instance_id = fields.String(required=True)
    environment = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    secrets = fields.List(fields.String(), required=True, metadata={"description": "Names."})
    defaults = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "What the module sets where the instance does not."},
    )


class ConfiguredSchema(EnvironmentSchema):
    """The same after a change."""

    needs_restart = fields.Boolean(
        required=True, metadata={"description": "It runs, and goes on with what it had."}
    )


class EnvironmentBody(Schema):
    """What is set, and with null removed; the rest stays."""

    environment = variables(removable=True, load_default=dict)
    secrets = variables(removable=True, load_default=dict)


class OrphanSchema(Schema):
    """What belongs to no instance: something that runs, lies there, or is kept for one."""

    kind = fields.String(required=True, validate=validate.OneOf([*OrphanKind]))
    name = fields.String(required=True)
    module_name = fields.String(required=True)  # empty where nobody knows


class OrphanList(Schema):
    """All of them; nothing removes them by itself."""

    items = fields.List(fields.Nested(OrphanSchema), required=True)


class InstallBody(InstallPayload):
    """What is installed, where the address names the module."""

    class Meta:
        """Without its name."""

        exclude = ("module_name",)


InstancePage = page_schema(InstanceSchema)
ModulePage = page_schema(ModuleSchema)
