"""The process that searches: encoded questions in, results out, one after another, until the server closes its end.

`service.engine.processes` begins it as ``python -m service.engine.search_process DESCRIPTOR LEVEL [HOME]``. It holds no
encoder, unless a collection of an older format has to be tokenised to be shown.
"""

import logging
import signal
import socket
import sys
from io import BufferedReader
from pathlib import Path

from index.collection import Collection
from index.home import list_collections
from lfm2_colbert.errors import Lfm2ColbertError
from service.engine.messages import LENGTHS, Answered, Asked, of_answered, packed, read_asked
from service.engine.readers import Readers
from service.engine.searching import answers
from service.logs import log_to

LOG = logging.getLogger("lfm2_colbert.search")


def main() -> None:
    """Answer until there is nobody who asks."""
    descriptor, level, *home = sys.argv[1:]
    for number in (signal.SIGINT, signal.SIGTERM):  # they come to a whole group; the server says when it is over
        signal.signal(number, signal.SIG_IGN)
    log_to(level=int(level))
    folder = Path(home[0]) if home else None
    readers = Readers(folder, 1, lambda name: Collection.open(name, home=folder, threads=1))
    with socket.socket(fileno=int(descriptor)) as wire, wire.makefile("rb") as stream:
        _warm_up(readers, folder)
        wire.sendall(packed({}))
        while (asked := _next(stream)) is not None:
            wire.sendall(of_answered(_answered(readers, asked), asked.collection))
    readers.close()


def _warm_up(readers: Readers, home: Path | None) -> None:
    for name in list_collections(home):
        try:
            readers.warm_up(name)
        except Lfm2ColbertError as error:  # who asks this collection is told
            LOG.warning("a collection cannot be opened", extra={"collection": name, "code": error.code})


def _next(stream: BufferedReader) -> Asked | None:
    head = stream.read(LENGTHS.size)
    if len(head) < LENGTHS.size:
        return None
    n_body, n_vectors = LENGTHS.unpack(head)
    return read_asked(stream.read(n_body), stream.read(n_vectors))


def _answered(readers: Readers, asked: Asked) -> Answered:
    try:
        if asked.request is None:
            readers.drop(asked.collection)
            return Answered()
        results = answers(readers, asked.collection, asked.questions, asked.request, 0)
        recall = readers.live_recall(asked.collection)
        return Answered(results, recall[0] if recall else None)
    except Lfm2ColbertError as error:
        return Answered(error=error)
    except Exception as error:
        LOG.exception("internal error", extra={"collection": asked.collection})
        return Answered(error=Lfm2ColbertError(f"{type(error).__name__} in a search process", help="see the log"))


if __name__ == "__main__":
    main()
