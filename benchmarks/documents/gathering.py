"""A folder of real documents: made by others, made here in many scripts, and damaged.

    apt-get download debian-faq-de debmake-doc gnuplot-doc …; and source archives of Python packages with test files
    python -m benchmarks.documents.gathering PACKAGES FOLDER

PACKAGES holds ``.deb`` and ``.tar.gz`` files; of each at most five documents are taken, of as many formats as it
has. What is taken is decided by names alone, so the same packages give the same folder.
"""

import argparse
import gzip
import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from benchmarks.documents import making
from benchmarks.documents.breaking import DAMAGED
from index.reading.formats import format_of

PER_PACKAGE = 5
MAX_BYTES = 8_000_000
LEAST_BYTES = 400
PLAIN = (".txt", ".html", ".htm", "code", ".md", ".csv", ".jsonl", ".tar", ".zip")
"""Formats that every package has: taken last."""
MESSAGES = "test_email/data/msg_"
"""Test data of CPython: messages under the name of texts."""

SENTENCES = {
    "de": "Der Urlaub beträgt im ersten Jahr vierundzwanzig Tage.",
    "en": "New colleagues receive twenty-four days of paid leave.",
    "fr": "Les congés payés sont de vingt-quatre jours par an.",
    "es": "Las vacaciones son de veinticuatro días laborables.",
    "ja": "初年度の有給休暇は二十四日です。",
    "ko": "첫해의 유급 휴가는 스물네 날입니다.",
    "zh": "第一年的带薪年假为二十四天。",
    "ar": "الإجازة السنوية أربعة وعشرون يوما في السنة الأولى.",
    "th": "วันลาพักร้อนในปีแรกคือยี่สิบสี่วัน",
    "ru": "Отпуск в первый год составляет двадцать четыре дня.",
}


def main() -> None:
    """Gather."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    n_others = sum(_take(package, arguments.folder / "others") for package in sorted(arguments.packages.iterdir()))
    for place, content in made().items():
        _write(arguments.folder / "made" / place, content)
    for name, make in DAMAGED.items():
        _write(arguments.folder / "damaged" / name, make())
    print(f"{n_others} made by others, {len(made())} made here, {len(DAMAGED)} damaged")


def made() -> dict[str, bytes]:
    """Make small documents of every format, in ten languages; by their place."""
    files: dict[str, bytes] = {}
    for language, sentence in SENTENCES.items():
        files[f"{language}/report.pdf"] = making.pdf([[sentence], [sentence, "2024"]], f"Report {language}", [("B", 1)])
        files[f"{language}/policy.docx"] = making.word(
            [(1, "A"), (2, "B"), (0, sentence), [["a", "b"], [sentence, "24"]]]
        )
        files[f"{language}/talk.pptx"] = making.slides([("One", sentence), ("Two", sentence)], notes=sentence)
        files[f"{language}/figures.xlsx"] = making.sheets({"Q1": [["Name", "Text"], ["x", sentence]]})
        files[f"{language}/book.epub"] = making.book([f"<h1>A</h1><p>{sentence}</p>", f"<h1>B</h1><p>{sentence}</p>"])
        files[f"{language}/message.eml"] = making.message(f"Re: {language}", sentence)
        files[f"{language}/page.html"] = (
            f"<html><title>T</title><body><h1>A</h1><p>{sentence}</p></body></html>".encode()
        )
        files[f"{language}/notes.md"] = f"---\nyear: 2024\n---\n# A\n\n## B\n\n{sentence}\n".encode()
        files[f"{language}/rows.csv"] = f"id,text,year\n{language}-1,{sentence},2024\n".encode()
    files["archive.zip"] = making.zipped({f"{each}.txt": sentence for each, sentence in SENTENCES.items()})
    files["mails.mbox"] = making.mailbox(
        [making.message(f"No. {n}", text) for n, text in enumerate(SENTENCES.values())]
    )
    return files


def _take(package: Path, folder: Path) -> int:
    """Take documents of a package; count them."""
    name = package.name.partition("_")[0].removesuffix(".tar.gz")
    chosen = _chosen(dict(_documents(package)))
    for place, content in chosen.items():
        _write(folder / name / place, content)
    return len(chosen)


def _chosen(documents: dict[str, bytes]) -> dict[str, bytes]:
    """Choose of each format in turn, the rare ones first; names decide within one."""
    by_format: dict[str, list[str]] = {}
    for place in sorted(documents):
        by_format.setdefault(format_of(place) or "", []).append(place)
    order = sorted(by_format, key=lambda each: (each in PLAIN, each))
    chosen: dict[str, bytes] = {}
    while by_format and len(chosen) < PER_PACKAGE:
        for each in [each for each in order if each in by_format]:
            if len(chosen) < PER_PACKAGE:
                place = by_format[each].pop(0)
                chosen[PurePosixPath(place).name] = documents[place]
            if not by_format[each]:
                del by_format[each]
    return chosen


def _documents(package: Path) -> Iterator[tuple[str, bytes]]:
    for place, content in _files(package):
        if place.endswith(".gz") and not place.endswith(".tar.gz"):
            place, content = place.removesuffix(".gz"), gzip.decompress(content)
        if MESSAGES in place:
            place = f"{place.removesuffix('.txt')}.eml"
        kind = format_of(place)
        if kind and kind != "code" and LEAST_BYTES <= len(content) <= MAX_BYTES:
            yield place, content


def _files(package: Path) -> Iterator[tuple[str, bytes]]:
    if package.suffix == ".deb":
        unpacked = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], capture_output=True, check=True).stdout
        archive = tarfile.open(fileobj=io.BytesIO(unpacked))
    elif package.name.endswith(".tar.gz"):
        archive = tarfile.open(package)
    else:
        return
    with archive:
        for entry in archive:
            stream = archive.extractfile(entry) if entry.isreg() and entry.size <= MAX_BYTES else None
            if stream:
                yield entry.name, stream.read()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


if __name__ == "__main__":
    main()
