"""The tables of how well citations are checked, and of what an answer costs."""

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


def costs(results: Results) -> str:
    """One row a generator: what an answer costs beside its search, in processor time."""
    lines = [
        [
            row["generator"], f"{row['passages']:,}", f"{row['questions']}", f"{row['search_cpu_ms']:.1f}",
            f"{row['answer_cpu_ms']:.1f}", f"{row['ratio']:.2f}", "≤ 3", f"{row['load']:.2f}",
        ]
        for row in results.rows
    ]  # fmt: skip
    head = ["generator", "passages", "questions", "search, CPU ms", "answer, CPU ms", "ratio", "asked", "load average"]
    return markdown(head, lines)


def _share(row: dict[str, float] | None) -> str:
    """Give a percentage and of how many it is."""
    return "" if row is None else f"{100 * row['accepted']:.0f} % ({row['n']})"
