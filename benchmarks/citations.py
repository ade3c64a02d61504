"""How well are citations checked? Sentences held against the passage they are from, and against others.

`python -m benchmarks.citations DATA` writes ``results/citations.json``. Of each question of the development sets in
DATA the passage that answers it is searched, and of that the sentence nearest to the question: what a language model
would say, word for word (`verbatim`), shortened by every fourth word (`shortened`), with another number (`renumbered`)
or name (`renamed`), and from the same passage in English (`translated`). It is held against that passage, against the
next best of another document (`swapped`), against all that was found but for its document (`absent`), and against one
by chance (`unrelated`). The question itself stands for a claim in quite other words (`restated`). The threshold is
chosen on every second pair of a language and reported on the others.
"""

import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import regex

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.evaluation_sets import unpack
from benchmarks.results_file import ROOT, measured, measured_commit, write
from eval.datasets.base import Task
from eval.datasets.folder import load
from index import Collection, Document, Hit, SearchOptions
from lfm2_colbert import load_encoder
from lfm2_colbert.encoders.base import Encoder
from service.rag.grounds import Ground
from service.rag.numbers import numbers
from service.rag.sentences import sentences
from service.rag.support import THRESHOLD, judge

SEED = 0
DOCUMENTS = 150
FOUND = 6
GROUPS = {"ar": "Arabic", "ja": "CJK", "ko": "CJK", "zh": "CJK"} | dict.fromkeys(
    ("hi", "ru", "th", "tr", "vi"), "other"
)
"""Of languages that are not Latin; `other` are those that the bundled encoder was not trained for."""
SETS = (
    ("xquad", "ar", 25), ("arcd", "ar", 25), ("xquad", "de", 25), ("germanquad", "de", 25), ("xquad", "en", 40),
    ("xquad", "es", 40), ("squad-it", "it", 40), ("faquad", "pt", 40), ("belebele", "fr", 40), ("xquad", "zh", 25),
    ("cmrc2018", "zh", 25), ("jsquad", "ja", 25), ("jaquad", "ja", 25), ("belebele", "ko", 40),
    *(("xquad", language, 20) for language in ("hi", "ru", "th", "tr", "vi")),
)  # fmt: skip
TRUE, FALSE = ("verbatim", "shortened"), ("swapped", "unrelated")
LEAST_REJECTED = 0.93
"""Of swapped sentences, in each group of the half that the threshold is chosen on: a little more than is asked for."""
STEPS = np.round(np.arange(0.2, 0.951, 0.025), 3)
NAME = regex.compile(r"(?<=\s)\p{Lu}\p{L}{3,}|\p{Katakana}{3,}|\p{Han}{2,4}|(?<=\s)[\p{Arabic}--[،؛؟]]{4,}", regex.V1)


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence and how it was judged.

    Attributes:
        condition: what was done to it, or what it was held against.
        language: of the passage.
        half: 0: the threshold is chosen on it; 1: it is reported on.
        score: nearness to what it cites.
        missing: whether a number in it stands nowhere there.
    """

    condition: str
    language: str
    half: int
    score: float
    missing: bool

    @property
    def group(self) -> str:
        """Of languages."""
        return GROUPS.get(self.language, "Latin")

    def accepted(self, threshold: float) -> bool:
        """Whether it would be called supported."""
        return self.score >= threshold and not self.missing


@dataclass(frozen=True, slots=True)
class Pair:
    """A question, and passages that were found for it: its own, and others, best first."""

    question: str
    own: Ground
    others: Sequence[Ground]

    def said(self, encoder: Encoder) -> str:
        """Give the sentence of its passage that is nearest to the question."""
        best = judge(self.question, [self.own], encoder).citations[0]
        return best.text


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@allow_dirty
def main(data: Path, allow_dirty: bool) -> None:
    """Measure with one thread."""
    commit = measured_commit(allow_dirty=allow_dirty)
    encoder = load_encoder("nano", threads=1)
    cases: list[Case] = []
    for name, language, n_pairs in SETS:
        folder = unpack(data, name, ROOT / "data" / "eval")
        found = list(cases_of(folder, language, n_pairs, encoder))
        cases += found
        click.echo(f"{name} {language}: {sum(case.condition == 'verbatim' for case in found)} pairs", err=True)
    threshold = chosen(cases)
    rows = [*shares(cases, threshold), *curve(cases)]
    command = command_line("benchmarks.citations")
    results = measured("citations", rows, commit=commit, command=command, seed=SEED, libraries=("onnxruntime",))
    click.echo(f"threshold {threshold}, in use {THRESHOLD}\n{write(results, ROOT)}")


def cases_of(folder: Path, language: str, n_pairs: int, encoder: Encoder) -> Iterator[Case]:
    """Judge all sentences of the pairs of a set."""
    rng = random.Random(f"{SEED} {folder.name} {language}")
    task = load(folder, language, query_language="en" if folder.name == "belebele" else None)
    english = _english(folder) if folder.name == "xquad" and language != "en" else {}
    for number, pair in enumerate(pairs_of(task, n_pairs, rng, encoder)):
        for condition, sentence, grounds in _conditions(pair, rng, encoder, english):
            verdict = judge(sentence, grounds, encoder)
            yield Case(condition, language, number % 2, verdict.score, bool(verdict.missing_numbers))


def pairs_of(task: Task, n_pairs: int, rng: random.Random, encoder: Encoder) -> Iterator[Pair]:
    """Search a sample of a set, as an answer does; pairs whose own passage is not found are passed over."""
    asked = rng.sample(sorted(task.queries), min(2 * n_pairs, len(task.queries)))
    own = {query: max(task.qrels[query], key=lambda name: (task.qrels[query][name], name)) for query in asked}
    kept = list(dict.fromkeys(own.values()))
    rest = sorted(task.documents.keys() - set(kept))
    kept += rng.sample(rest, min(len(rest), max(0, DOCUMENTS - len(kept))))
    given = 0
    with tempfile.TemporaryDirectory() as home:
        with Collection.open("set", create=True, encoder=encoder, home=home) as collection:
            collection.add([Document(name, task.documents[name].text) for name in kept])
            for query in asked:
                pair = _pair(task.queries[query], own[query], collection)
                if pair is not None and given < n_pairs:
                    given += 1
                    yield pair


def _pair(question: str, own: str, collection: Collection) -> Pair | None:
    hits = collection.search(question, k=3 * FOUND, highlight=False, options=SearchOptions(group_by="passage")).hits
    mine = [hit for hit in hits if hit.document_id == own][:1]
    others = [hit for hit in hits if hit.document_id != own]
    if not mine or len(others) < FOUND:
        return None
    first, *rest = _grounds([*mine, *others], collection)
    return Pair(question, first, rest)


def _grounds(hits: Sequence[Hit], collection: Collection) -> list[Ground]:
    read = zip(hits, collection.evidence(hits), strict=True)
    return [Ground(hit, evidence) for hit, evidence in read if evidence is not None]


def _english(folder: Path) -> Mapping[str, list[str]]:
    """Give the sentences of each English document; passages of one language are parallel to those of another."""
    texts = {name: document.text for name, document in load(folder, "en").documents.items()}
    return {name: [text[each.start : each.end] for each in sentences(text)] for name, text in texts.items()}


def _conditions(
    pair: Pair, rng: random.Random, encoder: Encoder, english: Mapping[str, list[str]]
) -> Iterator[tuple[str, str, Sequence[Ground]]]:
    """Give each way to hold a sentence against passages."""
    said, own, others = pair.said(encoder), [pair.own], pair.others
    yield "verbatim", said, own
    yield "shortened", shortened(said), own
    yield "restated", pair.question, own
    yield "swapped", said, others[:1]
    yield "absent", said, others[: FOUND - 1]
    yield "unrelated", said, [rng.choice(others[FOUND - 1 :])]
    changed = renumbered(said, rng)
    if changed:
        yield "renumbered", changed, own
    changed = renamed(said, others[0].hit.text, rng)
    if changed:
        yield "renamed", changed, own
    translated = _translated(said, pair.own, english)
    if translated:
        yield "translated", translated, own


def shortened(text: str) -> str:
    """Leave every fourth word out; of a script without spaces, every fifth character."""
    words = text.split()
    if len(words) >= 6:
        return " ".join(word for place, word in enumerate(words) if place % 4 != 2)
    return "".join(character for place, character in enumerate(text) if place % 5 != 2)


def renumbered(text: str, rng: random.Random) -> str:
    """Put another number in place of one; "" where there is none."""
    found = list(regex.finditer(r"(?<![\p{Nd}.,])\p{Nd}+(?![\p{Nd}.,]*\p{Nd})", text))
    if not found:
        return ""
    place = rng.choice(found)
    number = int(place.group())
    other = number + rng.choice([step for step in (-3, -2, -1, 1, 2, 3, 10) if number + step >= 0])
    changed = text[: place.start()] + str(other) + text[place.end() :]
    return changed if numbers(changed) != numbers(text) else ""


def renamed(text: str, other: str, rng: random.Random) -> str:
    """Put a name, or what looks like one, from another text in place of one; "" where either has none."""
    found, names = list(NAME.finditer(text)), sorted({name for name in NAME.findall(other) if name not in text})
    if not found or not names:
        return ""
    place = rng.choice(found)
    return str(text[: place.start()] + rng.choice(names) + text[place.end() :])


def _translated(said: str, own: Ground, english: Mapping[str, list[str]]) -> str:
    """Give the English of a sentence, where its document has as many sentences in English; "" elsewhere."""
    if own.hit.span.start or own.hit.document_id not in english:
        return ""
    theirs, ours = english[own.hit.document_id], [own.citation(place).text for place in range(len(own.sentences))]
    return theirs[ours.index(said)] if len(theirs) == len(ours) and said in ours else ""


def chosen(cases: Sequence[Case]) -> float:
    """Choose the lowest threshold that rejects enough swapped sentences in each group, on the first half."""
    swapped = defaultdict(list)
    for case in cases:
        if case.half == 0 and case.condition == "swapped" and case.group != "other":
            swapped[case.group].append(case.score)
    least = max(float(np.quantile(scores, LEAST_REJECTED)) for scores in swapped.values())
    return round(least + 0.005, 2)


def shares(cases: Sequence[Case], threshold: float) -> Iterator[dict[str, Any]]:
    """Give the share that is called supported, on the half that is reported; by group, and by language."""
    found: dict[tuple[str, str, str], list[bool]] = defaultdict(list)
    for case in cases:
        if case.half == 1:
            for kind, name in (("group", case.group), ("language", case.language)):
                found[kind, name, case.condition].append(case.accepted(threshold))
    for (kind, name, condition), accepted in sorted(found.items()):
        yield {
            "kind": kind, "name": name, "condition": condition, "n": len(accepted), "threshold": threshold,
            "accepted": round(float(np.mean(accepted)), 4),
        }  # fmt: skip


def curve(cases: Sequence[Case]) -> Iterator[dict[str, Any]]:
    """Give precision and recall over thresholds, of true sentences among true and false ones, on the reported half."""
    reported = [case for case in cases if case.half == 1 and case.condition in (*TRUE, *FALSE)]
    for group in ("Arabic", "CJK", "Latin"):
        own = [case for case in reported if case.group == group]
        for threshold in STEPS.tolist():
            accepted = [case for case in own if case.accepted(threshold)]
            right = sum(case.condition in TRUE for case in accepted)
            yield {
                "kind": "curve", "name": group, "threshold": threshold,
                "precision": round(right / len(accepted), 4) if accepted else 1.0,
                "recall": round(right / sum(case.condition in TRUE for case in own), 4),
            }  # fmt: skip


if __name__ == "__main__":
    run(main)
