# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Is it good, with your documents?
#
# An evaluation asks questions whose answers are known, and counts how high those answers stand. This notebook evaluates
# a small set in four languages, reads the intervals, and asks whether one system is really better than another. It
# needs the extra `eval`.

# %%
import tempfile
from collections import defaultdict
from pathlib import Path

from eval import Options, evaluate
from eval.compare import compare
from eval.datasets import folder
from eval.output import write

ROOT = next(place for place in (Path.cwd(), *Path.cwd().parents) if (place / "examples" / "handbook").is_dir())
work = tempfile.TemporaryDirectory()

# %% [markdown]
# ## The set
#
# `examples/handbook` has a folder for each language, in BEIR's layout: documents, questions, and which document answers
# which question. A set of your own is the same three files.

# %%
tasks = list(folder.tasks(ROOT / "examples" / "handbook"))
for task in tasks:
    query_id, query = next(iter(task.queries.items()))
    print(f"{task.language}: {len(task.documents)} documents, {len(task.queries)} questions, such as {query}")

# %% [markdown]
# ## Measure
#
# Each task is indexed, and asked as users ask: by meaning, and by meaning and words. `bm25` is the baseline, the best
# of searching by words. Vectors and answers are kept in `cache`, so that a second call does only what is new.

# %%
report = evaluate(
    tasks,
    Options(modes=("semantic", "hybrid"), baselines=("bm25",)),
    encoder="nano",
    cache=Path(work.name) / "evaluations",
)
print(f"{'':4}{'system':43}{'nDCG@10':>8}  95 %")
for row in report.rows:
    figure, low, high = (100 * row.figures[name] for name in ("ndcg_at_10", "ndcg_low", "ndcg_high"))
    print(f"{row.task.document_language:4}{row.system!s:43}{figure:8.1f}  [{low:.1f}, {high:.1f}]")

# %% [markdown]
# nDCG@10 is 100 when the right document always comes first, and less the further down it is. The interval says where
# the figure could lie had other questions of the same kind been asked: ten questions leave it wide.

# %% [markdown]
# `oracle` is exact MaxSim over all of the encoder's own vectors, nothing stored in codes and nothing left out. What
# storing and searching lose against it is told question by question, with an interval of its own:

# %%
for row in report.rows:
    if "exact_difference" in row.figures:
        lost, low, high = (100 * row.figures[name] for name in ("exact_difference", "exact_low", "exact_high"))
        print(f"{row.task.document_language:4}{row.system!s:35}{lost:+8.1f}  [{low:+.1f}, {high:+.1f}]")

# %% [markdown]
# ## Is one better than the other?
#
# Both are compared on the same questions. p says how often so large a difference would come about if the two were
# equally good and luck alone had named them A and B. *Not distinguishable* is no proof that both are equal: more
# questions might tell.

# %%
contrast = compare(report, report, systems=("bm25", "lfm2-colbert hybrid balanced"))
print("A", contrast.system_a, "· B", contrast.system_b)
for each in contrast.tasks:
    found = each.contrast
    print(
        f"{each.task.document_language}  {found.a:.3f} → {found.b:.3f}  p {found.p_corrected:.4f}  B is {found.verdict}"
    )
print(contrast.sentence)

# %% [markdown]
# Does hybrid search gain over vectors alone, here?

# %%
print(compare(report, report, systems=("lfm2-colbert semantic balanced", "lfm2-colbert hybrid balanced")).sentence)

# %% [markdown]
# ## Across languages
#
# The four languages hold the same rules under the same ids, so questions of one can be asked of the documents of
# another. Words alone find next to nothing there.

# %%
crossed = list(
    folder.tasks(ROOT / "examples" / "handbook", document_languages=("de",), query_languages=("ar", "en", "ja"))
)
across = evaluate(crossed, Options(modes=("semantic",)), encoder="nano", cache=Path(work.name) / "evaluations")
by_task = defaultdict(dict)
for row in across.rows:
    by_task[row.task][row.system.system] = row.figures["ndcg_at_10"]
for task, figures in by_task.items():
    shown = ", ".join(f"{name} {100 * figure:.1f}" for name, figure in figures.items())
    print(f"{task.query_language} → {task.document_language}: {shown}")

# %% [markdown]
# ## Where it fails
#
# A mean hides what to do about it. The report keeps the questions that went worst, what was found and what was missed.

# %%
for example in report.examples[:3]:
    print(f"{example.query}  ({example.system}, nDCG@10 {example.ndcg_at_10:.2f})")
    print("    first:", example.hits[0].text)
    for document in (hit for hit in (*example.hits, *example.missed) if hit.grade):
        print("    right:", document.text)

# %% [markdown]
# ## As a page
#
# `write` lays all of it down: `index.html` shows the tables, intervals, charts and failures and needs no network; the
# rest is JSON for programs, and what `compare` reads.

# %%
written = Path(work.name) / "report"
write(report, written)
print(sorted(path.name for path in written.iterdir()))

# %%
work.cleanup()

# %% [markdown]
# **Where to go on.** The same from the shell: `lfm2-colbert eval folder examples/handbook -o report`. [Sets of your
# own, public sets, and a guard for releases](../docs/guides/evaluating.md). [What each figure
# means](../docs/reference/evaluation.md).
