"""The studio's operations."""

from stellwerk.configuration.rates import RateClass
from stellwerk.jobs.operation import Operation, RetryPolicy, Step
from stellwerk.studio.schemas import GeneratePayload, GenerateResult
from stellwerk.studio.service import (
    accept_generation,
    end_generation,
    estimated_cost,
    requeue_generation,
)

GENERATE = Operation(
    name="videos.generate",
    summary="Generate a video on a topic",
    payload=GeneratePayload,
    result=GenerateResult,
    queue="media",
    permission="videos:generate",
    time_limit_s=2 * 3600,
    steps=(
        Step("script", 5),
        Step("voice", 25),
        Step("visuals", 15),
        Step("render", 45),
        Step("package", 10),
    ),
    estimate_eur=estimated_cost,
    rate_class=RateClass.VIDEOS,
    retry=RetryPolicy(max_attempts=4, base_s=2, max_s=300),
    on_accept=accept_generation,
    on_end=end_generation,
    on_requeue=requeue_generation,
)

OPERATIONS = (GENERATE,)
