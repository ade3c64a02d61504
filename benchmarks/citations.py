"""How well are citations checked? Sentences held against the passage they are from, and against others.

`python -m benchmarks.citations DATA` writes ``results/citations.json``. Of each question of the development sets in
DATA the passage that answers it is searched, and of that the sentence nearest to the question: what a language model
would say, word for word (`verbatim`), shortened by every fourth word (`shortened`), with another number (`renumbered`)
or name (`renamed`). It is held against that passage, against the next best of another document (`swapped`), against all
that was found but for its document (`absent`), and against one by chance (`unrelated`). The question itself stands for
a claim in quite other words (`restated`); sentences of parallel passages for answers in another language
(`translated`). Thresholds are chosen on every second pair of a language and reported on the others.
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
from index.sentences import sentences
from lfm2_colbert import load_encoder
from lfm2_colbert.encoders.base import Encoder
from service.rag.grounds import Ground
from service.rag.numbers import numbers
from service.rag.support import FOREIGN_THRESHOLD, THRESHOLD, judge

SEED = 0
DOCUMENTS = 150
FOUND = 6
GROUPS = {"ar": "Arabic", "ja": "CJK", "ko": "CJK", "zh": "CJK"} | dict.fromkeys(
    ("hi", "ru", "th", "tr", "vi"), "other"
)
"""Of languages that are not Latin; `other` are those that the bundled encoder was not trained for."""
SETS = (
    ("xquad", "ar", 40), ("arcd", "ar", 40), ("xquad", "de", 25), ("germanquad", "de", 25), ("xquad", "en", 40),
    ("xquad", "es", 40), ("squad-it", "it", 40), ("faquad", "pt", 40), ("belebele", "fr", 40), ("xquad", "zh", 25),
    ("cmrc2018", "zh", 25), ("jsquad", "ja", 25), ("jaquad", "ja", 25), ("belebele", "ko", 40),
    *(("xquad", language, 20) for language in ("hi", "ru", "th", "tr", "vi")),
)  # fmt: skip
CROSSED = {
    ("xquad", "ar"): "en", ("xquad", "de"): "en", ("xquad", "es"): "de", ("xquad", "zh"): "en", ("xquad", "en"): "zh",
}  # fmt: skip
"""Sets whose passages are also held against sentences of the parallel ones in another language."""
N_CROSSED = 40
TRUE, FALSE = ("verbatim", "shortened"), ("swapped", "unrelated")
FINE = np.round(np.arange(0.2, 0.951, 0.01), 2)
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
        if (name, language) in CROSSED:
            cases += crossed_cases(folder, language, CROSSED[name, language], encoder)
        click.echo(f"{name} {language}: {sum(case.condition == 'verbatim' for case in found)} pairs", err=True)
    threshold = chosen(cases, TRUE, ("swapped",))
    foreign = chosen(cases, ("translated",), ("translated swapped",))
    rows = [*shares(cases, threshold, foreign), *curve(cases)]
    command = command_line("benchmarks.citations")
    results = measured("citations", rows, commit=commit, command=command, seed=SEED, libraries=("onnxruntime",))
    click.echo(f"thresholds {threshold}, {foreign}; in use {THRESHOLD}, {FOREIGN_THRESHOLD}\n{write(results, ROOT)}")


def cases_of(folder: Path, language: str, n_pairs: int, encoder: Encoder) -> Iterator[Case]:
    """Judge all sentences of the pairs of a set."""
    rng = random.Random(f"{SEED} {folder.name} {language}")
    task = load(folder, language, query_language="en" if folder.name == "belebele" else None)
    for number, pair in enumerate(pairs_of(task, n_pairs, rng, encoder)):
        for condition, sentence, grounds in _conditions(pair, rng, encoder):
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


def _conditions(pair: Pair, rng: random.Random, encoder: Encoder) -> Iterator[tuple[str, str, Sequence[Ground]]]:
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


def crossed_cases(folder: Path, language: str, other: str, encoder: Encoder) -> Iterator[Case]:
    """Hold sentences against the passage they are a translation of, and against the next of the same article.

    Documents of which both languages have as many sentences are taken: these are translations of each other in order.
    """
    rng = random.Random(f"{SEED} {language} {other}")
    ours, theirs = (load(folder, each).documents for each in (language, other))
    parallel = [name for name in sorted(ours) if len(sentences(ours[name].text)) == len(sentences(theirs[name].text))]
    with tempfile.TemporaryDirectory() as home:
        with Collection.open("set", create=True, encoder=encoder, home=home) as collection:
            collection.add(list(ours.values()))
            for number, name in enumerate(rng.sample(parallel, min(N_CROSSED, len(parallel)))):
                text = theirs[name].text
                place = rng.choice(sentences(text))
                said = text[place.start : place.end]
                pair = _pair(said, name, collection)
                for condition, grounds in (
                    ("translated", pair and [pair.own]),
                    ("translated swapped", pair and pair.others[:1]),
                ):
                    if grounds:
                        verdict = judge(said, grounds, encoder)
                        yield Case(condition, language, number % 2, verdict.score, bool(verdict.missing_numbers))


def shortened(text: str) -> str:
    """Leave every fourth word out; of a script without spaces, every fifth character, digits excepted."""
    words = text.split()
    if len(words) >= 6:
        return " ".join(word for place, word in enumerate(words) if place % 4 != 2)
    return "".join(each for place, each in enumerate(text) if place % 5 != 2 or each.isdecimal())


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


def chosen(cases: Sequence[Case], true: Sequence[str], false: Sequence[str]) -> float:
    """Choose the threshold at which the worst share of all groups is best, on the first half.

    Args:
        cases: judged sentences.
        true: conditions that should be accepted.
        false: conditions that should be rejected.
    """
    kinds: dict[tuple[str, bool], list[Case]] = defaultdict(list)
    for case in cases:
        if case.half == 0 and case.group != "other" and case.condition in (*true, *false):
            kinds[case.group, case.condition in true].append(case)
    best: float = max(FINE.tolist(), key=lambda threshold: (_worst(kinds, threshold), threshold))
    return best


def _worst(kinds: Mapping[tuple[str, bool], Sequence[Case]], threshold: float) -> float:
    """Give the smallest share of cases that come out right."""
    return min(
        float(np.mean([case.accepted(threshold) == is_true for case in own])) for (_, is_true), own in kinds.items()
    )


def shares(cases: Sequence[Case], threshold: float, foreign: float) -> Iterator[dict[str, Any]]:
    """Give the share that is called supported, on the half that is reported; by group, and by language."""
    found: dict[tuple[str, str, str], list[bool]] = defaultdict(list)
    for case in cases:
        if case.half == 1:
            for kind, name in (("group", case.group), ("language", case.language)):
                found[kind, name, case.condition].append(case.accepted(_held(case, threshold, foreign)))
    for (kind, name, condition), accepted in sorted(found.items()):
        yield {
            "kind": kind, "name": name, "condition": condition, "n": len(accepted),
            "threshold": foreign if condition.startswith("translated") else threshold,
            "accepted": round(float(np.mean(accepted)), 4),
        }  # fmt: skip


def _held(case: Case, threshold: float, foreign: float) -> float:
    """Give the threshold of a case."""
    return foreign if case.condition.startswith("translated") else threshold


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
