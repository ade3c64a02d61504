"""Jobs: work that takes longer than a request."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse

from service.engine.engine import Engine, as_json
from service.engine.jobs import Job, JobState
from service.http.access import Caller, needs
from service.http.context import GuardedRoute, Json, TheCaller, TheEngine, answers
from service.http.guard import require_collection
from service.http.schemas import JobAnswer, JobsAnswer
from service.keys import Role

KEEP_ALIVE_SECONDS = 15.0
POLL_SECONDS = 0.1
JobId = Annotated[str, Path(max_length=64)]

router = APIRouter(route_class=GuardedRoute, tags=["jobs"])


@router.get("/v1/jobs", responses=answers((200, JobsAnswer)), response_model=None)
@needs(Role.READ)
async def list_jobs(engine: TheEngine, caller: TheCaller) -> Json:
    """List the jobs of the collections that the key may see, newest first."""
    return Json({"jobs": [as_json(job) for job in engine.library.jobs.all() if caller.may_see(job.collection)]})


@router.get("/v1/jobs/{job}", responses=answers((200, JobAnswer)), response_model=None)
@needs(Role.READ)
async def get_job(job: JobId, engine: TheEngine, caller: TheCaller) -> Json:
    """Show how far a job has come."""
    return Json(as_json(_visible(engine, caller, job)))


@router.get(
    "/v1/jobs/{job}/events",
    responses=answers()
    | {200: {"content": {"text/event-stream": {}}, "description": "Events `progress`, then `done`."}},
    response_model=None,
)
@needs(Role.READ, open_ended=True)
async def follow_job(job: JobId, engine: TheEngine, caller: TheCaller) -> StreamingResponse:
    """Follow a job as server-sent events: `progress` when it has come on, `done` or `failed` at its end."""
    _visible(engine, caller, job)
    return StreamingResponse(_events(engine, job), media_type="text/event-stream")


def _visible(engine: Engine, caller: Caller, job_id: str) -> Job:
    job = engine.job(job_id)
    require_collection(caller, job.collection)
    return job


async def _events(engine: Engine, job_id: str) -> AsyncIterator[str]:
    shown: Job | None = None
    silent = 0.0
    while True:
        job = engine.job(job_id)
        if job != shown:
            shown, silent = job, 0.0
            yield _event("progress" if job.state is JobState.RUNNING else str(job.state), job)
        if job.state is not JobState.RUNNING:
            return
        if silent >= KEEP_ALIVE_SECONDS:  # proxies close what is silent
            silent = 0.0
            yield ": still at it\n\n"
        await asyncio.sleep(POLL_SECONDS)
        silent += POLL_SECONDS


def _event(name: str, job: Job) -> str:
    return f"event: {name}\ndata: {json.dumps(as_json(job), ensure_ascii=False)}\n\n"
