"""Answers that are kept belong to the code that gave them."""

from pathlib import Path

from eval.machine import code_fingerprint


def test_changed_code_has_another_name_and_documents_do_not_matter(tmp_path: Path) -> None:
    names = []
    for number, (file, text) in enumerate(
        [("index/search.py", "k = 1"), ("index/search.py", "k = 2"), ("index/notes.md", "k = 3"), ("eval/run.py", "")]
    ):
        root = tmp_path / str(number)
        (root / "index").mkdir(parents=True)
        (root / "eval").mkdir()
        (root / "index" / "search.py").write_text("k = 1")
        (root / file).write_text(text)
        names.append(code_fingerprint(root))
    assert names[0] == names[2]
    assert len(set(names)) == 3
