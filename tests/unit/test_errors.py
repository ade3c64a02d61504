"""The tree of errors is the one drawn, and every code is one error's."""

import inspect
import re
from collections import Counter

import pytest

from lfm2_colbert import errors
from lfm2_colbert.errors import Lfm2ColbertError, UnknownNameError, suggestion

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, Lfm2ColbertError)]
FAMILIES = {cls for cls in CLASSES if Lfm2ColbertError in cls.__bases__}


def _drawn() -> str:
    """Draw the tree of the classes as the docstring does, in its order."""
    order = {cls: place for place, cls in enumerate(CLASSES)}

    def branches(cls: type[Lfm2ColbertError], indent: str) -> list[str]:
        lines = []
        children = sorted(cls.__subclasses__(), key=order.__getitem__)
        for child in children:
            last = child is children[-1]
            about = rf"exit {child.exit_status}" if child in FAMILIES else child.code
            lines.append(f"{indent}{'└──' if last else '├──'} {child.__name__} {about}")
            lines += branches(child, indent + ("    " if last else "│   "))
        return lines

    return "\n".join(["Lfm2ColbertError", *branches(Lfm2ColbertError, "")])


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    docstring = inspect.getdoc(errors) or ""
    lines = [line[4:] for line in docstring.splitlines() if line.startswith("    ")]
    # Columns are for the eye, and so is what a family says about itself.
    drawn = [re.sub(r" \((exit \d): [^)]*\)", r" \1", re.sub(r"(?<=\w) +", " ", line)).rstrip() for line in lines]
    assert "\n".join(drawn) == _drawn()


def test_codes_are_unique_snake_case_words() -> None:
    codes = Counter(cls.code for cls in CLASSES)
    assert max(codes.values()) == 1
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


def test_every_error_leaves_by_the_exit_of_its_family() -> None:
    for cls in CLASSES:
        family = [base for base in cls.__mro__ if base in FAMILIES]
        assert cls.exit_status == (family[0].exit_status if family else 1)
    assert sorted(cls.exit_status for cls in FAMILIES) == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_error_keeps_its_sentence_and_its_way_out_apart(cls: type[Lfm2ColbertError]) -> None:
    error = cls("what happened", help="what to do")
    assert (str(error), error.message, error.help) == ("what happened", "what happened", "what to do")
    assert cls.__doc__


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("flot16", ["scalar4", "float16"], "did you mean 'float16'? known: float16, scalar4"),
        ("東京", ["b", "a"], "known: a, b"),
        ("x", [], "there are none yet"),
    ],
)
def test_a_suggestion_names_the_nearest_then_all(name: str, known: list[str], expected: str) -> None:
    assert suggestion(name, known) == expected
    assert UnknownNameError.of("codec", name, known).help == expected
