"""The notebooks are run: each works to its end in an interpreter of its own, shows what it claims, and opens as one."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
SHOWN = {
    "01_first_hour": [
        "371 documents, 775 passages, ",
        "added 0, changed 0, unchanged 371, encoded 0\n",
        "zh → en  rank 1  1466年巴黎有多少人死于瘟疫？\n",
        "matched: ['1466', 'people died', 'Paris']\n",
        "Darf mein Hund 🐕 mit ins Büro? → en\n",
        "給料日はいつですか？ → ar\n",
        "deleted: True · left: ['ar', 'de', 'en', 'ja', 'zh']\n",
    ],
    "02_how_late_interaction_works": [
        "fly        → Flüge\n",
        "the sum equals raw_score\n",
        "犬 → Hunde\n",
        "the sum is the score in 6 languages\n",
    ],
    "03_evaluate_and_compare": [
        "ja: 12 documents, 10 questions, such as 休みは何日もらえますか？\n",
        "B is not distinguishable on 4 tasks. On the mean B - A = +0.4",
        ", bm25 0.0\n",
        "'index.html'",
    ],
    "04_distil_an_encoder": [
        "loss 0.0462 · rises: [0]\n",
        "loss of a student that agrees: 0.0000\n",
        "128 documents · ",
        " held out\n",
        "hybrid: ",
    ],
    "05_answers": [
        "    ✓ Im ersten Jahr haben neue Mitarbeiter 24 Tage bezahlten Urlaub.\n        d01 0-63: Im ersten Jahr",
        "发生火灾时在哪里集合？\n    ✓ Bei Feuer verlassen",
        " []\n    The company was founded in Lisbon",
        "numbers that stand nowhere: 30\n    يحق",
    ],
    "06_scale_and_tuning": [
        "fewer bits find less, and float16 finds ",
        "all efforts find the same: True\n",
        "exact     recall@10 against exact 1.000",
    ],
}


ENCODES_MUCH = {"01_first_hour", "04_distil_an_encoder", "06_scale_and_tuning"}
RUN = [
    pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem in ENCODES_MUCH else [])
    for path in NOTEBOOKS
]


def test_each_notebook_has_something_to_show() -> None:
    assert [path.stem for path in NOTEBOOKS] == list(SHOWN)


@pytest.mark.parametrize("notebook", RUN)
def test_a_notebook_runs_to_its_end_and_shows_what_it_claims(notebook: Path, tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONUTF8": "1", "LFM2_COLBERT_HOME": str(tmp_path / "home")}
    ran = subprocess.run(
        [sys.executable, str(notebook)], cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    assert [line for line in SHOWN[notebook.stem] if line not in ran.stdout] == []
    left = [path.name for path in tmp_path.iterdir() if path.is_dir()]
    assert left == []  # it tidied up, and touched no home


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_opens_as_one(notebook: Path) -> None:
    jupytext = pytest.importorskip("jupytext", reason="jupytext is in the extra docs")
    opened = jupytext.read(notebook)
    assert opened.cells[0].cell_type == "markdown"
    assert opened.cells[0].source.startswith("# ")
    assert opened.metadata.kernelspec.name == "python3"
    converted = json.loads(jupytext.writes(opened, fmt="ipynb"))
    assert [cell["cell_type"] for cell in converted["cells"]] == [cell.cell_type for cell in opened.cells]
    assert sum(cell["cell_type"] == "code" for cell in converted["cells"]) >= 8
    prose = "\n".join(cell.source for cell in opened.cells if cell.cell_type == "markdown")
    targets = [target for target in re.findall(r"\]\(([^)#]+)", prose) if "://" not in target]
    assert [target for target in targets if not (notebook.parent / target).exists()] == []
