"""The JSON shapes of answers, which every surface shares."""

from collections.abc import Sequence
from typing import Any

from index.types import Hit, Notice
from service.rag.answer import Answer, AnswerSentence, Citation
from service.shapes import hit_as_json


def answer_as_json(answer: Answer) -> dict[str, Any]:
    """Give an answer the shape that every surface shows."""
    return {
        "question": answer.question,
        "query": answer.query,
        "collection": answer.collection,
        "answer": answer.answer,
        "sentences": [sentence_as_json(each) for each in answer.sentences],
        "sources": sources_as_json(answer.sources),
        "warnings": warnings_as_json(answer.warnings),
        "model": answer.model,
        "timings_ms": {name: round(value, 3) for name, value in answer.timings_ms.items()},
    }


def sentence_as_json(sentence: AnswerSentence) -> dict[str, Any]:
    """Give a sentence with what it rests on."""
    return {
        "text": sentence.text,
        "start": sentence.start,
        "end": sentence.end,
        "supported": sentence.supported,
        "score": round(sentence.score, 4),
        "citations": [citation_as_json(each) for each in sentence.citations],
        "missing_numbers": list(sentence.missing_numbers),
    }


def citation_as_json(citation: Citation) -> dict[str, Any]:
    """Give a citation."""
    return {
        "document_id": citation.document_id,
        "passage": citation.passage,
        "start": citation.start,
        "end": citation.end,
        "text": citation.text,
    }


def sources_as_json(sources: Sequence[Hit]) -> list[dict[str, Any]]:
    """Give passages in the shape of hits."""
    return [hit_as_json(hit, explain=False) for hit in sources]


def warnings_as_json(warnings: Sequence[Notice]) -> list[dict[str, str]]:
    """Give warnings."""
    return [{"code": notice.code, "message": notice.message} for notice in warnings]
