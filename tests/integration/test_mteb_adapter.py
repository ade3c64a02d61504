"""mteb measures a collection through the adapter, and finds what we find."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eval.measures import measure
from eval.mteb_adapter import ServedModel
from index import Collection
from index.home import is_collection
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.errors import InvalidArgumentError

pytestmark = pytest.mark.filterwarnings("ignore")

CORPUS = [
    {"id": "d1", "title": "Urlaub", "text": "Mitarbeiter haben 24 Urlaubstage."},
    {"id": "d2", "title": "", "text": "Der Hund schläft in der Sonne."},
    {"id": "d3", "title": "الإجازة", "text": "يحصل الموظفون الجدد على أربعة وعشرين يوما من الإجازة."},
    {"id": "d4", "title": "休暇", "text": "新入社員は初年度に二十四日の休暇を取得できます。"},
    {"id": "d5", "title": "", "text": "  "},
    {"id": "d6", "title": "", "text": "Die Urlaubstage der Mitarbeiter verfallen im März."},
]
QUERIES = [
    {"id": "q1", "text": "Wie viele Urlaubstage haben Mitarbeiter?"},
    {"id": "q2", "text": "كم يوم إجازة للموظفين الجدد؟"},
    {"id": "q3", "text": "休暇は何日ですか"},
    {"id": "q4", "text": "Schläft die Sonne?"},
]
QRELS = {"q1": {"d1": 1, "d6": 2}, "q2": {"d3": 1, "d5": 1}, "q3": {"d4": 1}, "q4": {"d1": 1}}
CALL: dict[str, Any] = {"hf_split": "test", "hf_subset": "default", "encode_kwargs": {}, "num_proc": None}


class Metadata:
    """What the adapter reads of a task."""

    name = "TinyRetrieval"


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ServedModel]:
    with ServedModel(tmp_path / "home", encoder=HashingEncoder(dim=64)) as opened:
        yield opened


def indexed(model: ServedModel, corpus: list[dict[str, str]]) -> ServedModel:
    model.index(corpus, task_metadata=Metadata, **CALL)
    return model


def searched(model: ServedModel, queries: list[dict[str, str]], **options: Any) -> dict[str, dict[str, float]]:
    return model.search(queries, task_metadata=Metadata, top_k=options.pop("top_k", 10), **CALL | options)


def test_hits_are_those_of_the_collection_in_its_order(model: ServedModel, tmp_path: Path) -> None:
    run = searched(indexed(model, CORPUS), QUERIES)
    (home,) = [each for each in (tmp_path / "home").iterdir() if is_collection(each)]
    with Collection.open(home.name, encoder=HashingEncoder(dim=64), home=tmp_path / "home") as collection:
        assert collection.ids() == ["d1", "d2", "d3", "d4", "d6"]  # d5 holds no text
        for query in QUERIES:
            hits = collection.search(query["text"], k=10, mode="semantic").hits
            scores = run[query["id"]]
            assert list(scores) == [hit.document_id for hit in hits]
            assert list(scores.values()) == sorted(set(scores.values()), reverse=True)


def test_the_title_is_searched(model: ServedModel) -> None:
    run = searched(indexed(model, [*CORPUS[:1], *CORPUS[1:2]]), [{"id": "q", "text": "Urlaub"}])
    assert next(iter(run["q"])) == "d1"


def test_a_corpus_that_changed_is_brought_up_to_date(model: ServedModel) -> None:
    indexed(model, CORPUS)
    run = searched(indexed(model, CORPUS[1:2]), QUERIES[:1])
    assert list(run["q1"]) == ["d2"]


def test_no_more_than_top_k_documents_are_given(model: ServedModel) -> None:
    run = searched(indexed(model, CORPUS), QUERIES, top_k=2)
    assert {len(scores) for scores in run.values()} == {2}


def test_what_cannot_be_done_is_refused(model: ServedModel) -> None:
    with pytest.raises(InvalidArgumentError, match="nothing is indexed"):
        searched(model, QUERIES)
    with pytest.raises(InvalidArgumentError, match="reranking"):
        searched(indexed(model, CORPUS), QUERIES, top_ranked={"q1": ["d1"]})


def test_mteb_measures_what_we_measure(model: ServedModel) -> None:
    mteb = pytest.importorskip("mteb", reason="mteb is not installed (extra mteb)")
    from mteb.models import SearchProtocol

    assert isinstance(model, SearchProtocol)
    result = mteb.evaluate(model, _task(), cache=None, co2_tracker=False, show_progress_bar=False)
    (scores,) = result.task_results[0].scores["test"]
    ours = measure(QRELS, searched(indexed(model, CORPUS), QUERIES, top_k=1000)).mean
    assert 0.2 < ours["nDCG@10"] < 1
    assert scores["main_score"] == scores["ndcg_at_10"] == pytest.approx(ours["nDCG@10"], abs=1e-5)
    assert scores["recall_at_100"] == pytest.approx(ours["R@100"], abs=1e-5)
    assert scores["mrr_at_10"] == pytest.approx(ours["MRR@10"], abs=1e-5)
    assert scores["hit_rate_at_5"] == pytest.approx(ours["Success@5"], abs=1e-5)
    assert (result.model_name, result.model_revision) == ("lfm2-colbert/hashing", model.mteb_model_meta.revision)


def _task() -> Any:
    """Make a retrieval task of mteb whose data are here."""
    from datasets import Dataset
    from mteb.abstasks import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    class TinyRetrieval(AbsTaskRetrieval):  # type: ignore[misc]
        metadata = TaskMetadata(
            name="TinyRetrieval",
            description="Four questions in three languages.",
            dataset={"path": "local/tiny", "revision": "1"},
            type="Retrieval",
            eval_splits=["test"],
            eval_langs=["deu-Latn", "ara-Arab", "jpn-Jpan"],
            main_score="ndcg_at_10",
        )

        def load_data(self, *arguments: Any, **options: Any) -> None:
            split = {
                "corpus": Dataset.from_list(CORPUS), "queries": Dataset.from_list(QUERIES),
                "relevant_docs": {name: dict(grades) for name, grades in QRELS.items()}, "top_ranked": None,
            }  # fmt: skip
            self.dataset = {"default": {"test": split}}
            self.data_loaded = True

    return TinyRetrieval()
