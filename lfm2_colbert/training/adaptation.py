"""An adaptation to a folder of documents: what of its passages is learned, and by which recipe."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from lfm2_colbert.training.lists import Lists
from lfm2_colbert.training.questions import Kind, Passage
from lfm2_colbert.training.recipe import Recipe, read_recipe
from lfm2_colbert.training.scoring import together
from lfm2_colbert.training.sources import Pair

RECIPE = Path(__file__).with_name("domain.toml")
SOURCE, NONE = "documents", "none"


def read_domain_recipe(path: Path | None, model: str, *, pairs: Path, lists: Path, held_out: Path) -> Recipe:
    """Read a recipe and put a model and folders in their places.

    Args:
        path: of the recipe; None: the one that is part of this program.
        model: becomes the start and, where the recipe has a teacher, the teacher.
        pairs: folder of questions with their passages.
        lists: folder of scored candidates.
        held_out: folder of the sets whose texts are not learned from.

    Raises:
        NotFoundError: there is no such recipe.
        InvalidConfigError: it cannot be read.
    """
    recipe = read_recipe(RECIPE if path is None else path)
    data = replace(recipe.data, pairs=str(pairs), sources=(SOURCE,), lists=str(lists), held_out=str(held_out))
    return replace(recipe, start=model, teacher=model if recipe.teacher else "", data=data)


def pairs_of(passages: Iterable[Passage]) -> list[Pair]:
    """Give each question with its passage."""
    return [
        Pair(question.text, passage.text, passage.language, SOURCE)
        for passage in passages
        for question in passage.questions
    ]


def lifted(labelled: Lists, scored: Lists) -> Lists:
    """Put what is known to answer and what an encoder says together, as several scorers are.

    The encoder's own scores alone would teach it nothing, and labels alone that all other candidates are equally wrong.

    Args:
        labelled: 1 for answers, 0 for the rest.
        scored: the same lists with the encoder's scores.
    """
    both = ([np.array(row.scores, np.float32) for row in rows] for rows in zip(labelled.rows, scored.rows, strict=True))
    rows = (replace(row, scores=tuple(together(own).tolist())) for row, own in zip(scored.rows, both, strict=True))
    return Lists(scored.queries, scored.documents, tuple(rows))


def questions_by_language(passages: Iterable[Passage]) -> dict[str, Mapping[str, int]]:
    """Count questions by what they were made of, and passages that have ``none``, for each language."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for passage in passages:
        found[passage.language].update([question.kind.value for question in passage.questions] or [NONE])
    names = [*(kind.value for kind in Kind), NONE]
    return {language: {name: found[language][name] for name in names} for language in sorted(found)}
