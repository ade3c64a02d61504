"""The guide to answers is run: each example prints what stands below it."""

import contextlib
import io
import re
from pathlib import Path

from click.testing import CliRunner

from benchmarks.serving.server import served
from index import Collection
from lfm2_colbert import load_encoder
from service.cli.main import cli
from service.keys import Keyring, Role

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "answers.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```\n+```text\n(.*?)```", GUIDE, re.DOTALL)
COMMAND = re.search(r'```console\n\$ lfm2-colbert (ask .*?) "(.*?)"\n(.*?)```', GUIDE, re.DOTALL)


def test_each_example_prints_what_stands_below_it(tmp_path: Path) -> None:
    with Collection.open("handbook", create=True, encoder=load_encoder("nano"), home=tmp_path) as collection:
        collection.add_files(ROOT / "examples" / "handbook" / "de" / "corpus.jsonl")
    token = Keyring(tmp_path).create("assistant", Role.READ, ["handbook"])[1]
    assert len(EXAMPLES) == GUIDE.count("```python") == 3
    with served(tmp_path, model="nano") as ask:
        for example, shown in EXAMPLES:
            printed = io.StringIO()
            code = example.replace("http://127.0.0.1:8765", ask.url).replace("KEY", token)
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "answers.md", "exec"), {})
            assert printed.getvalue() == shown


def test_the_command_prints_what_stands_below_it(tmp_path: Path) -> None:
    with Collection.open("handbook", create=True, encoder=load_encoder("nano"), home=tmp_path) as collection:
        collection.add_files(ROOT / "examples" / "handbook" / "de" / "corpus.jsonl")
    assert COMMAND is not None
    command, question, shown = COMMAND.groups()
    done = CliRunner().invoke(cli, [*command.split(), question, "--home", str(tmp_path)])
    assert (done.exit_code, done.stdout) == (0, shown)
