"""Tables in the documents are those that the committed results give."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.quality_tables import FAR
from benchmarks.results_file import RESULTS, ROOT, measured, write
from benchmarks.tables import documents, filled, table
from lfm2_colbert.encoders.loading import NANO
from lfm2_colbert.errors import InvalidArgumentError, NotFoundError, UnknownNameError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TASK = {"dataset": "jsquad", "task": "monolingual", "query_language": "ja", "document_language": "ja"}
ENCODER = {"encoder": NANO, "kind": "query", "tokens": 32, "threads": 1, "texts_per_cpu_s": 459.6, "cpu": "Z80"}


def quality_row(system: str, setting: str, ndcg: float, **task: str) -> dict[str, Any]:
    figures = {"queries": 1000, "passages": 1364, "ndcg_at_10": ndcg, "ndcg_low": ndcg - 0.01, "ndcg_high": ndcg + 0.01}
    costs = {"disk_bytes_per_token": 140.1, "exact_difference": -0.0012} if system == "lfm2-colbert" else {}
    return TASK | task | {"system": system, "setting": setting} | figures | {"recall_at_100": 0.999} | costs


def quality_rows(**task: str) -> list[dict[str, Any]]:
    return [
        quality_row("lfm2-colbert", "semantic balanced", 0.9, **task),
        quality_row("lfm2-colbert", "hybrid balanced", 0.92, **task),
        quality_row("oracle", "MaxSim over the encoder's vectors", 0.9012, **task),
        quality_row("bm25", "k1=0.9 b=0.4", 0.95, **task),
        quality_row("nano-0", "semantic balanced", 0.8, **task),
    ]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    crossed = {"dataset": "xquad", "task": "cross-lingual", "query_language": "ar", "document_language": "en"}
    other = [row | {"dataset": "jaquad", "ndcg_at_10": row["ndcg_at_10"] - 0.1} for row in quality_rows()]
    save(tmp_path, "quality", quality_rows(**crossed) + quality_rows() + other)
    return tmp_path


def save(root: Path, name: str, rows: list[dict[str, Any]], commit: str = COMMIT) -> None:
    write(measured(name, rows, commit=commit, command=f"python -m benchmarks.{name}", seed=0), root)


@pytest.mark.parametrize("path", documents(ROOT), ids=lambda path: str(path.relative_to(ROOT)))
def test_tables_of_this_repository_are_up_to_date(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert filled(text, ROOT) == text, "python -m benchmarks.tables writes them again"


def test_a_language_is_a_line_of_means_over_its_sets(root: Path) -> None:
    lines = table("quality", root).splitlines()
    assert lines[2] == "| ja | jaquad, jsquad | 87.0 | 85.0 | 85.1 | 90.0 | 75.0 | 99.9 |"
    assert lines[3] == ""  # what is asked across languages has its own table


def test_sets_that_our_encoder_was_not_measured_on_are_in_no_mean(root: Path) -> None:
    before = table("quality", root).splitlines()[2]
    elsewhere = quality_row("nano-0", "semantic balanced", 0.1, dataset="mlqa")
    kept = json.loads((root / RESULTS / "quality.json").read_text(encoding="utf-8"))["rows"]
    save(root, "quality", [*kept, elsewhere, elsewhere | {"query_language": "zh", "document_language": "zh"}])
    assert table("quality", root).splitlines()[2:4] == [before, ""]


def test_a_table_says_where_its_figures_come_from(root: Path) -> None:
    lines = table("quality", root).splitlines()
    assert COMMIT[:12] in lines[-1]
    assert "python -m benchmarks.quality" in lines[-1]


def test_a_set_is_a_line_with_the_interval_and_what_exact_scoring_would_gain(root: Path) -> None:
    lines = table("quality-sets", root).splitlines()
    figures = "92.0 | 90.0 | 90.1 | 95.0 | 80.0 | 89.0 to 91.0 | -0.12 | 1,000 | 1,364 | 140 |"
    assert lines[3] == f"| jsquad | ja | {figures}"


def test_a_matrix_has_a_line_a_language_of_the_queries(root: Path) -> None:
    pairs = {("ar", "ar"): 0.8, ("ar", "de"): 0.6, ("de", "ar"): 0.5, ("de", "de"): 0.9}
    rows = [
        quality_row("lfm2-colbert", "semantic balanced", ndcg, dataset="xquad", query_language=q, document_language=d)
        for (q, d), ndcg in pairs.items()
    ]
    save(root, "quality", rows)
    assert table("quality-xquad", root).splitlines()[2:5] == [
        "| ar | 80.0 | 60.0 | 70.0 |", "| de | 50.0 | 90.0 | 70.0 |", "| mean | 65.0 | 75.0 | 70.0 |",
    ]  # fmt: skip


def test_a_matrix_of_more_documents_than_queries_has_a_line_a_language_of_the_documents(root: Path) -> None:
    rows = [
        quality_row(
            "lfm2-colbert", "semantic balanced", ndcg, dataset="belebele", query_language="en", document_language=d
        )
        for d, ndcg in (("ar", 0.5), ("ja", 0.7))
    ]
    save(root, "quality", rows)
    assert table("quality-belebele", root).splitlines()[2:4] == ["| ar | 50.0 | 50.0 |", "| ja | 70.0 | 70.0 |"]


def test_an_encoder_s_line_names_the_reference(root: Path) -> None:
    exact = {"backend": "torch", "precision": "fp32", "cpu_ms_p50": 7.67, "max_abs_error": 0.0, "peak_rss_mb": 1484}
    small = {
        "backend": "onnx",
        "precision": "int8",
        "cpu_ms_p50": 2.17,
        "max_abs_error": 0.011,
        "min_cosine": 0.9876,
        "peak_rss_mb": 222,
    }
    other = {"encoder": "BERT", "backend": "torch", "precision": "fp32", "cpu_ms_p50": 29.1, "peak_rss_mb": 881}
    save(root, "encoder", [ENCODER | other, ENCODER | exact, ENCODER | small, ENCODER | exact | {"threads": 2}])
    assert table("encoder-all", root).splitlines()[2:6] == [
        f"| Z80 | {NANO} | query | 32 | 1 | onnx int8 | 2.2 | 460 | 1e-02 | 0.9876 | 222 |",
        f"| Z80 | {NANO} | query | 32 | 1 | torch fp32 | 7.7 | 460 | reference |  | 1,484 |",
        f"| Z80 | {NANO} | query | 32 | 2 | torch fp32 | 7.7 | 460 | reference |  | 1,484 |",
        "| Z80 | BERT | query | 32 | 1 | torch fp32 | 29.1 | 460 |  |  | 881 |",
    ]


def test_the_bundled_encoder_has_a_line_for_each_processor_and_way_that_serves_it(root: Path) -> None:
    query = ENCODER | {"precision": "int8", "cpu_ms_p50": 2.17, "min_cosine": 0.9876, "peak_rss_mb": 222}
    document = query | {"kind": "document", "cpu_ms_p50": 10.71, "texts_per_cpu_s": 81.2, "min_cosine": 0.9801}
    both = [query, document]
    measured = [row | {"backend": backend} for backend in ("onnx", "openvino", "torch") for row in both]
    others = [measured[0] | {"encoder": "BERT"}, measured[1] | {"threads": 2, "cpu_ms_p50": 99.0}]
    save(root, "encoder", [*measured, *others, *(row | {"backend": "onnx", "cpu": "6502"} for row in both)])
    assert table("encoder", root).splitlines()[2:5] == [
        "| 6502 | onnx int8 | 2.2 | 460 | 10.7 | 81 | 0.9801 | 222 |",
        "| Z80 | onnx int8 | 2.2 | 460 | 10.7 | 81 | 0.9801 | 222 |",
        "| Z80 | openvino int8 | 2.2 | 460 | 10.7 | 81 | 0.9801 | 222 |",
    ]


def test_the_teacher_has_a_line_a_language_and_one_for_all_pairs(root: Path) -> None:
    def row(query_language: str, document_language: str, way: str, ndcg: float) -> dict[str, Any]:
        languages = {"query_language": query_language, "document_language": document_language}
        return {"dataset": "xquad", **languages, "way": way, "ndcg_at_10": ndcg}

    rows = [
        row("ar", "ar", "one vector", 0.5), row("ar", "ar", "MaxSim", 0.6), row("ar", "zh", "one vector", 0.3),
        row("ar", "zh", "MaxSim", 0.4), row("zh", "ar", "one vector", 0.1), row("zh", "ar", "MaxSim", 0.2),
    ]  # fmt: skip
    save(root, "teacher", rows)
    own = [
        quality_row(system, "semantic balanced", ndcg, dataset="xquad", query_language=q, document_language=d)
        for system, q, d, ndcg in [
            ("lfm2-colbert", "ar", "ar", 0.7), ("lfm2-colbert", "ar", "zh", 0.5), ("lfm2-colbert", "zh", "ar", 0.3),
            ("nano-0", "ar", "zh", 0.2), ("lfm2-colbert", "zh", "zh", 0.9),
        ]
    ]  # fmt: skip
    save(root, "quality", own)
    assert table("teacher", root).splitlines()[2:4] == [
        "| xquad | 2 pairs | 40.0 |  |  | 20.0 | 30.0 |",  # nano-0 was asked in one of both
        "| xquad | ar | 70.0 |  |  | 50.0 | 60.0 |",
    ]


def test_kinds_of_long_questions_are_lines_with_both_cuts(root: Path) -> None:
    kind = {"asked": "zh, 2 told before", "queries": 150}
    rows = [
        kind | {"cut": "anywhere", "ndcg_at_10": 0.7855, "windows": 2.85},
        kind | {"cut": "between sentences", "ndcg_at_10": 0.9404, "windows": 4.29},
    ]
    save(root, "long_questions", rows)
    assert table("long_questions", root).splitlines()[2] == "| zh, 2 told before | 78.5 | 94.0 | 2.9 | 4.3 |"


def test_a_table_of_two_results_says_where_both_come_from(root: Path) -> None:
    languages: dict[str, Any] = {"dataset": FAR, "query_language": "ar", "document_language": "ja"}
    save(root, "quality", [quality_row("nano-0", "semantic balanced", 0.25, **languages)])
    save(
        root,
        "teacher",
        [languages | {"way": way, "ndcg_at_10": ndcg} for way, ndcg in (("one vector", 0.3), ("MaxSim", 0.54))],
    )
    lines = table("quality-far", root).splitlines()
    assert lines[2] == "| ar → ja |  |  |  |  | 25.0 | 30.0 | 54.0 |"
    assert [line.split("`")[1] for line in lines if "Measured" in line] == [
        "python -m benchmarks.quality", "python -m benchmarks.teacher",
    ]  # fmt: skip


def test_only_what_stands_between_the_markers_changes(root: Path) -> None:
    before = "# Zahlen\n\n<!-- table: quality -->\nold\n<!-- /table -->\n\n有給休暇 | x\n"
    after = filled(before, root)
    assert after == before.replace("old\n", f"\n{table('quality', root)}\n\n")
    assert filled(after, root) == after


def test_an_unknown_table_is_refused_with_those_there_are(root: Path) -> None:
    with pytest.raises(UnknownNameError, match="qualty") as caught:
        filled("<!-- table: qualty -->\n<!-- /table -->", root)
    assert "quality" in caught.value.help


def test_a_table_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="encoder"):
        table("encoder", tmp_path)


def test_a_trial_never_becomes_a_table(tmp_path: Path) -> None:
    save(tmp_path, "quality", quality_rows(), commit=f"{COMMIT}-dirty")
    with pytest.raises(InvalidArgumentError, match="trial"):
        table("quality", tmp_path)


def test_threads_are_compared_with_one_thread_of_the_same_setting(tmp_path: Path) -> None:
    costs = {"queries": 440, "cpu_ms_per_query": 4.36}
    given = (("fast", 1, 300.0), ("fast", 2, 540.0), ("balanced", 1, 200.0), ("balanced", 2, 380.0))
    rows = [{"setting": s, "searching_threads": n, "queries_per_s": per_s} | costs for s, n, per_s in given]
    save(tmp_path, "throughput", rows)
    assert table("throughput", tmp_path).splitlines()[2:6] == [
        "| balanced | 1 | 200 | 1.00 | 4.4 |",
        "| balanced | 2 | 380 | 1.90 | 4.4 |",
        "| fast | 1 | 300 | 1.00 | 4.4 |",
        "| fast | 2 | 540 | 1.80 | 4.4 |",
    ]


def test_growth_goes_from_small_to_large_and_ends_with_what_was_not_run(tmp_path: Path) -> None:
    def row(system: str, passages: int, cost: float) -> dict[str, Any]:
        return {
            "system": system, "setting": "s", "passages": passages, "tokens": 100 * passages, "cpu_ms_per_query": cost,
            "recall_at_10": 0.98, "recall_at_100": 0.95, "build_tokens_per_cpu_s": 70_000,
            "disk_bytes_per_token": 141.6, "peak_rss_mb": 1234,
        }  # fmt: skip

    rows = [
        {"system": "tachiom", "setting": "build", "passages": 9000, "not_run": "no memory"}, row("ours", 9000, 12.5),
        row("qdrant", 1000, 4), row("ours", 1000, 3),
    ]  # fmt: skip
    save(tmp_path, "growth", rows)
    lines = table("growth", tmp_path).splitlines()
    assert [line.split(" | ")[:3] for line in lines[2:6]] == [
        ["| ours", "s", "1,000"], ["| qdrant", "s", "1,000"], ["| ours", "s", "9,000"],
        ["| tachiom", "not run: no memory", "9,000"],
    ]  # fmt: skip
    assert lines[4].endswith("| 12.5 | 0.980 | 0.950 | 70,000 | 142 | 1,234 |")


def test_an_update_is_a_line_that_shows_what_a_call_costs(tmp_path: Path) -> None:
    row = {"system": "ours", "operation": "insert", "inserted_per_call": 8192, "passages": 23_412, "cpu_ms": 6256.53}
    stopped = {"system": "theirs", "operation": "insert", "passages": 23_412, "not_run": "killed"}
    save(tmp_path, "updates", [row | {"wall_ms_p95": 8601.22, "tokens_per_cpu_s": 175_856}, stopped])
    lines = table("updates", tmp_path).splitlines()
    assert lines[2] == "| ours | insert | 8192 | 23,412 | 6,256.53 |  | 8,601.22 |  | 175,856 |  |"
    assert lines[3] == "| theirs | insert: not run, killed |  | 23,412 |  |  |  |  |  |  |"


def test_filters_are_a_second_table_of_updates(tmp_path: Path) -> None:
    change = {"system": "ours", "operation": "insert", "inserted_per_call": 1, "passages": 9, "cpu_ms": 1.0}
    row = {
        "operation": "filter", "passages": 23_412, "cpu_ms": 2.554, "cpu_ms_unfiltered": 5.071,
        "cpu_ms_first_use": 2.959, "first_use_us_per_passage": 2.002, "recall_at_10": 0.994,
        "recall_at_10_unfiltered": 0.989,
    }  # fmt: skip
    filters = [row | {"selectivity": share} for share in (0.5, 0.001)]
    save(tmp_path, "updates", [*filters, change | {"tokens_per_cpu_s": 1}])
    lines = table("updates", tmp_path).splitlines()
    assert lines[2].startswith("| ours | insert |")
    assert [line.split(" | ")[0] for line in lines[6:8]] == ["| 0.1%", "| 50.0%"]
    assert lines[6] == "| 0.1% | 23,412 | 2.55 | 2.96 | 5.07 | 2.00 | 0.994 | 0.989 |"


def test_a_way_to_cluster_is_a_line_that_shows_what_it_costs_and_finds(tmp_path: Path) -> None:
    common = {"codebook_cpu_s": 2.66, "assignment_cpu_s": 8.9, "mean_distance": 0.248, "centroids_per_passage": 65.41}
    found = {"recall_at_10_in_64": 0.8736, "recall_at_10_in_512": 0.9943, "recall_at_100_in_512": 0.9425}
    rows = [
        {"method": method, "assignment": "all centroids", "centroids": n} | common | {"load_average": 4.76} | found
        for method, n in (("two-level", 8161), ("plain", 16384), ("plain", 8192))
    ]
    save(tmp_path, "codebooks", rows)
    lines = table("codebooks", tmp_path).splitlines()
    assert "| recall@10 in 64 | recall@10 in 512 | recall@100 in 512 |" in lines[0]
    figures = "2.7 | 8.9 | 0.248 | 65.4 | 0.874 | 0.994 | 0.943 | 4.8 |"
    assert lines[2:5] == [
        f"| plain | all centroids | 8,192 | {figures}",
        f"| plain | all centroids | 16,384 | {figures}",
        f"| two-level | all centroids | 8,161 | {figures}",
    ]


def test_a_codec_is_a_line_a_precision_and_frame(tmp_path: Path) -> None:
    figures = {"recall_at_10": 0.97, "recall_at_10_spread": 0.0021, "recall_at_100": 0.96, "recall_at_10_in_16": 0.999}
    figures |= {"recall_at_10_in_32": 1.0, "score_error_sd": 0.00171}
    costs = {"memory_bytes_per_token": 68.0, "disk_bytes_per_token": 134.0}
    row = {"codec": "scalar4", "rotation": "hadamard", "centring": "mean", "precision": "coarse"} | figures | costs
    save(tmp_path, "codecs", [row])
    assert table("codecs", tmp_path).splitlines()[2] == (
        "| scalar4, coarse | hadamard, mean | 0.9700 | 0.0021 | 0.9600 | 0.9990 | 1.0000 | 0.0017 | 68 | 134 |"
    )


def test_engines_behind_the_server_end_with_what_was_not_measured(tmp_path: Path) -> None:
    figures = {"through": "a shell", "p50_ms": 20.0, "p95_ms": 41.5, "cpu_ms": 5.73, "failed": 0, "load": 1.04}
    figures |= {"cpu": "Xeon", "passages": 23_412}
    rows = [
        {"test": "S2", "size": "100,000 bodies", "runs": 1, "violations": 0},
        {"test": "peer qdrant-edge full scan", **figures, "searches_per_s": 27.8, "recall_at_10": 1.0},
        {"test": "peer lfm2-colbert effort=fast", **figures, "searches_per_s": 1171.0, "recall_at_10": 0.9907},
        {"test": "peer few", **figures, "passages": 4000, "searches_per_s": 9000.0, "recall_at_10": 0.9},
        {"test": "peer pylate.server", "not_run": "it encodes", "cpu": "Xeon"},
    ]
    save(tmp_path, "service", rows)
    assert table("service-peers", tmp_path).splitlines()[2:7] == [
        "| Xeon | 23,412 | lfm2-colbert effort=fast | a shell | 1,171.0 | 20.0 | 41.5 | 5.7 | 0.991 | 0 | 1.0 |",
        "| Xeon | 23,412 | qdrant-edge full scan | a shell | 27.8 | 20.0 | 41.5 | 5.7 | 1.000 | 0 | 1.0 |",
        "| Xeon | 4,000 | few | a shell | 9,000.0 | 20.0 | 41.5 | 5.7 | 0.900 | 0 | 1.0 |",
        "| Xeon |  | pylate.server | not run: it encodes |  |  |  |  |  |  |  |",
        "",
    ]


def test_an_index_is_a_line_that_shows_what_it_costs_and_finds(tmp_path: Path) -> None:
    setting = {"system": "lfm2-colbert", "codec": "scalar2", "pool": 2, "effort": "balanced"}
    costs = {"bytes_per_passage": 2512.4, "cpu_ms_per_query": 9.04}
    rows = [
        setting | {"mode": "semantic", "ndcg_at_10": 0.7512} | costs | {"cpu_ms_per_query": 8.1},
        setting | {"mode": "hybrid", "ndcg_at_10": 0.7689} | costs,
        {"system": "e5", "codec": "float32", "pool": 1, "effort": "exact", "mode": "semantic", "ndcg_at_10": 0.7132,
         "bytes_per_passage": 1536, "cpu_ms_per_query": 24.36},
    ]  # fmt: skip
    save(tmp_path, "pareto", rows)
    assert table("pareto", tmp_path).splitlines()[2:4] == [
        "| scalar2 | 2 | balanced | 2,512 | 9.0 | 75.1 | 76.9 |",
        "| e5, one vector |  |  | 1,536 | 24.4 | 71.3 |  |",
    ]


def test_an_encoder_of_the_panel_is_a_line_with_how_far_it_is_from_the_one_before(tmp_path: Path) -> None:
    tasks = {"within": ("de", "de", 0.8), "across": ("de", "ja", 0.6)}
    rows: list[dict[str, Any]] = [
        {"dataset": name, "query_language": asked, "document_language": read, "system": "lfm2-colbert",
         "setting": f"{mode} balanced", "ndcg_at_10": ndcg + gain, "encoder": encoder}
        for name, (asked, read, ndcg) in tasks.items()
        for mode, gain in (("semantic", 0.0), ("hybrid", 0.02))
        for encoder in ("nano-0", "nano-1")
    ]  # fmt: skip
    compared = {"dataset": "mean of the panel", "system": "nano-1 against nano-0"}
    rows += [
        compared | {"setting": mode, "difference": 0.0394, "low": 0.0312, "high": 0.0478}
        for mode in ("semantic", "hybrid")
    ]
    save(tmp_path, "panel", rows)
    difference = "+3.9 [+3.1, +4.8]"
    assert table("panel-encoders", tmp_path).splitlines()[2:4] == [
        "| nano-0 | 70.0 | 80.0 | 60.0 | 72.0 |  |  |",
        f"| nano-1 | 70.0 | 80.0 | 60.0 | 72.0 | {difference} | {difference} |",
    ]
