"""What those need who keep a server running: logs without words, metrics, spans, backups, a clean end."""

import io
import json
import logging
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks.results_file import ROOT
from benchmarks.serving.server import Asking, serving_process
from index import Collection
from service.engine import tracing
from service.logs import JsonLines, Sampling

OPERATING = ROOT / "docs" / "operating"
SECRET = "Zitronenfalter"


def test_every_query_of_the_dashboard_names_a_metric_that_there_is(ask: Asking) -> None:
    ask("POST", "/v1/collections", {"name": "pets"})
    ask.put("pets", {"id": "a", "text": "Der Hund schläft."})
    ask.search("pets", query="Hund")
    ask("GET", "/nothing")
    exposed = ask("GET", "/metrics").body.decode()
    known = set(re.findall(r"^(lfm2_colbert_\w+)", exposed, re.MULTILINE)) | {"lfm2_colbert_recall_at_10"}
    labels = set(re.findall(r"(\w+)=", exposed)) | {"le"}
    assert "# TYPE lfm2_colbert_recall_at_10 gauge" in exposed
    panels = json.loads((OPERATING / "grafana.json").read_text("utf-8"))["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(expressions) >= 9
    for expression in expressions:
        assert set(re.findall(r"lfm2_colbert_\w+", expression)) <= known, expression
        for named in re.findall(r"by \(([\w, ]+)\)", expression):
            assert set(named.split(", ")) <= labels, expression


def test_the_log_holds_no_word_of_what_was_asked_or_stored(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving_process(tmp_path / "home", log=log) as (_, ask):
        ask("POST", "/v1/collections", {"name": "pets"})
        ask.put("pets", {"id": SECRET, "text": SECRET, "metadata": {SECRET: SECRET}})
        ask.search("pets", query=SECRET, where=f'{SECRET} = "{SECRET}"')
        ask.search("pets", query=SECRET, where=f"{SECRET} !! {SECRET}")
        ask("GET", f"/v1/collections/pets/documents/{SECRET}", headers={"authorization": f"Bearer {SECRET}"})
        ask("GET", f"/{SECRET}?{SECRET}={SECRET}", headers={SECRET: SECRET})
        ask("POST", "/v1/collections/pets/search", SECRET.encode(), {"content-type": "application/json"})
    lines = log.read_text("utf-8").splitlines()
    assert not [line for line in lines if SECRET in line]
    requests = [json.loads(line) for line in lines if '"request"' in line]
    assert {each["route"] for each in requests} >= {"/v1/collections/{name}/search", "-"}
    assert all(each["request_id"] and each["ms"] >= 0 for each in requests)


def test_a_line_of_the_log_cannot_pose_as_two(caplog: pytest.LogCaptureFixture) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("test of lines")
    logger.addHandler(handler)
    logger.warning('first\r\n\x1b[31m{"level": "info"} %s', "x" * 5000, extra={"code": "a\nb"})
    logger.removeHandler(handler)
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["code"] == "a\nb"
    assert len(json.loads(line)["message"]) == 1024
    assert "\x1b" not in line


def test_what_repeats_itself_is_written_only_so_often_and_the_rest_is_counted() -> None:
    sampling = Sampling()

    def written(minute: int, times: int) -> list[int]:
        records = [logging.LogRecord("name", logging.ERROR, "path", 1, "failed", None, None) for _ in range(times)]
        for record in records:
            record.created = minute * 60.0
        return [getattr(record, "left_out", 0) for record in records if sampling.filter(record)]

    assert written(1, 1000) == [0] * 60
    assert written(2, 3) == [940, 0, 0]
    assert written(3, 100) == [0] * 60
    assert written(5, 70) == [40] + [0] * 59


def test_spans_tell_ids_and_times_and_no_words(ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "TRACER", trace.get_tracer("test", tracer_provider=provider))
    ask("POST", "/v1/collections", {"name": "pets"})
    ask.put("pets", {"id": "a", "text": SECRET})
    ask.search("pets", query=SECRET)
    (span,) = exporter.get_finished_spans()
    assert span.name == "retrieval"
    assert span.attributes is not None
    assert span.attributes["gen_ai.data_source.id"] == "pets"
    assert json.loads(str(span.attributes["gen_ai.retrieval.documents"]))[0]["id"] == "a"
    assert SECRET not in str(dict(span.attributes))


def test_a_served_collection_is_backed_up_while_it_is_written(tmp_path: Path) -> None:
    home, copy = tmp_path / "home", tmp_path / "copy"
    with serving_process(home) as (_, ask):
        ask("POST", "/v1/collections", {"name": "pets"})
        ask.put("pets", *({"id": f"d{n}", "text": f"Hund {n}"} for n in range(50)))
        ask.put("pets", {"id": "late", "text": "Katze"}, wait="durable")
        run = ["-m", "service", "backup", str(copy), "-c", "pets", "--home", str(home)]
        done = subprocess.run([str(ROOT / ".venv/bin/python"), *run], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert ask.put("pets", {"id": "later", "text": "Maus"}).status == 200
    run = ["-m", "service", "restore", str(copy), "-c", "restored", "--home", str(tmp_path / "other")]
    done = subprocess.run([str(ROOT / ".venv/bin/python"), *run], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with Collection.open("restored", home=tmp_path / "other") as collection:
        assert set(collection.ids()) == {f"d{n}" for n in range(50)} | {"late"}


def test_a_server_that_is_told_to_stop_finishes_what_it_promised(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving_process(home) as (process, ask):
        ask("POST", "/v1/collections", {"name": "pets"})
        for start in range(0, 2000, 500):
            documents = ({"id": f"d{n}", "text": f"Hund {n} " * 50} for n in range(start, start + 500))
            ask.put("pets", *documents, wait="durable")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)  # it ends by the signal, when all is closed
    with Collection.open("pets", home=home) as collection:
        assert collection.counts().documents == 2000
    with serving_process(home) as (_, ask):
        while ask("GET", "/v1/collections/pets").json["pending"]:
            time.sleep(0.1)
        assert ask("GET", "/v1/collections/pets").json["passages"] >= 2000


def test_the_systemd_unit_is_one() -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    unit = OPERATING / "lfm2-colbert.service"
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "lfm2-colbert.service" in line]
    assert [line for line in complaints if "is not executable" not in line] == []  # it is not installed here


def test_the_container_runs_as_nobody_special_and_copies_what_there_is() -> None:
    lines = (OPERATING / "Containerfile").read_text("utf-8").splitlines()
    assert "USER 10001" in lines
    assert [line for line in lines if line.startswith("FROM")] == [
        "FROM docker.io/library/python:3.11-slim AS build", "FROM docker.io/library/python:3.11-slim",
    ]  # fmt: skip
    assert any("constraints/constraints.txt '.[serve]'" in line for line in lines)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_search_process_outlives_its_server(tmp_path: Path, number: signal.Signals) -> None:
    with serving_process(tmp_path / "home", "--search-processes", "2") as (process, ask):
        ask("POST", "/v1/collections", {"name": "pets"})
        ask.put("pets", {"id": "a", "text": "Der Hund schläft."})
        assert [hit["document_id"] for hit in ask.search("pets", query="Hund").json["hits"]] == ["a"]
        began = _searching_for(process.pid)
        assert len(began) == 2
        process.send_signal(number)
        process.wait(30)
        deadline = time.monotonic() + 30
        while any(Path(f"/proc/{pid}").exists() for pid in began):
            assert time.monotonic() < deadline, "a process is left"
            time.sleep(0.05)


def _searching_for(server: int) -> list[int]:
    """Give the ids of a server's search processes."""
    tasks = Path(f"/proc/{server}/task")
    children = [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]
    return [pid for pid in children if b"search_process" in Path(f"/proc/{pid}/cmdline").read_bytes()]
