"""Operations that do nothing useful, on purpose: to try the platform out and to test it."""

from stellwerk.diagnostics.schemas import (
    EchoPayload,
    EchoResult,
    EffectPayload,
    EffectResult,
    FailPayload,
    FailResult,
    FanOutPayload,
    FanOutResult,
    SleepPayload,
    SleepResult,
    UndoPayload,
    UndoResult,
    WaitPayload,
    WaitResult,
)
from stellwerk.jobs.operation import Operation, RetryPolicy, Step

QUICK_RETRIES = RetryPolicy(max_attempts=3, base_s=0.5, max_s=5)

ECHO = Operation(
    name="diagnostics.echo",
    summary="Answer with the payload",
    payload=EchoPayload,
    result=EchoResult,
    queue="short",
    permission="jobs:submit",
    time_limit_s=30,
)
SLEEP = Operation(
    name="diagnostics.sleep",
    summary="Sleep, in steps, with progress",
    payload=SleepPayload,
    result=SleepResult,
    queue="long",
    permission="jobs:submit",
    time_limit_s=360,
)
FAIL = Operation(
    name="diagnostics.fail",
    summary="Fail in a chosen way, until a chosen attempt",
    payload=FailPayload,
    result=FailResult,
    queue="long",
    permission="diagnostics:run",
    time_limit_s=30,
    retry=QUICK_RETRIES,
)
EFFECT = Operation(
    name="diagnostics.effect",
    summary="Do something to the outside world, which keeps count of it",
    payload=EffectPayload,
    result=EffectResult,
    queue="long",
    permission="diagnostics:run",
    time_limit_s=600,
    retry=QUICK_RETRIES,
)

FAN_OUT = Operation(
    name="diagnostics.fan_out",
    summary="Make children and wait for them, without holding a worker",
    payload=FanOutPayload,
    result=FanOutResult,
    queue="short",
    permission="diagnostics:run",
    time_limit_s=60,
)
WAIT = Operation(
    name="diagnostics.wait",
    summary="Wait for signals, without holding a worker",
    payload=WaitPayload,
    result=WaitResult,
    queue="short",
    permission="jobs:submit",
    time_limit_s=30,
)
UNDO = Operation(
    name="diagnostics.undo",
    summary="Take two steps, which are rolled back unless it completes",
    payload=UndoPayload,
    result=UndoResult,
    queue="long",
    permission="diagnostics:run",
    time_limit_s=60,
    steps=(Step("first", undo=True), Step("second", undo=True)),
    retry=QUICK_RETRIES,
)

OPERATIONS = (ECHO, SLEEP, FAIL, EFFECT, FAN_OUT, WAIT, UNDO)
