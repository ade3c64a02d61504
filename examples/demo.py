"""Index the example documents and ask them questions in other languages: what `make demo` runs."""

import json
from pathlib import Path

from rich.console import Console

from index import Collection, SearchResult
from service.cli.hits import print_hits
from service.cli.progress import progress_bars

HERE = Path(__file__).parent
HOME = HERE.parent / ".demo"
SHOWN = 3


def main() -> None:
    """Run the demonstration; a second run finds the documents indexed."""
    console = Console(highlight=False, soft_wrap=True)
    questions = json.loads((HERE / "questions.json").read_text(encoding="utf-8"))
    with Collection.open("examples", create=True, encoder="nano", home=HOME) as collection:
        with progress_bars() as bars:
            report = collection.add_files(HERE / "documents", on_file=bars.file, on_progress=bars.encoded)
        counts = collection.counts()
        console.print(
            f"{report.documents} documents, {report.passages} passages in {len(counts.languages)} languages, "
            f"{counts.tokens:,} token vectors, {counts.bytes / 1e6:.0f} MB"
        )
        rate = report.encoded_passages / report.seconds
        done = f"{rate:.0f} passages/s" if report.encoded_passages else "nothing to encode: all unchanged"
        console.print(f"indexed in {report.seconds:.1f} s, {done}\n")
        collection.search("warm up")
        results = [ask(console, collection, question) for question in questions]
    right = sum(
        bool(set(q["answers"]) & {hit.document_id for hit in r}) for q, r in zip(questions, results, strict=True)
    )
    milliseconds = sorted(sum(result.timings_ms.values()) for result in results)[len(results) // 2]
    console.print(
        f"{right} of {len(questions)} answered within {SHOWN} hits · {milliseconds:.0f} ms a question (median)"
    )
    console.print(f'\nYour own: .venv-demo/bin/lfm2-colbert search --home {HOME.name} -c examples "your question"')


def ask(console: Console, collection: Collection, question: dict[str, str]) -> SearchResult:
    """Ask one question and show where it was answered."""
    result = collection.search(question["question"], k=SHOWN)
    console.print(
        f"\\[{question['language']} → {question['answer_language']}] {question['question']}", style="bold cyan"
    )
    print_hits(console, result)
    console.print()
    return result


if __name__ == "__main__":
    main()
