"""Addresses of the search page. Frames and files are the same for everybody; parts need what their content needs."""

import asyncio
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from eval.markup import element
from index.collection import Collection
from index.records import StoredDocument
from index.request import Request as SearchRequest
from index.types import Passage
from lfm2_colbert.errors import NotFoundError
from service.engine.engine import Engine
from service.http.access import Caller, needs
from service.http.context import GuardedRoute, TheAnswerer, TheAnswerGate, TheCaller, TheEngine
from service.http.guard import require_collection
from service.http.refusals import Refusal
from service.keys import Role
from service.rag.answering import Asking
from service.rag.generators.choosing import EXTRACTIVE
from service.rag.knowledge import Served
from service.ui.answer_part import answer_part, place_of_answer
from service.ui.collections_page import collections_part, job_part
from service.ui.document_page import cited_pieces, document_part, passage_pieces
from service.ui.frame import fragment, page
from service.ui.hits import results
from service.ui.quality_page import last_evaluation, quality_part
from service.ui.search_page import MODES, VALUES, Asked, facet_fields, search_form
from service.ui.words import Words, words_for

STATIC = Path(__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
INTERFACE = "ui"
"""Name of the cookie, and of the parameter, that holds the language of the interface."""
FACET = "f."
Short = Annotated[str, Query(max_length=1024)]
Place = Annotated[int, Query(ge=0)]

router = APIRouter(route_class=GuardedRoute, include_in_schema=False)


class Page(HTMLResponse):
    """A page, or a part of one."""

    def init_headers(self, headers: Any = None) -> None:
        """Forbid everything that does not come from here."""
        super().init_headers({**(headers or {}), "content-security-policy": POLICY})


@router.get("/")
@needs(None)
async def search_frame(request: Request) -> Page:
    """Give the frame of the search page."""
    return Page(page(_words(request), "search", "/ui/parts/search", request.url.query))


@router.get("/ui/collections")
@needs(None)
async def collections_frame(request: Request) -> Page:
    """Give the frame of the page of collections."""
    return Page(page(_words(request), "collections", "/ui/parts/collections", request.url.query))


@router.get("/ui/quality")
@needs(None)
async def quality_frame(request: Request) -> Page:
    """Give the frame of the page of figures."""
    return Page(page(_words(request), "quality", "/ui/parts/quality", request.url.query))


@router.get("/ui/document")
@needs(None)
async def document_frame(request: Request) -> Page:
    """Give the frame of a document's page."""
    return Page(page(_words(request), "document", "/ui/parts/document", request.url.query))


@router.get("/ui/static/{name}")
@needs(None)
async def static_file(name: str) -> Response:
    """Give a file of the page."""
    content = _static().get(name)
    if content is None:
        raise Refusal(404, "not_found", "There is no such file.", "see /")
    headers = {"content-security-policy": POLICY, "cache-control": "no-cache"}
    return Response(content, media_type=TYPES[Path(name).suffix], headers=headers)


@router.get("/ui/parts/search")
@needs(Role.READ, expensive=True)
async def search_part(request: Request, engine: TheEngine, caller: TheCaller) -> Page:
    """Show the form of a search, and what is asked in the address already."""
    words, names = _words(request), _visible(engine, caller)
    if not names:
        return Page(fragment(*collections_part([], words, may_write=False, may_create=caller.may(Role.ADMIN))))
    asked = _asked(request, names[0])
    require_collection(caller, asked.collection)
    status = await engine.status(asked.collection)
    limit = max(VALUES + 1, len(status["languages"]))
    facets = {
        field: await engine.facets(asked.collection, field, None, limit)
        for field in (facet_fields(status["fields"]) if status["documents"] else ())
    }
    form = search_form(asked, names, facets, words)
    hits = await _found(request, engine, asked, words)
    return Page(fragment(form, element("div", *hits, id="hits", aria_live="polite")))


@router.get("/ui/parts/hits")
@needs(Role.READ, expensive=True)
async def hits_part(request: Request, engine: TheEngine, caller: TheCaller) -> Page:
    """Show what a search finds; the address of the page follows the question."""
    words, asked = _words(request), _asked(request, "")
    require_collection(caller, asked.collection)
    shown = await _found(request, engine, asked, words)
    query = [(name, value) for name, value in request.query_params.multi_items() if value]
    return Page(fragment(*shown), headers={"hx-replace-url": f"/?{urlencode(query)}"})


@router.get("/ui/parts/document")
@needs(Role.READ)
async def document_content(
    request: Request,
    engine: TheEngine,
    caller: TheCaller,
    c: Short,
    id: Short,
    p: int | None = None,
    s: Place | None = None,
    e: Place | None = None,
) -> Page:
    """Show a document, and mark a passage `p` of it, or the stretch from `s` to `e`."""
    require_collection(caller, c)

    def ask(collection: Collection) -> tuple[StoredDocument | None, list[Passage]]:
        return collection.get(id), collection.passages(id)

    stored, passages = await engine.read(c, ask)
    if stored is None:
        raise NotFoundError("no such document")
    cited = s is not None and e is not None
    pieces = cited_pieces(stored.text, s or 0, e or 0) if cited else passage_pieces(stored.text, passages, p)
    return Page(fragment(*document_part(stored, pieces, c, _words(request))))


@router.get("/ui/parts/answer")
@needs(Role.READ, open_ended=True)
async def answer_content(
    request: Request, engine: TheEngine, caller: TheCaller, answerer: TheAnswerer, gate: TheAnswerGate
) -> Page:
    """Answer what is asked, each sentence with the places it rests on."""
    asked = _asked(request, "")
    require_collection(caller, asked.collection)
    async with gate.pass_through():
        answer = await answerer.answer(Served(engine, asked.collection), Asking(asked.query, where=asked.where()))
    return Page(fragment(answer_part(answer, _words(request))))


@router.get("/ui/parts/collections")
@needs(Role.READ)
async def collections_content(request: Request, engine: TheEngine, caller: TheCaller) -> Page:
    """Show collections."""
    found = await engine.summaries(_visible(engine, caller))
    may = {"may_write": caller.may(Role.WRITE), "may_create": caller.may(Role.ADMIN)}
    return Page(fragment(*collections_part(found, _words(request), **may)))


@router.get("/ui/parts/jobs/{job}")
@needs(Role.READ)
async def job_content(job: str, request: Request, engine: TheEngine, caller: TheCaller) -> Page:
    """Show how far a job has come."""
    found = engine.job(job)
    require_collection(caller, found.collection)
    return Page(fragment(job_part(found, _words(request))))


@router.get("/ui/parts/quality")
@needs(Role.READ)
async def quality_content(request: Request, engine: TheEngine, caller: TheCaller) -> Page:
    """Show figures."""
    names = _visible(engine, caller)
    statuses = [await engine.status(name) for name in names]
    stages = {name: engine.metrics.stages(name) for name in names}
    report = await asyncio.to_thread(last_evaluation, request.app.state.config.evaluation)
    return Page(fragment(*quality_part(statuses, stages, report, _words(request))))


async def _found(request: Request, engine: Engine, asked: Asked, words: Words) -> list[Element]:
    """Give what a search finds, behind room for an answer; or what one can do here."""
    if not asked.query.strip():
        return [element("p", words("begin"), class_="summary")]
    result = await engine.search(asked.collection, asked.query, SearchRequest(mode=asked.mode, where=asked.where()))
    n_passages = await engine.read(asked.collection, lambda collection: collection.n_passages)
    given = [(name, value) for name, value in request.query_params.multi_items() if value and name != "c"]
    at_once = request.app.state.config.llm.llm == EXTRACTIVE
    place = place_of_answer([("c", asked.collection), *given], words, at_once=at_once)
    return [place, *results(result, asked.collection, n_passages, words)]


def _asked(request: Request, default: str) -> Asked:
    given = request.query_params
    chosen = {name.removeprefix(FACET): given.getlist(name) for name in given if name.startswith(FACET)}
    mode = given.get("mode", MODES[0])
    return Asked(given.get("c") or default, given.get("q", ""), mode if mode in MODES else MODES[0], chosen)


def _words(request: Request) -> Words:
    chosen = request.query_params.get(INTERFACE) or request.cookies.get(INTERFACE)
    return words_for(chosen, request.headers.get("accept-language", ""))


def _visible(engine: Engine, caller: Caller) -> list[str]:
    return [name for name in engine.library.names() if caller.may_see(name)]


@lru_cache(maxsize=1)
def _static() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in STATIC.iterdir() if path.suffix in TYPES}
