"""How results and errors look: results on standard output, everything else on standard error."""

import codecs
import io
import json
import sys
from collections.abc import Container, Iterable, Mapping
from typing import Any
from unicodedata import combining, east_asian_width

import click

# What a document may do to a terminal when printed as it is: move the cursor, set titles, turn the text around.
UNSAFE: dict[int, str | None] = {code: "·" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (0x09, 0x0A)}
UNSAFE |= {code: None for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def safe(text: str) -> str:
    """Replace control characters, so that a document's text cannot steer the terminal."""
    return text.translate(UNSAFE)


def print_anything() -> None:
    """Let no text stop the program where output is not UTF-8: a character that it lacks is printed as its number."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object."""
    as_utf8 = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
    click.echo(json.dumps(value, ensure_ascii=not as_utf8))


def print_error(code: str, message: str, help: str) -> None:
    """Print an error the way every command does."""
    print_line(f"error[{code}] {message}", err=True)
    if help:
        print_line(f"help: {help}", err=True)


def print_line(text: str = "", *, err: bool = False) -> None:
    """Print a line, made safe."""
    click.echo(safe(text), err=err)


def print_table(rows: Iterable[tuple[str, ...]], *, right: Container[int] = ()) -> None:
    """Print rows with aligned columns; a row of one cell is a heading over all of them.

    Args:
        rows: else of equally many cells.
        right: columns that end together, as numbers do.
    """
    shown = [tuple(safe(cell) for cell in row) for row in rows]
    columns = zip(*(row for row in shown if len(row) > 1), strict=True)
    widths = [max(map(width, column)) for column in columns]
    for row in shown:
        cells = [_padded(cell, widths[i], right=i in right) for i, cell in enumerate(row)] if len(row) > 1 else row
        click.echo("  ".join(cells).rstrip())


def width(text: str) -> int:
    """Count the columns that a text takes on a terminal."""
    return sum(0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1 for character in text)


def _padded(cell: str, to: int, *, right: bool) -> str:
    space = " " * (to - width(cell))
    return space + cell if right else cell + space


def is_terminal() -> bool:
    """Whether a person looks at standard output."""
    return sys.stdout.isatty()


def megabytes(n_bytes: int) -> str:
    """Write a size the way people read it."""
    return f"{n_bytes / 1e6:,.1f} MB"
