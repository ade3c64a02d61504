"""A job's server-sent events, read as they come, in whatever pieces."""

import json
from collections.abc import Iterator

from lfm2_colbert.errors import RemoteError
from service.client.address import path_of
from service.client.answers import job_of
from service.client.exchange import ANOTHER_PROGRAM, Answer, Request
from service.client.retrying import Attempts, Failed, Retrying, Stage
from service.engine.jobs import Job, JobState

MAX_LINE_BYTES = 1024 * 1024
SILENT_SECONDS = 45.0
"""A server says every 15 seconds that it is still there."""
DATA = b"data:"


class Events:
    """Reads a stream of events; an event of this server has one line of data."""

    def __init__(self) -> None:
        """Expect the first byte."""
        self._kept = b""

    def feed(self, piece: bytes) -> list[Job]:
        """Take a piece of the stream; give how far the job had come at each event that it completes.

        Raises:
            RemoteError: these are no events of a job.
        """
        *lines, self._kept = (self._kept + piece).split(b"\n")
        if len(self._kept) > MAX_LINE_BYTES:
            raise _another()
        return [_job(line) for line in lines if line.startswith(DATA)]


class Watch:
    """Follows one job to its end, over as many connections as that takes."""

    def __init__(self, job_id: str, retrying: Retrying) -> None:
        """Know nothing of it yet."""
        self.request = Request("GET", path_of("jobs", job_id, "events"), seconds=SILENT_SECONDS)
        self.ended = False
        self._retrying = retrying
        self._events, self._attempts = Events(), Attempts(self.request, retrying)

    def feed(self, piece: bytes) -> Iterator[Job]:
        """Take what came; give how far the job had come, each time that is told."""
        for job in self._events.feed(piece):
            self._attempts = Attempts(self.request, self._retrying)
            self.ended = job.state is not JobState.RUNNING
            yield job

    def refused(self, answer: Answer) -> float:
        """Give the pause after which to ask again.

        Raises:
            Lfm2ColbertError: the server does not want that.
        """
        pause = self._attempts.after_answer(answer)
        return answer.read(_no_events) if pause is None else pause

    def broken(self, failed: Failed) -> float:
        """Give the pause after which to ask again, where a connection broke.

        Raises:
            RemoteError: it did too often.
        """
        self._events = Events()
        return self._attempts.after_failure(failed)

    def closed(self) -> float:
        """Do the same where the server closed the connection; before the end of the job that is no better."""
        closed = RemoteError("the server stopped telling how the job goes", help="ask for the job later")
        return 0.0 if self.ended else self.broken(Failed(closed, Stage.SENT))


def _no_events(value: object) -> float:
    raise _another()


def _job(line: bytes) -> Job:
    try:
        return job_of(json.loads(line.removeprefix(DATA)))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _another() from error


def _another() -> RemoteError:
    return RemoteError("these are no events of a job", help=ANOTHER_PROGRAM)
