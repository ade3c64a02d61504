"""The table of how well citations are checked."""

from benchmarks.markdown import markdown
from benchmarks.results_file import Results

SHOWN = {
    "verbatim": "said as it stands there",
    "shortened": "every fourth word left out",
    "restated": "in quite other words",
    "translated": "in another language",
    "swapped": "held against the next best passage of another document",
    "absent": "held against all that was found but for its document",
    "unrelated": "held against a passage by chance",
    "translated swapped": "in another language, against the next best passage",
    "renumbered": "with another number",
    "renamed": "with another name",
}
GROUPS = ("Latin", "Arabic", "CJK", "other")


def citations(results: Results) -> str:
    """One row a kind of sentence: which share is called supported, and of how many, by group of languages."""
    rows = {(row["name"], row["condition"]): row for row in results.rows if row["kind"] == "group"}
    lines = [[words, *(_share(rows.get((group, name))) for group in GROUPS)] for name, words in SHOWN.items()]
    return markdown(["the sentence", *GROUPS], lines)


def _share(row: dict[str, float] | None) -> str:
    """Give a percentage and of how many it is."""
    return "" if row is None else f"{100 * row['accepted']:.0f} % ({row['n']})"
