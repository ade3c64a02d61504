"""Which files can be read: names, what reads them, and which of it is kept apart from this process."""

from pathlib import PurePosixPath

TEXT = "index.reading.text:read"
MARKDOWN = "index.reading.markdown:read"
HTML = "index.reading.html:read"
CALC = "index.reading.spreadsheet:read"

READERS = {
    ".txt": TEXT,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".jsonl": "index.reading.jsonl:read",
    ".csv": "index.reading.table:read",
    ".tsv": "index.reading.table:read",
    ".pdf": "index.reading.pdf:read",
    ".docx": "index.reading.docx:read",
    ".pptx": "index.reading.pptx:read",
    ".xlsx": CALC,
    ".xlsm": CALC,
    ".xls": CALC,
    ".ods": CALC,
    ".epub": "index.reading.epub:read",
    ".eml": "index.reading.mail:read",
    ".mbox": "index.reading.mail:read_mailbox",
    "code": TEXT,
}
"""From a format, which is the suffix that files of it have, to what reads it."""

ARCHIVES = {".zip": "index.reading.zip:members", ".tar": "index.reading.tar:members"}
"""Files that are read as folders."""

CODE_SUFFIXES = frozenset(
    ".rst .adoc .asciidoc .org .tex .log .text .py .pyi .js .mjs .cjs .ts .tsx .jsx .java .kt .scala .c .h .cc .cpp "
    ".hpp .cs .go .rs .rb .php .pl .lua .r .jl .swift .m .sh .bash .zsh .ps1 .sql .css .scss .toml .yaml .yml .ini "
    ".cfg .conf .json .xml .proto .graphql .cmake .gradle .bat .diff .patch .vue .svelte .dart .ex .exs .erl .hs .ml "
    ".clj .el .lisp .srt .vtt .bib .po".split()
)
"""Source code, and markup that is read as it is written."""

CODE_NAMES = frozenset(
    "readme license licence copying notice authors changelog changes contributing news todo install makefile "
    "dockerfile containerfile jenkinsfile gemfile rakefile".split()
)
"""Text files that have no suffix by custom."""

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

ISOLATED = frozenset({".html", ".htm", ".xhtml", ".pdf", ".docx", ".pptx", ".xlsx", ".xlsm", ".xls", ".ods"}) | {
    ".epub", ".eml", ".mbox",
}  # fmt: skip
"""What is parsed by large libraries, some of them in C: a hostile file must not reach this process."""

SHOWN = "text, Markdown, HTML, PDF, Word (.docx), PowerPoint (.pptx), Excel (.xlsx .xls .ods), EPUB, e-mail \
(.eml .mbox), .csv .tsv .jsonl, source code, .zip, .tar"
"""All of it in a sentence."""


def format_of(name: str) -> str | None:
    """Give the format of a file by its name: a key of `READERS` or `ARCHIVES`; None where there is none.

    Example:
        >>> format_of("Urlaub.PDF"), format_of("a/Makefile"), format_of("b.tar.gz"), format_of("c.xyz")
        ('.pdf', 'code', '.tar', None)
    """
    file_name = PurePosixPath(name.lower()).name
    if file_name.endswith(TAR_SUFFIXES):
        return ".tar"
    suffix = PurePosixPath(file_name).suffix
    if suffix in READERS or suffix in ARCHIVES:
        return suffix
    is_code = suffix in CODE_SUFFIXES or file_name in CODE_NAMES
    return "code" if is_code else None
