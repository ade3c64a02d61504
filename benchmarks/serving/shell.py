"""The thinnest server around an engine, the same for all: a query's number in, passages and scores out.

`python -m benchmarks.serving.shell JOB.json`, by the interpreter of the engine's environment. Each worker thread
searches with an object of its own, as this project's server does; the address is printed when all are open.
"""

import asyncio
import json
import os
import queue
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
import uvicorn
from fastapi import FastAPI
from numpy.typing import NDArray
from pydantic import BaseModel

from benchmarks.peers import ENGINES
from benchmarks.peers.protocol import Engine, Search
from benchmarks.peers.worker import Job
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.registry import lookup


class Question(BaseModel):
    """The number of a query whose vectors are known, and how many passages are wanted."""

    query: int
    k: int = 10


class Searchers:
    """As many searches at once as there are workers."""

    def __init__(self, job: Job) -> None:
        """Open the engine once for each processor of this process."""
        engine = cast(Engine, lookup(ENGINES, job.engine, "engine")())
        for module in engine.environment.modules:
            import_module(module)
        setting = next(setting for setting in engine.settings if setting.name == job.setting)
        folder = Path(job.queries)
        self._queries = MultiVectors(np.load(folder / "queries.npy"), np.load(folder / "query_offsets.npy"))
        n_workers = len(os.sched_getaffinity(0))
        self._free = queue.SimpleQueue[Search]()
        for _ in range(n_workers):
            self._free.put(engine.open(Path(job.index), job.threads, setting))
        self._threads = ThreadPoolExecutor(n_workers)

    async def ask(self, question: Question) -> dict[str, Any]:
        """Search in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, question)

    def _answer(self, question: Question) -> dict[str, Any]:
        vectors: NDArray[np.float32] = np.array(self._queries[question.query], np.float32)
        search = self._free.get()
        try:
            found = search(vectors, question.k)
        finally:
            self._free.put(search)
        return {"passages": found.passages.tolist(), "scores": found.scores.tolist()}


def app_of(searchers: Searchers) -> FastAPI:
    """Make the application: one route."""
    app = FastAPI(openapi_url=None)
    app.post("/search")(searchers.ask)
    return app


def main(job_file: str) -> None:
    """Serve until killed."""
    job = Job(**json.loads(Path(job_file).read_text(encoding="utf-8")))
    app = app_of(Searchers(job))
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # as `service.http.server`
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False, loop="asyncio", http="httptools")
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(sys.argv[1])
