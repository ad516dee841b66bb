"""FastAPI and taskiq."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from tasks import broker, results, work


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001  FastAPI's signature
    """Connect while serving."""
    await broker.startup()
    yield
    await broker.shutdown()


app = FastAPI(lifespan=lifespan)


@app.post("/jobs")
async def submit(ms: int = 0) -> dict[str, str]:
    """Send the work."""
    return {"id": (await work.kiq(ms)).task_id}


@app.get("/jobs/{job_id}")
async def show(job_id: str) -> dict[str, bool]:
    """Tell whether it is done."""
    return {"finished": await results.is_result_ready(job_id)}
