"""The folder of a report: its data, the page to look at, tables, and what other tools read."""

import csv
from io import StringIO
from pathlib import Path

from eval.exports import write_exports
from eval.page import write_page
from eval.report import Report, save, systems_of
from eval.summary import Matrix, matrix
from eval.trec import file_name
from eval.writing import replace_file


def write(report: Report, folder: Path) -> Path:
    """Write everything that is made of a report, and give the page."""
    save(report, folder)
    write_matrices(report, folder)
    write_exports(report, folder)
    return write_page(report, folder)


def write_matrices(report: Report, folder: Path) -> list[Path]:
    """Write a CSV file for each set and system that was asked across languages: queries down, documents across.

    Cells are nDCG@10 of 100; one that was not measured is empty. The last row and column are means.
    """
    written = []
    for dataset in dict.fromkeys(row.task.dataset for row in report.rows):
        rows = [row for row in report.rows if row.task.dataset == dataset]
        if all(row.task.query_language == row.task.document_language for row in rows):
            continue
        for system in systems_of(rows):
            found = matrix(rows, system)
            path = folder / "matrices" / f"{file_name(dataset, str(system))}.csv"
            replace_file(path, _csv(found))
            written.append(path)
    return written


def _csv(found: Matrix) -> str:
    text = StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["query \\ document", *found.document_languages, "mean"])
    for asked in found.query_languages:
        cells = [found.cells.get((asked, searched)) for searched in found.document_languages]
        table.writerow([asked, *map(_points, [*cells, found.of_queries(asked)])])
    means = [found.of_documents(searched) for searched in found.document_languages]
    table.writerow(["mean", *map(_points, means), ""])
    return text.getvalue()


def _points(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f}"
