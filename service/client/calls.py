"""Everything that a server can be asked: the requests, and what their answers mean. No network here.

`sync` and `asynchronous` make methods of these functions; their first line is what the methods do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from index.records import Summary
from index.types import FacetValue, Ranked, SearchOptions, SearchResult
from lfm2_colbert.errors import Lfm2ColbertError
from service.client.address import path_of
from service.client.answers import (
    RemoteDocument,
    Stored,
    answer_of,
    document_of,
    facets_of,
    job_of,
    ranked_of,
    results_of,
    stored_of,
    summaries_of,
    vectors_of,
)
from service.client.exchange import LINES, Follow, Operation, Page, Request, Walk, answered
from service.client.exchange import Answer as Answered
from service.client.parts import Part
from service.client.problems import error_of_code
from service.engine.jobs import Job, JobState
from service.rag.answer import Answer
from service.results import result_of

if TYPE_CHECKING:
    from lfm2_colbert.multivectors import MultiVectors

Where = str | Mapping[str, Any]
Wait = Literal["durable", "searchable"]
T = TypeVar("T")
QUERIES_PER_REQUEST = 32
TEXTS_PER_REQUEST = 32
STORING_SECONDS = 900.0
"""A server stores nothing while it trains centroids."""
ANSWERING_SECONDS = 120.0
"""A language model takes its time."""
EVERY_DOCUMENT = SearchOptions()
NOT_FOUND = 404


def collections() -> Operation[list[Summary]]:
    """List the collections that the key may see."""
    answer = yield from answered(Request("GET", path_of("collections")))
    return answer.read(summaries_of)


def create(name: str, *, codec: str | None = None, pool: int | None = None) -> Operation[None]:
    """Make a collection with the server's encoder.

    Args:
        name: 1 to 63 lower-case letters, digits, "_" or "-".
        codec: how vectors are stored; None: as the server would.
        pool: 2 or 3 to store about a half or a third of the vectors.

    Raises:
        AlreadyExistsError: there is one of this name.
    """
    wanted = {"name": name, "codec": codec, "pool": pool}
    body = {key: value for key, value in wanted.items() if value is not None}
    answer = yield from answered(Request.post(path_of("collections"), body, repeatable=False))
    answer.read(dict)


def remove(name: str) -> Operation[None]:
    """Remove a collection with all its documents, for good.

    Raises:
        NotFoundError: there is none of this name.
    """
    answer = yield from answered(Request("DELETE", path_of("collections", name), repeatable=False))
    answer.read(dict)


def status(name: str) -> Operation[dict[str, Any]]:
    """Say what the collection holds, in the shape of `lfm2-colbert status --json`."""
    answer = yield from answered(Request("GET", path_of("collections", name)))
    return answer.read(dict)


def get(name: str, document_id: str) -> Operation[RemoteDocument | None]:
    """Look a document up by its id; None: there is none.

    Raises:
        NotFoundError: there is no such collection.
    """
    answer = yield from answered(Request("GET", path_of("collections", name, "documents", document_id)))
    if answer.status == NOT_FOUND:
        yield from status(name)
        return None
    return answer.read(document_of)


def delete(name: str, document_id: str) -> Operation[bool]:
    """Remove a document; say whether there was one.

    Raises:
        NotFoundError: there is no such collection.
    """
    path = path_of("collections", name, "documents", document_id)
    answer = yield from answered(Request("DELETE", path, repeatable=False))
    if answer.status == NOT_FOUND:
        yield from status(name)
        return False
    answer.read(dict)
    return True


def documents(name: str, *, text: bool = True, page: int = 100) -> Walk[RemoteDocument]:
    """Walk through all documents in the order of their ids.

    Args:
        name: the collection.
        text: give their texts, too.
        page: documents of a request, up to 1000.
    """
    path = path_of("collections", name, "documents")
    asked = {"limit": str(page), "text": str(text).lower()}

    def read(answer: Answered) -> Page[RemoteDocument]:
        found = answer.read(lambda value: [document_of(each) for each in value["documents"]])
        cursor = answer.read(lambda value: value["cursor"])
        return Page(found, Request("GET", path, asked | {"cursor": cursor}) if cursor else None)

    return Walk(Request("GET", path, asked), read)


def put(name: str, part: Part) -> Operation[Stored]:
    """Store some documents; what cannot be stored is in what this gives."""
    refused = Stored(failed=tuple(part.failed))
    if not part.lines:
        return refused
    path = path_of("collections", name, "documents")
    answer = yield from answered(Request("POST", path, body=part.body, kind=LINES, seconds=STORING_SECONDS))
    return refused + answer.read(partial(stored_of, ids=part.ids))


def stored_at_last(stored: Stored, wait: Wait) -> Operation[Stored]:
    """Wait until what was stored is searchable, if that was asked for.

    Raises:
        Lfm2ColbertError: it could not be encoded; it is stored.
    """
    if wait == "searchable":
        for job_id in stored.jobs[-1:]:  # it encodes what earlier ones left, too
            yield from ended(job_id)
    return stored


def require_some(stored: Stored) -> Stored:
    """Refuse what a server refuses: that no document at all was stored.

    Raises:
        Lfm2ColbertError: as the first document that failed.
    """
    if stored.failed and not len(stored):
        first = stored.failed[0]
        raise error_of_code(first.code, f"no document was stored; '{first.path}': {first.message}")
    return stored


def search(
    name: str,
    query: str,
    *,
    k: int = 10,
    effort: str = "balanced",
    mode: str = "hybrid",
    fusion: str = "convex",
    where: Where | None = None,
    highlight: bool = True,
    options: SearchOptions = EVERY_DOCUMENT,
) -> Operation[SearchResult]:
    """Find the documents whose best passage answers the query best.

    All of it is as in `index.Collection.search`: what is asked, what is given, and what is raised.
    """
    body = _asked(k, effort, mode, where, highlight, options) | {"query": query, "fusion": fusion}
    answer = yield from answered(Request.post(path_of("collections", name, "search"), body))
    return answer.read(result_of)


def search_many(
    name: str,
    queries: Sequence[str],
    *,
    k: int = 10,
    effort: str = "balanced",
    mode: str = "hybrid",
    fusion: str = "convex",
    where: Where | None = None,
    highlight: bool = False,
    options: SearchOptions = EVERY_DOCUMENT,
) -> Walk[SearchResult]:
    """Find documents for many queries, some at a time; results come in their order, as they are made.

    All of it is as in `index.Collection.search_batch`.
    """
    body = _asked(k, effort, mode, where, highlight, options) | {"fusion": fusion}
    path = path_of("collections", name, "search")
    requests = (Request.post(path, body | {"queries": some}) for some in _some(queries, QUERIES_PER_REQUEST))
    return _walk(requests, lambda answer: answer.read(results_of))


def answer(
    name: str,
    question: str,
    *,
    history: Sequence[Mapping[str, str]] = (),
    where: Where | None = None,
    k: int = 6,
    rewrite: bool = True,
) -> Operation[Answer]:
    """Answer a question from the collection, each sentence with the passages it rests on.

    Args:
        name: the collection.
        question: in any language.
        history: what was said before, as ``{"role": "user" or "assistant", "content": …}``.
        where: filter of the passages.
        k: documents that the answer may rest on, up to 20.
        rewrite: take the history into what is searched for.

    Raises:
        GenerationFailedError: the server's language model gave no answer.
    """
    body = {"question": question, "history": list(history), "where": where, "k": k, "rewrite": rewrite}
    asked = Request.post(path_of("collections", name, "answer"), body, repeatable=False)
    found = yield from answered(replace(asked, seconds=ANSWERING_SECONDS))
    return found.read(answer_of)


def facets(name: str, field: str, *, where: Where | None = None, limit: int = 10) -> Operation[list[FacetValue]]:
    """Count the searchable documents by the values of a field, most first; as `index.Collection.facets`."""
    body = {"field": field, "where": where, "limit": limit}
    answer = yield from answered(Request.post(path_of("collections", name, "facets"), body))
    return answer.read(facets_of)


def optimize(name: str) -> Operation[str]:
    """Begin to train centroids, merge segments and measure recall; give the job to follow."""
    path = path_of("collections", name, "optimize")
    answer = yield from answered(Request("POST", path, repeatable=False))
    return answer.read(lambda value: str(value["job"]))


def rerank(query: str, texts: Sequence[str], *, top_n: int | None = None) -> Operation[list[Ranked]]:
    """Order texts by how well they answer a query, with the server's encoder; as `index.rerank`."""
    body: dict[str, Any] = {"query": query, "texts": list(texts)}
    if top_n is not None:
        body["top_n"] = top_n
    answer = yield from answered(Request.post(path_of("rankings"), body))
    return answer.read(ranked_of)


def embed(texts: Sequence[str], *, kind: Literal["query", "document"] = "document") -> Operation["MultiVectors"]:
    """Give the token vectors of texts."""
    from lfm2_colbert.multivectors import MultiVectors

    found: list[Any] = []
    dim = None
    for some in _some(texts, TEXTS_PER_REQUEST):
        answer = yield from answered(Request.post(path_of("embeddings", "multi"), {"input": some, "kind": kind}))
        vectors = answer.read(vectors_of)
        found, dim = [*found, *vectors], vectors.dim
    return MultiVectors.of(found, dim=dim)


def job(job_id: str) -> Operation[Job]:
    """Say how far a job has come.

    Raises:
        NotFoundError: the server knows it no more.
    """
    answer = yield from answered(Request("GET", path_of("jobs", job_id)))
    return answer.read(job_of)


def ended(job_id: str) -> Operation[Job]:
    """Wait for the end of a job.

    Raises:
        Lfm2ColbertError: it failed.
    """
    found: Job = yield Follow(job_id)
    if found.state is JobState.FAILED:
        raise failure_of(found)
    return found


def failure_of(failed: Job) -> Lfm2ColbertError:
    """Give the error of a job that failed."""
    said = failed.error or {}
    return error_of_code(said.get("code", ""), said.get("message", "the job failed"), "the server's log says more")


def _asked(
    k: int, effort: str, mode: str, where: Where | None, highlight: bool, options: SearchOptions
) -> dict[str, Any]:
    """Write what is wanted besides the query; `explain` brings the matches that a local hit has, too."""
    wanted = {"k": k, "effort": str(effort), "mode": str(mode), "highlight": highlight, "explain": highlight}
    given = {"where": where, **asdict(options)}
    return wanted | {name: value for name, value in given.items() if value is not None}


def _some(items: Sequence[T], most: int) -> Iterator[list[T]]:
    return (list(items[start : start + most]) for start in range(0, len(items), most))


def _walk(requests: Iterator[Request], read: Any) -> Walk[Any]:
    return Walk(next(requests, None), lambda answer: Page(read(answer), next(requests, None)))
