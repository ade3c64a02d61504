"""The first hour of somebody who has never seen this program, command by command, from the built wheel alone.

The wheel is installed in an environment that was empty, outside of the checkout; the package index must be reachable.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmarks.documents import making
from benchmarks.serving.server import Asking, listening
from lfm2_colbert.encoders.loading import HUB_MODELS

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "documents"
MODEL = "lfm2.5-colbert-350m"
QUESTION = "Wie lange habe ich Urlaub im ersten Jahr?"


POLICY = "Im ersten Kalenderjahr besteht Anspruch auf 24 Urlaubstage, anteilig ab Eintritt."
DOCUMENTS: Mapping[str, bytes] = {
    "hr/policy.pdf": making.pdf([["Arbeitszeit", "Gleitzeit von 6 bis 20 Uhr."], ["Urlaub", POLICY]], "Richtlinien"),
    "hr/onboarding.docx": making.word([(1, "Welcome"), (0, "New colleagues receive a laptop and a badge.")]),
    "hr/intranet.html": b"<html><body><p>Le badge ouvre aussi le garage &agrave; v&eacute;los.</p></body></html>",
    "hr/ภาษาไทย.txt": "พนักงานใหม่ได้รับคอมพิวเตอร์ในวันแรกของการทำงาน".encode(),
    "sales/plan.pptx": making.slides([("年度計画", "売上高を二倍にする。")]),
    "sales/prices.xlsx": making.sheets({"Preise": [["Artikel", "Preis"], ["Lampe", 24.5]]}),
    "sales/customers.csv": "id,text,land\n1,Die Lampen AG kauft Leuchten,CH\n2,東京電灯は電球を買う,JP\n".encode(),
    "legal/rows.jsonl": (
        '{"id": "contract-1", "text": "عقد العمل غير محدد المدة.", "year": 2024}\n'
        '{"id": "contract-2", "text": "계약 기간은 2년입니다.", "year": 2021}\n'
    ).encode(),
    "legal/notice.eml": making.message("Kündigung", "Die Kündigungsfrist beträgt drei Monate."),
    "library/book.epub": making.book(["<p>Il était une fois un petit prince.</p>"], "Le livre"),
    "kantine.md": "# Kantine\n\nSie öffnet um 11 Uhr 🍲. Cafe\u0301 gibt es den ganzen Tag.".encode(),
    "photo.jpg": b"\xff\xd8\xff\xe0",
}
KEPT = ("LANG", "OMP_NUM_THREADS", "ORT_DISABLE_TELEMETRY")
"""Variables of whoever runs the tests that the person has, too."""
LANGUAGES_OF_EXAMPLES = ("de", "ja", "zh")


@dataclass
class Hour:
    """Somebody at a machine.

    Attributes:
        program: how `lfm2-colbert` is called.
        python: of the environment that it is in.
        folder: where the person works.
        environment: variables.
        hub: folder of repositories that the hub of this test serves.
        token: of the key that was made.
    """

    program: list[str]
    python: str
    folder: Path
    environment: dict[str, str]
    hub: Path
    token: str = field(default="", repr=False)

    def run(self, *arguments: object, status: int = 0, home: str = "home") -> subprocess.CompletedProcess[str]:
        """Type a command; a traceback is never an answer."""
        environment = self.environment | {"LFM2_COLBERT_HOME": str(self.folder / home)}
        command = [*self.program, *map(str, arguments)]
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def json(self, *arguments: object, home: str = "home") -> Any:
        return json.loads(self.run(*arguments, "--json", home=home).stdout)


def the_machine_is_looked_at(hour: Hour) -> None:
    found = hour.json("doctor")
    assert found["fit"] is True
    assert next(each["message"] for each in found["checks"] if each["check"] == "encoder").startswith("nano-")


def an_encoder_is_pulled(hour: Hour) -> None:
    refused = hour.run("pull", MODEL, status=2)
    assert "10 M USD yearly revenue" in refused.stderr
    assert "sha256 ok" in hour.run("pull", MODEL, "--accept-licence").stdout
    hour.run("pull", MODEL, "--to", "stick")
    hub = next(each["message"] for each in hour.json("doctor")["checks"] if each["check"] == "hub")
    assert f"here: {MODEL};" in hub


def the_price_is_asked(hour: Hour) -> None:
    said = hour.run("index", "handbook", "-c", "handbook", "--dry-run").stdout
    assert "passages" in said
    assert "lfm2-colbert index" in said
    assert hour.json("collections") == {"collections": []}


def the_handbook_is_indexed(hour: Hour) -> None:
    said = hour.run("index", "handbook", "-c", "handbook").stdout
    assert "truncated 0" in said
    assert "skipped photo.jpg: unsupported_file" in said
    assert 'next    lfm2-colbert search -c handbook "your question"' in said
    failures = hour.json("status", "--failed", "-c", "handbook")["failures"]
    assert [(each["path"], each["code"]) for each in failures] == [("photo.jpg", "unsupported_file")]


def a_question_is_asked(hour: Hour) -> None:
    shown = hour.run("search", "-c", "handbook", QUESTION, "-k", "3").stdout.splitlines()
    assert [line[:2].strip() for line in shown if line[:2].strip()] == ["1", "2", "3"]
    assert "hr/policy.pdf" in shown[0]
    assert "[Urlaubstage]" in shown[0]
    explained = hour.run("search", "-c", "handbook", QUESTION, "-k", "1", "--explain").stdout
    assert "Urlaub → " in explained
    english = hour.json("search", "-c", "handbook", "How many days of leave in the first year?", "-k", "3")
    assert "hr/policy.pdf" in [hit["document_id"] for hit in english["hits"]]


def the_folder_changes(hour: Hour) -> None:
    book = hour.folder / "handbook"
    (book / "kantine.md").write_text("Die Kantine öffnet um 12 Uhr 🍲.", encoding="utf-8")
    (book / "東京.txt").write_text("東京本社の住所は千代田区です。", encoding="utf-8")
    (book / "hr" / "onboarding.docx").unlink()
    counted = hour.json("index", "handbook", "-c", "handbook")
    assert [counted[key] for key in ("added", "changed", "removed")] == [1, 1, 1]
    assert counted["unchanged"] == counted["documents"] - 2
    assert "12" in hour.run("get", "kantine.md", "-c", "handbook").stdout


def a_server_answers(hour: Hour) -> None:
    hour.token = hour.run("keys", "create", "mine", "--role", "write").stdout.split()[-1]
    environment = hour.environment | {"LFM2_COLBERT_HOME": str(hour.folder / "home")}
    with listening([*hour.program, "serve", "--port", "0", "--quiet"], environment=environment) as (_, ask):
        _wait_for(ask)
        assert ask("GET", "/").status == 200
        assert ask("GET", "/v1/collections").code == "unauthenticated"
        path, key = "/v1/vector_stores/handbook/search", ask.by(hour.token)
        assert key("GET", "/openapi.json").json["openapi"].startswith("3.")
        filters = {"type": "eq", "key": "lang", "value": "de"}
        body = {"query": "Urlaub erstes Jahr", "max_num_results": 2, "filters": filters}
        found = key("POST", path, body).json["data"][0]
        assert (found["file_id"], found["filename"]) == ("hr/policy.pdf", "policy.pdf")
        _openai_asks(hour, ask)


def _wait_for(ask: Asking, seconds: float = 120) -> None:
    """Wait until the server has loaded its encoder; its address is printed before it answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if ask("GET", "/readyz").status == 200:
                return
        time.sleep(0.1)
    raise TimeoutError


def _openai_asks(hour: Hour, ask: Asking) -> None:
    program = (
        f"from openai import OpenAI; client = OpenAI(base_url='{ask.url}/v1')\n"
        "print(client.vector_stores.search('handbook', query='Urlaub').data[0].file_id)"
    )
    environment = hour.environment | {"OPENAI_API_KEY": hour.token}
    command = [hour.python, "-c", program]
    done = subprocess.run(command, cwd=hour.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "hr/policy.pdf", done.stderr


def it_is_measured(hour: Hour) -> None:
    arguments = ("--languages", "de,en,ja", "--tasks", "scifact", "--data", "nanobeir", "-o", "report")
    said = hour.run("eval", "nanobeir", *arguments).stdout
    assert "nDCG@10 [95 %]" in said
    rows = json.loads((hour.folder / "report" / "report.json").read_text(encoding="utf-8"))["rows"]
    assert {row["document_language"] for row in rows} == {"de", "en", "ja"}
    assert (hour.folder / "report" / "index.html").is_file()


def an_answer_is_quoted(hour: Hour) -> None:
    said = hour.run("ask", "-c", "handbook", "Wie viele Urlaubstage im ersten Jahr?").stdout
    assert "24 Urlaubstage" in said
    assert "hr/policy.pdf" in said


def an_assistant_has_its_tools(hour: Hour) -> None:
    client = {"name": "first-hour", "version": "1"}
    asked = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
    request = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": asked}
    done = subprocess.run(
        [*hour.program, "mcp"], input=json.dumps(request) + "\n", cwd=hour.folder, capture_output=True, text=True,
        env=hour.environment | {"LFM2_COLBERT_HOME": str(hour.folder / "home")}, check=False,
    )  # fmt: skip
    answer = json.loads(done.stdout.splitlines()[0])
    assert (answer["id"], "tools" in answer["result"]["capabilities"]) == (1, True)


def it_is_backed_up_and_restored(hour: Hour) -> None:
    hour.run("backup", "saved", "-c", "handbook")
    hour.run("restore", "saved", "-c", "handbook", home="elsewhere")
    asked = ("search", "-c", "handbook", QUESTION, "-k", "5")
    here, there = (hour.json(*asked, home=home)["hits"] for home in ("home", "elsewhere"))
    assert here == there
    assert hour.json("verify", "-c", "handbook", home="elsewhere")["whole"] is True


def it_goes_to_another_engine(hour: Hour) -> None:
    hour.run("export", "collection", "qdrant", "-c", "handbook", "--to", "qdrant")
    settings = json.loads((hour.folder / "qdrant" / "collection.json").read_text(encoding="utf-8"))
    assert settings["vectors"]["colbert"]["multivector_config"]["comparator"] == "max_sim"
    with (hour.folder / "qdrant" / "points.jsonl").open(encoding="utf-8") as lines:
        points = [point for line in lines for point in json.loads(line)["points"]]
    counted = hour.json("status", "-c", "handbook")
    assert len({point["id"] for point in points}) == counted["passages"]
    widths = {len(vector) for point in points for vector in point["vector"]["colbert"]}
    assert widths == {settings["vectors"]["colbert"]["size"]} == {counted["encoder"]["dim"]}


STEPS: tuple[Callable[[Hour], None], ...] = (
    the_machine_is_looked_at,
    an_encoder_is_pulled,
    the_price_is_asked,
    the_handbook_is_indexed,
    a_question_is_asked,
    the_folder_changes,
    a_server_answers,
    it_is_measured,
    an_answer_is_quoted,
    an_assistant_has_its_tools,
    it_is_backed_up_and_restored,
    it_goes_to_another_engine,
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and install it with its server and evaluation; give the folder of the commands."""
    built = tmp_path_factory.mktemp("built")
    wheel = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(built), "."]
    subprocess.run([sys.executable, *wheel], cwd=ROOT, check=True, capture_output=True)
    (path,) = built.glob("*.whl")
    environment = tmp_path_factory.mktemp("environment") / "venv"
    made = subprocess.run(
        ["scripts/make_venv.sh", str(environment), f"{path}[serve,eval]", "openai"],
        cwd=ROOT, env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return environment / "bin"


@pytest.fixture
def hour(
    installed: Path,
    tmp_path: Path,
    hub: tuple[Path, Mapping[str, str]],
    write_checkpoint: Callable[..., Path],
    write_nanobeir: Callable[..., Path],
) -> Hour:
    """Somebody with a handbook in a dozen languages, a hub that has a tiny encoder, and a small NanoBEIR."""
    root, environment = hub
    write_checkpoint(root / HUB_MODELS[MODEL].repository)
    folder = tmp_path / "person"
    for language in LANGUAGES_OF_EXAMPLES:
        shutil.copytree(EXAMPLES / language, folder / "handbook" / language)
    for name, content in DOCUMENTS.items():
        (folder / "handbook" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "handbook" / name).write_bytes(content)
    write_nanobeir(folder / "nanobeir", "liquid", ("SciFact",))
    kept = {name: value for name, value in os.environ.items() if name in KEPT}
    variables = {**kept, **environment, "PATH": f"{installed}:/usr/bin:/bin", "HOME": str(folder)}
    return Hour([str(installed / "lfm2-colbert")], str(installed / "python"), folder, variables, root)


@pytest.mark.slow
def test_the_first_hour(hour: Hour) -> None:
    where = [hour.python, "-c", "from service import __file__ as place; print(place)"]
    place = subprocess.run(where, cwd=hour.folder, env=hour.environment, capture_output=True, text=True, check=True)
    assert Path(place.stdout.strip()).is_relative_to(Path(hour.python).parents[1])
    for step in STEPS:
        step(hour)
