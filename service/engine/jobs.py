"""Work that takes longer than a request: what it is, how far it has come, how it ended."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

KEPT_JOBS = 1000


class JobState(StrEnum):
    """Where a job stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work on a collection.

    Attributes:
        id: opaque.
        kind: ``index`` or ``optimize``.
        collection: its name.
        state: where it stands.
        progress: counts of what is done, and of all.
        result: what it gave, when it is done.
        error: ``code`` and ``message``, where it failed.
        started: seconds since the epoch.
        ended: the same, or None.
    """

    id: str
    kind: str
    collection: str
    state: JobState = JobState.RUNNING
    progress: Mapping[str, float] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None
    error: Mapping[str, str] | None = None
    started: float = field(default_factory=time.time)
    ended: float | None = None


class Jobs:
    """All jobs of this process, the oldest forgotten first. Threads may share it."""

    def __init__(self) -> None:
        """Know of none."""
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()

    def start(self, kind: str, collection: str) -> str:
        """Note that a job begins; give its id."""
        job = Job(secrets.token_hex(8), kind, collection)
        with self._lock:
            self._jobs[job.id] = job
            self._forget()
        return job.id

    def progressed(self, job_id: str, progress: Mapping[str, float]) -> None:
        """Note how far a job has come."""
        self._change(job_id, progress=progress)

    def done(self, job_id: str, result: Mapping[str, Any]) -> None:
        """Note that a job has come to its end."""
        self._change(job_id, state=JobState.DONE, result=result, ended=time.time())

    def failed(self, job_id: str, code: str, message: str) -> None:
        """Note that a job has failed."""
        self._change(job_id, state=JobState.FAILED, error={"code": code, "message": message}, ended=time.time())

    def get(self, job_id: str) -> Job | None:
        """Look a job up."""
        return self._jobs.get(job_id)

    def all(self) -> list[Job]:
        """List the jobs that are remembered, newest first."""
        with self._lock:
            return list(reversed(self._jobs.values()))

    def _change(self, job_id: str, **changes: Any) -> None:
        with self._lock:
            if job_id in self._jobs:
                self._jobs[job_id] = replace(self._jobs[job_id], **changes)

    def _forget(self) -> None:
        ended = [job.id for job in self._jobs.values() if job.state is not JobState.RUNNING]
        for job_id in ended[: max(len(self._jobs) - KEPT_JOBS, 0)]:
            del self._jobs[job_id]
