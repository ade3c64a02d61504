"""Answers of finished systems, kept on disk: a second call asks only what is missing."""

import gzip
import json
import zlib
from dataclasses import asdict
from pathlib import Path

import xxhash

from eval.datasets.base import Task
from eval.systems import Answers, System
from eval.writing import replace_file

FORMAT = 2
"""Of the files, and of what answers mean; another number is another file."""


class KeptAnswers:
    """A folder of answers, one file each, written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, task: Task, system: System) -> Answers | None:
        """Give what a system answered to the queries of a task, if it did; a broken file counts as none."""
        try:
            kept = json.loads(gzip.decompress(self._path(task, system).read_bytes()))
            return Answers(**kept)
        except (OSError, EOFError, zlib.error, ValueError, TypeError):
            return None

    def put(self, task: Task, system: System, answers: Answers) -> None:
        """Keep an answer."""
        replace_file(self._path(task, system), gzip.compress(json.dumps(asdict(answers)).encode(), 1))

    def _path(self, task: Task, system: System) -> Path:
        asked = json.dumps([FORMAT, system.made_of, task.skips_own, list(task.queries.items())], ensure_ascii=True)
        return self._folder / f"{xxhash.xxh3_128_hexdigest(asked.encode())}.json.gz"
