"""The guide to clients of others is run: each example prints what stands below it."""

import contextlib
import io
import re
from pathlib import Path

from benchmarks.serving.server import served
from index import Collection
from lfm2_colbert import load_encoder
from service.keys import Keyring, Role

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "integrations.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```\n+```text\n(.*?)```", GUIDE, re.DOTALL)


def test_each_example_prints_what_stands_below_it(tmp_path: Path) -> None:
    with Collection.open("handbook", create=True, encoder=load_encoder("nano"), home=tmp_path) as collection:
        collection.add_files(ROOT / "examples" / "handbook" / "de" / "corpus.jsonl")
    token = Keyring(tmp_path).create("assistant", Role.READ, ["handbook"])[1]
    assert len(EXAMPLES) == GUIDE.count("```python") == 4
    with served(tmp_path, model="nano") as ask:
        for example, shown in EXAMPLES:
            printed = io.StringIO()
            code = example.replace("http://127.0.0.1:8765", ask.url).replace("KEY", token)
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "integrations.md", "exec"), {})
            assert re.fullmatch(re.sub(r"0\\\.\d+", r"0[.]\\d+", re.escape(shown)), printed.getvalue())
