"""What somebody wants of a search besides the answer: how many hits, how hard to look, by what, and which to show."""

import json
from dataclasses import dataclass, field
from enum import StrEnum

from index.effort import Effort
from index.filters.syntax import Filter
from index.filters.written import written
from index.fusion import Fusion, Mode
from index.grouping import by_passage, require_options
from index.paging import digest_of
from index.search import Unit
from index.selection import Where
from index.types import SearchOptions
from lfm2_colbert.errors import InvalidArgumentError, UnknownNameError

MAX_HITS = 1000


@dataclass(frozen=True, slots=True)
class Request:
    """A search without its question.

    Attributes:
        k: hits of a page.
        effort: how hard to look.
        mode: by meaning, words or both.
        fusion: how both are weighed.
        where: a filter.
        highlight: whether hits say which of their words matched.
        explain: whether they also say where each token of the query was found.
        options: which of all that match are shown.
    """

    k: int = 10
    effort: str = Effort.BALANCED
    mode: str = Mode.HYBRID
    fusion: str = Fusion.CONVEX
    where: Where | None = None
    highlight: bool = True
    options: SearchOptions = field(default_factory=SearchOptions)
    explain: bool = True

    @property
    def unit(self) -> Unit:
        """What has to be ranked for it."""
        return Unit.PASSAGE if by_passage(self.options) else Unit.DOCUMENT

    def require(self) -> None:
        """Refuse what no search can grant.

        Raises:
            InvalidArgumentError: a number is out of range.
            UnknownNameError: there is no such effort, mode or fusion.
        """
        require_page(self.k, self.effort)
        require_choice("mode", self.mode, Mode)
        require_choice("fusion", self.fusion, Fusion)
        require_options(self.options)

    def digest(self, query: str, wanted: Filter | None) -> str:
        """Name all that decides the order of hits, and not which page of them is shown, or how."""
        options = self.options
        chosen = [options.group_by, options.per_group, options.collapse, options.lang_balance]
        where = "" if wanted is None else written(wanted)
        return digest_of([query, self.effort, self.mode, self.fusion, where, json.dumps(chosen)])


def require_page(k: int, effort: str) -> None:
    """Refuse a number of hits that no page has, or an effort that there is not.

    Raises:
        InvalidArgumentError: `k` is out of range.
        UnknownNameError: there is no such effort.
    """
    if not 1 <= k <= MAX_HITS:
        raise InvalidArgumentError(f"k must be from 1 to {MAX_HITS}, not {k}", help="ask for fewer hits")
    require_choice("effort", effort, Effort)


def require_choice(kind: str, chosen: str, choices: type[StrEnum]) -> None:
    """Refuse a name that is not among the choices.

    Raises:
        UnknownNameError: it is not.
    """
    if chosen not in set(choices):
        raise UnknownNameError.of(kind, chosen, choices)
