"""`lfm2-colbert ask`: an answer from a collection, with what each sentence rests on."""

from typing import TYPE_CHECKING

import click

from service.backend.base import backend_of
from service.cli import options
from service.cli.output import print_json, print_line
from service.settings import Settings

if TYPE_CHECKING:
    from service.rag.answer import Answer, AnswerSentence, Citation

NOTHING = "nothing relevant found"
QUIET_NOTICES = frozenset({"score_uncalibrated"})


@click.command()
@click.argument("question")
@options.collection
@options.language_model
@click.option("-k", default=6, show_default=True, type=click.IntRange(1, 20), help="Documents to answer from.")
@click.option("--where", metavar="FILTER", help='Only such passages, as in: lang = "de" and year >= 2024')
@options.common_or_remote
def ask(
    question: str, collection_name: str, llm: options.LanguageModel, k: int, where: str | None, settings: Settings
) -> None:
    """Answer QUESTION from a collection; ⚠ marks a sentence that no passage says.

    By default the best sentences of the documents are quoted. A language model (--llm) writes its own, and each is held
    against the passages; that finds what they do not say and numbers that stand nowhere, not every mistake.
    """
    from service.rag.answering import Asking
    from service.rag.shapes import answer_as_json

    choice = None if llm.llm is None else llm.choice(settings)
    answer = backend_of(settings).answer(collection_name, Asking(question, where=where, passages=k), choice)
    if settings.as_json:
        print_json(answer_as_json(answer))
    else:
        _print(answer)


def _print(answer: "Answer") -> None:
    """Print sentences with the numbers of what they cite, and below these what the numbers stand for."""
    numbers: dict[Citation, int] = {}
    for sentence in answer.sentences:
        print_line(_marked(sentence, numbers))
    if not answer.sentences:
        print_line(answer.answer or NOTHING)
    for citation, number in numbers.items():
        print_line(f"[{number}] {citation.document_id}  c.{citation.start}-{citation.end}")
    for notice in answer.warnings:
        if notice.code not in QUIET_NOTICES:
            print_line(f"warning[{notice.code}] {notice.message}", err=True)
    spent = " · ".join(f"{name} {milliseconds:.0f}" for name, milliseconds in answer.timings_ms.items())
    print_line(f"{answer.model} · {len(answer.sources)} passages · ms: {spent}", err=True)


def _marked(sentence: "AnswerSentence", numbers: "dict[Citation, int]") -> str:
    cited = "".join(f" [{numbers.setdefault(each, len(numbers) + 1)}]" for each in sentence.citations)
    if sentence.supported:
        return f"{sentence.text}{cited}"
    missing = ", ".join(sentence.missing_numbers)
    return f"{sentence.text}{cited} ⚠ " + (f"no passage says {missing}" if missing else "unsupported")
