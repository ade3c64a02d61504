"""The form of a search: the collection, the question, languages and fields to narrow it by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from eval.markup import element
from index.selection import FacetValue
from service.ui.words import Words

MODES = ("hybrid", "semantic", "lexical")
FIELDS = 3
"""Facets shown beside languages."""
VALUES = 8
LANGUAGES = 12
"""The commonest of a collection: passages of code and figures are taken for all kinds of rare ones."""
"""Of a facet; a field with more of them is no facet, it is a name."""
LANGUAGE = "lang"
HIDDEN = frozenset({"id", "path", LANGUAGE})


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked so far.

    Attributes:
        collection: that is asked.
        query: as it stands in the field.
        mode: in `MODES`.
        chosen: values chosen of each field.
    """

    collection: str
    query: str
    mode: str
    chosen: Mapping[str, Sequence[str]]

    def where(self) -> dict[str, Any] | None:
        """Give the filter: one of the values of each field that has some chosen."""
        filters = [
            {"type": "in", "key": field, "value": list(values)} for field, values in self.chosen.items() if values
        ]
        return {"type": "and", "filters": filters} if filters else None


def facet_fields(fields: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the fields that are worth a facet: languages, and those of few different words."""
    worth = [each["name"] for each in fields if "keyword" in each["types"] and each["name"] not in HIDDEN]
    return [LANGUAGE, *worth[:FIELDS]]


def search_form(
    asked: Asked, collections: Sequence[str], facets: Mapping[str, Sequence[FacetValue]], words: Words
) -> Element:
    """Show the form; whatever changes in it is asked at once."""
    return element(
        "form",
        element(
            "div",
            element("h1", element("label", words("ask"), for_="q")),
            element(
                "input", id="q", name="q", type="search", value=asked.query, autocomplete="off", spellcheck="true",
                dir="auto", maxlength=8192, enterkeyhint="search", aria_keyshortcuts="/", aria_controls="hits",
            ),
            class_="question",
        ),
        element("div", _collection(asked, collections, words), _mode(asked, words), class_="choices"),
        *(_facet(field, values, asked, words) for field, values in facets.items() if values),
        element("p", words("keys_help"), class_="hint"),
        id="search", role="search", action="/", hx_get="/ui/parts/hits", hx_target="#hits", hx_swap="innerHTML",
        hx_trigger="input delay:100ms, submit", hx_sync="this:replace",
    )  # fmt: skip


def _collection(asked: Asked, collections: Sequence[str], words: Words) -> Element:
    options = (
        element("option", name, value=name, selected="selected" if name == asked.collection else None)
        for name in collections
    )
    return element("label", words("collection"), element("select", *options, name="c", id="collection"))


def _mode(asked: Asked, words: Words) -> Element:
    options = (
        element("option", words(mode), value=mode, selected="selected" if mode == asked.mode else None)
        for mode in MODES
    )
    return element("label", words("mode"), element("select", *options, name="mode"))


def _facet(field: str, values: Sequence[FacetValue], asked: Asked, words: Words) -> Element | None:
    if len(values) > VALUES and field != LANGUAGE:
        return None
    chosen = set(asked.chosen.get(field, ()))
    shown = [each for n, each in enumerate(values) if n < LANGUAGES or str(each.value) in chosen]
    boxes = (
        element(
            "label",
            element(
                "input", type="checkbox", name=f"f.{field}", value=str(each.value),
                checked="checked" if str(each.value) in chosen else None,
            ),
            element("span", str(each.value), dir="auto"),
            element("small", f"{each.documents:,}"),
        )
        for each in shown
    )  # fmt: skip
    legend = words("languages") if field == LANGUAGE else field
    return element("fieldset", element("legend", legend), *boxes, class_="facet")
