"""What live recall was when a process that searched came to its end, for `status` to show: no data, only a message."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from index.durable import Folder
from lfm2_colbert.errors import Lfm2ColbertError

FILE = "live-recall.json"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Share of the exact ten best that searches found, over the queries that were asked again, with a 95 % interval."""

    recall_at_10: float
    low: float
    high: float
    queries: int


def keep(folder: Path, estimate: Estimate) -> None:
    """Leave an estimate; a reader may not be allowed to, and then nothing is lost."""
    try:
        Folder(folder).replace(FILE, json.dumps(asdict(estimate)).encode())
    except Lfm2ColbertError:
        return


def kept(folder: Path) -> Estimate | None:
    """Read the estimate that was left last."""
    try:
        return Estimate(**json.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
