"""An answer as a person checks it: each sentence with the places it rests on, and those that rest on none marked."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode
from xml.etree.ElementTree import Element

from eval.markup import direction, element
from service.rag.answer import Answer, AnswerSentence, Citation
from service.ui.frame import address
from service.ui.words import Words


def place_of_answer(query: Sequence[tuple[str, str]], words: Words, *, at_once: bool) -> Element:
    """Leave room for an answer: one that costs little comes by itself when typing stops, another when asked for."""
    place = f"/ui/parts/answer?{urlencode(query)}"
    if at_once:
        return element("div", id="answer", hx_get=place, hx_trigger="load delay:300ms", aria_live="polite")
    button = element("button", words("answer"), type="button", hx_get=place, hx_target="#answer", hx_swap="innerHTML")
    return element("div", button, id="answer", aria_live="polite")


def answer_part(answer: Answer, words: Words) -> Element:
    """Show an answer; numbers count the documents' places in the order in which they are cited."""
    numbers: dict[Citation, int] = {}
    for sentence in answer.sentences:
        for citation in sentence.citations:
            numbers.setdefault(citation, len(numbers) + 1)
    sentences = [_sentence(each, answer.collection, numbers, words) for each in answer.sentences]
    places = (
        element("li", _link(citation, answer.collection, f"[{n}] {citation.document_id}"), dir="auto")
        for citation, n in numbers.items()
    )
    text = element("p", *(sentences or [[answer.answer]]), class_="text", dir=direction(answer.answer))
    return element(
        "section", element("h2", words("answer")), text, element("ol", *places, class_="facts"), class_="answer"
    )


def _sentence(
    sentence: AnswerSentence, collection: str, numbers: Mapping[Citation, int], words: Words
) -> list[Element | str]:
    shown: list[Element | str] = [_said(sentence, words), " "]
    if not sentence.supported:
        shown += [element("strong", "⚠", role="img", aria_label=words("unsupported")), " "]
    for citation in sentence.citations:
        shown += [_link(citation, collection, f"[{numbers[citation]}]"), " "]
    return shown


def _said(sentence: AnswerSentence, words: Words) -> Element:
    if sentence.supported:
        return element("span", sentence.text)
    return element("span", sentence.text, class_="unsupported", title=words("unsupported"))


def _link(citation: Citation, collection: str, text: str) -> Element:
    """Lead to the document, with the very stretch marked."""
    cited = {"c": collection, "id": citation.document_id, "s": citation.start, "e": citation.end}
    return element("a", text, href=address("/ui/document", **cited) + "#cited", title=citation.text)
