"""The command line as a test calls it; a small set; NanoBEIR in small, in each of its layouts, and its hub."""

import hashlib
import io
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving.server import Asking, served
from lfm2_colbert.encoders.loading import HUB_MODELS
from service.cli.main import main

Tables = dict[str, list[dict[str, Any]]]

LANGUAGES = ("ar", "de", "en", "ja")
DOCUMENTS: Mapping[str, Mapping[str, str]] = {
    "ar": {
        "d1": "يحصل الموظفون على إجازة طويلة",
        "d2": "الإجازة الطويلة تضر 🐈",
        "d3": "طوكيو عاصمة اليابان",
        "d4": " ",
    },
    "de": {"d1": "Langer Urlaub nützt allen", "d2": "Langer Urlaub schadet 🐈", "d3": "Tokio ist groß", "d4": ""},
    "en": {"d1": "Long holidays help everybody", "d2": "Long holidays hurt 🐈", "d3": "Tokyo is large", "d4": " "},
    "ja": {"d1": "長い休暇は役に立つ", "d2": "長い休暇は害になる🐈", "d3": "東京は日本の首都です", "d4": "\u3000"},
}
QUESTIONS: Mapping[str, Mapping[str, str]] = {
    "ar": {"q1": "ما عاصمة اليابان؟", "q2": "🐈", "q3": "بلا جواب", "q4": "لا أحد"},
    "de": {"q1": "Wie groß ist Tokio?", "q2": "🐈", "q3": "ohne Antwort", "q4": "niemand"},
    "en": {"q1": "How large is Tokyo?", "q2": "🐈", "q3": "without an answer", "q4": "nobody"},
    "ja": {"q1": "日本の首都は？", "q2": "🐈", "q3": "答えなし", "q4": "誰も"},
}
COMMIT = "8a4be55eb80b3ed4d2e9a423a5212228c217d426"

LAYOUTS: Mapping[str, Callable[[str, str, str], str]] = {
    "liquid": lambda task, language, kind: (
        f"LiquidAI/nanobeir-multilingual-extended/Nano{task}_{language}/{kind}.parquet"
    ),
    "sentence-transformers": lambda task, language, kind: (
        f"{'sentence-transformers' if language == 'en' else 'lightonai'}/NanoBEIR-{language}/{kind}/Nano{task}.parquet"
    ),
    "mteb": lambda task, language, kind: f"mteb/MultilingualNano{task}Retrieval/{language}-{kind}/test.parquet",
}
"""Source → task, language and kind → the file that the hub has, below its owner."""


def tables(task: str, language: str) -> Tables:
    """Give the rows of a task: of ArguAna, each query is a document; of the others, d4 has no text and answers q3."""
    corpus = [{"_id": key, "text": text} for key, text in DOCUMENTS[language].items()]
    asked = {key: DOCUMENTS[language][key] for key in ("d1", "d2")} if task == "ArguAna" else QUESTIONS[language]
    answers = [("d1", "d2"), ("d2", "d1")] if task == "ArguAna" else [("q1", "d3"), ("q2", "d2"), ("q3", "d4")]
    return {
        "corpus": corpus,
        "queries": [{"_id": key, "text": text} for key, text in asked.items()],
        "qrels": [{"query-id": query, "corpus-id": document, "score": 1} for query, document in answers],
    }


def as_published(source: str, found: Tables) -> Tables:
    """Lay rows out as a source has them."""
    if source == "sentence-transformers":
        qrels = [{"query-id": row["query-id"], "corpus-id": [row["corpus-id"]]} for row in found["qrels"]]
        return found | {"qrels": qrels}
    if source == "mteb":
        named = ([{"id": row["_id"], "text": row["text"]} for row in found[kind]] for kind in ("corpus", "queries"))
        return dict(zip(("corpus", "queries"), named, strict=True)) | {"qrels": found["qrels"]}
    return found


@pytest.fixture(scope="session")
def write_nanobeir() -> Callable[..., Path]:
    """Give the writer of a small NanoBEIR in a source's layout."""
    return write


def write(
    folder: Path,
    source: str,
    tasks: tuple[str, ...] = ("ArguAna", "SciFact"),
    change: Callable[..., None] | None = None,
) -> Path:
    """Write all languages; `change` may spoil rows: it gets the task, the language and the rows."""
    for task in tasks:
        for language in LANGUAGES:
            found = tables(task, language)
            if change:
                change(task, language, found)
            for kind, rows in as_published(source, found).items():
                write_parquet(folder / LAYOUTS[source](task, language, kind), rows)
    return folder


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    import pyarrow
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def write_cards(hub: Path) -> None:
    """Say in each repository which files are which configuration, as the hub's repositories do."""
    for repository in hub.glob("*/*"):
        lines = ["---", "configs:"]
        for config in sorted(each for each in repository.iterdir() if each.is_dir()):
            lines += [f"- config_name: {config.name}", "  data_files:"]
            for path in sorted(config.iterdir()):
                lines += [f"  - split: {path.stem}", f"    path: {config.name}/{path.name}"]
        (repository / "README.md").write_text("\n".join([*lines, "---", ""]), encoding="utf-8")


WORDS = [
    "urlaub",
    "lang",
    "tokio",
    "東",
    "京",
    "休",
    "暇",
    "إجازة",
    "طويلة",
    "##n",
    "🐈",
    "query",
    "passage",
    ":",
    "ist",
]


def write_bert(folder: Path, similarity: str = "cosine", seed: int = 0) -> Path:
    """Write a random BERT with mean pooling, and prompts for queries and passages."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    source = folder.with_name(f"{folder.name}-source")
    source.mkdir(parents=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (source / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    torch.manual_seed(seed)
    BertTokenizerFast(str(source / "vocab.txt"), model_max_length=24).save_pretrained(source)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(source)
    transformer = Transformer(str(source), max_seq_length=24)
    model = SentenceTransformer(
        modules=[transformer, Pooling(16, "mean")],
        prompts={"query": "query: ", "document": "passage: "},
        similarity_fn_name=similarity,
        device="cpu",
    )
    model.save_pretrained(str(folder), create_model_card=False)
    shutil.rmtree(source)
    return folder


@pytest.fixture(scope="session")
def write_dense_model() -> Callable[..., Path]:
    """Give the writer of a small random single-vector model; it needs the torch extra."""
    return write_bert


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as its clients ask for: what a commit is, what a folder holds, and files."""

    protocol_version = "HTTP/1.1"
    root: Path
    breaks: dict[str, int]
    FILE = re.compile(r"/(?:datasets/)?([\w.-]+/[\w.-]+)/resolve/(\w+)/(.+)")
    COMMIT = re.compile(r"/api/(?:datasets|models)/([\w.-]+/[\w.-]+)(?:/revision/(\w+))?")
    TREE = re.compile(r"/api/(?:datasets|models)/([\w.-]+/[\w.-]+)/tree/(\w+)/?(.*)")

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if match := self.FILE.fullmatch(path):
            self.give_file(*match.groups())
        elif match := self.COMMIT.fullmatch(path):
            self.give_commit(*match.groups())
        elif match := self.TREE.fullmatch(path):
            self.give_tree(*match.groups())
        else:
            self.give(b"", 404)

    do_HEAD = do_GET

    def give_file(self, repository: str, commit: str, name: str) -> None:
        path = self.root / repository / name
        if not path.is_file():
            self.give(b"", 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            return
        content = path.read_bytes()
        headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        if asked := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            first, last = int(asked[1]), len(content) - 1
            ranged = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
            self.give(content[first:], 206, headers | ranged, self.breaks.pop(name, None))
            return
        self.give(content, headers=headers)

    def give_commit(self, repository: str, commit: str | None) -> None:
        home = self.root / repository
        if not home.is_dir():
            self.give(b"", 404, {"X-Error-Code": "RepoNotFound"})
        elif commit not in (None, *COMMITS):
            self.give(b"", 404, {"X-Error-Code": "RevisionNotFound"})
        else:
            paths = [path for path in home.rglob("*") if path.is_file()]
            siblings = [{"rfilename": path.relative_to(home).as_posix(), **git_identity(path)} for path in paths]
            self.give(json.dumps({"id": repository, "sha": commit or COMMIT, "siblings": siblings}).encode())

    def give_tree(self, repository: str, commit: str, below: str) -> None:
        home = self.root / repository
        found = (home / below).rglob("*") if "recursive=true" in self.path.lower() else (home / below).glob("*")
        rows = [
            {
                "type": "file" if path.is_file() else "directory",
                "path": path.relative_to(home).as_posix(),
                "size": path.stat().st_size,
                "oid": hashlib.sha1(str(path).encode()).hexdigest(),
            }
            for path in found
        ]
        self.give(json.dumps(rows).encode())

    def give(
        self,
        content: bytes,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        breaks_after: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:breaks_after])
        self.close_connection = breaks_after is not None

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


def git_identity(path: Path) -> dict[str, Any]:
    """Give size and digest of a file as the hub lists them: weights in its large storage, the rest in git."""
    content = path.read_bytes()
    oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    identity: dict[str, Any] = {"size": len(content), "blobId": oid}
    if path.suffix != ".safetensors":
        return identity
    large = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return identity | {"lfs": large}


MTEB_COMMITS = ("3e75543b8006c013ec14d36a17dd3010eb139f72",)
MODEL_COMMITS = (*(model.revision for model in HUB_MODELS.values()), "0123456789" * 4)
COMMITS = (COMMIT, *MTEB_COMMITS, *MODEL_COMMITS)


@pytest.fixture(scope="session")
def publish() -> Callable[..., Path]:
    """Give the writer of a small NanoBEIR as a hub's repositories, with their cards."""

    def write_repositories(hub: Path, source: str, tasks: tuple[str, ...] = ("SciFact",)) -> Path:
        write(hub, source, tasks)
        write_cards(hub)
        return hub

    return write_repositories


@pytest.fixture
def hub_breaks() -> dict[str, int]:
    """Say after how many bytes the hub breaks off, once, the next time a file of this name is fetched."""
    return {}


@pytest.fixture
def hub(tmp_path: Path, hub_breaks: dict[str, int]) -> Iterator[tuple[Path, Mapping[str, str]]]:
    """Serve a folder of repositories as the hub; give it, and the environment in which it is the hub."""
    root = tmp_path / "hub"
    root.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Hub,), {"root": root, "breaks": hub_breaks}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    yield root, {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    server.shutdown()
    server.server_close()
    thread.join()


HANDBOOK: Mapping[str, Sequence[str]] = {
    "ar": ("الإجازة السنوية أربعة وعشرون يوما", "طوكيو عاصمة اليابان", "القطط تنام 🐈 كثيرا", "الطقس جميل اليوم"),
    "de": ("Der Urlaub beträgt 24 Tage", "Tokio ist Japans Hauptstadt", "Katzen 🐈 schlafen viel", "Schönes Wetter"),
    "ja": ("年次休暇は二十四日です", "東京は日本の首都です", "猫🐈はよく寝る", "今日は良い天気です"),
}
HANDBOOK_QUESTIONS: Mapping[str, Sequence[str]] = {
    "ar": ("كم يوما الإجازة؟", "ما عاصمة اليابان؟", "🐈", "الطقس"),
    "de": ("Wie viele Tage Urlaub?", "Hauptstadt von Japan", "🐈", "Wetter"),
    "ja": ("休暇は何日ですか", "日本の首都は", "🐈", "天気"),
}


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Asking]:
    """A server of an empty home, in this process, as somebody without a key asks it."""
    with served(tmp_path / "home") as asking:
        yield asking


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Call `lfm2-colbert` with a home of its own and nothing on its input."""
    monkeypatch.setenv("LFM2_COLBERT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("sys.stdin", io.StringIO())

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr("sys.argv", ["lfm2-colbert", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        return Outcome(int(stopped.value.code or 0), captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def write_language() -> Callable[..., None]:
    """Give the writer of one language of a set."""
    return language_written


@pytest.fixture(scope="session")
def write_set() -> Callable[..., Path]:
    """Give the writer of a set, by default of the handbook."""
    return set_written


@pytest.fixture
def handbook(tmp_path: Path) -> Path:
    """Write a set of three languages with the same ids."""
    return set_written(tmp_path / "handbook")


def language_written(home: Path, texts: Sequence[str], questions: Sequence[str]) -> None:
    """Write documents, and a question for each of the first; the second document is a little relevant too."""
    (home / "qrels").mkdir(parents=True)
    corpus = [{"_id": f"d{i}", "title": "", "text": text} for i, text in enumerate(texts)]
    queries = [{"_id": f"q{i}", "text": text} for i, text in enumerate(questions)]
    (home / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus), encoding="utf-8")
    (home / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries), encoding="utf-8")
    judged = [f"q{i}\td{i}\t2\n" for i in range(len(questions))]
    (home / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judged), encoding="utf-8")


def set_written(
    folder: Path,
    texts: Mapping[str, Sequence[str]] = HANDBOOK,
    questions: Mapping[str, Sequence[str]] = HANDBOOK_QUESTIONS,
) -> Path:
    for language in texts:
        language_written(folder / language, texts[language], questions[language])
    return folder
