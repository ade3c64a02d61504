# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # The first hour
#
# Index a folder, ask it in other languages, see which words matched, narrow a search down, and look at what is stored.
# Everything runs on this machine: the encoder `nano` comes with the package, nothing is fetched. What this notebook
# makes lies in a temporary folder.

# %%
import json
import tempfile
from pathlib import Path

from index import Collection, Document, SearchOptions

ROOT = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "examples" / "handbook").is_dir())
work = tempfile.TemporaryDirectory()

# %% [markdown]
# ## A folder becomes a collection
#
# `examples/documents` holds 371 short documents in eleven languages, as text, Markdown, HTML and JSON Lines. No text is
# there in two languages. A document's id is its path below the folder.

# %%
collection = Collection.open("examples", create=True, encoder="nano", home=work.name)
report = collection.add_files(ROOT / "examples" / "documents")
print(f"{report.documents} documents, {report.passages} passages, {report.seconds:.1f} s, {len(report.failed)} failed")

# %% [markdown]
# A second run looks at the files, finds them as they were, and encodes nothing. So it can be run as often as you like.

# %%
again = collection.add_files(ROOT / "examples" / "documents")
print(f"added {again.added}, changed {again.changed}, unchanged {again.unchanged}, encoded {again.encoded_passages}")

# %% [markdown]
# ## A question in one language, the answer in another
#
# `examples/questions.json` knows the only document that answers each question. Seven of the eight are asked in another
# language than that document's. They were picked as examples that go well; how often that is so over all questions is
# measured in the README.

# %%
questions = json.loads((ROOT / "examples" / "questions.json").read_text(encoding="utf-8"))
found = 0
for asked in questions:
    hits = collection.search(asked["question"], k=3).hits
    ranks = [hit.rank for hit in hits if hit.document_id in asked["answers"]]
    found += bool(ranks)
    print(f"{asked['language']} → {asked['answer_language']}  rank {ranks[0] if ranks else '-'}  {asked['question']}")
print(f"{found} of {len(questions)} answered within three hits")

# %% [markdown]
# ## Which words matched
#
# A hit shows its document's best passage. `highlights` are stretches of the document's text that words of the question
# matched, in code points: they are right in every script. Here a Chinese question finds an English passage.

# %%
hit = collection.search("1466年巴黎有多少人死于瘟疫？", k=1).hits[0]
text = collection.get(hit.document_id).text
print(hit.document_id, hit.language, f"score {hit.score:.2f}")
print(text[hit.span.start : hit.span.end][:120], "…")
print("matched:", [text[word.start : word.end] for word in hit.highlights])

# %% [markdown]
# `matches` says more: each token of the question, and the token of the passage that it found. Their cosines add up to
# the score, which is what the [next notebook](02_how_late_interaction_works.py) is about.

# %%
for match in sorted(hit.matches, key=lambda match: -match.score)[:5]:
    asked_word = "1466年巴黎有多少人死于瘟疫？"[match.query.start : match.query.end]
    print(f"{match.score:.2f}  {asked_word} → {text[match.passage.start : match.passage.end]}")

# %% [markdown]
# ## Meaning, words, or both
#
# `hybrid`, the default, weighs meaning and words. `semantic` goes by vectors alone, `lexical` by words alone: right for
# identifiers and names, which are the same in all languages, and helpless where the words differ.

# %%
for question in ("¿Qué es Internet2?", "Wie viele Quadratkilometer umfasst das Amazonasbecken?"):
    print(question)
    for mode in ("hybrid", "semantic", "lexical"):
        best = collection.search(question, k=1, mode=mode).hits
        print(f"    {mode:9}", best[0].document_id if best else "nothing")

# %% [markdown]
# ## Filters and facets
#
# `lang`, `path` and `id` are always there; other fields come from the metadata of documents. A filter says what may be
# found at all. A facet counts the documents of each value.

# %%
print("languages:", {facet.value: facet.documents for facet in collection.facets("lang", limit=20)})
print("fields:   ", [field.name for field in collection.fields()])

# %%
question = "How do I print a sheet?"
for where in (None, 'lang = "ko"', 'path prefix "fr/"', 'lang in ("ja", "pt")'):
    print(f"{where or 'everywhere':22}", [hit.document_id for hit in collection.search(question, k=2, where=where)])

# %% [markdown]
# With `lang_balance` languages take turns, so that none fills the whole list.

# %%
balanced = collection.search("Who discovered oxygen?", k=5, options=SearchOptions(lang_balance=True))
print([hit.language for hit in balanced])

# %% [markdown]
# ## Your own texts, from Python
#
# A document is an id, a text and, if you like, metadata. Here are a few notes in six languages. The same id again
# replaces a document.

# %%
notes = Collection.open("notes", create=True, encoder="nano", home=work.name)
notes.add(
    [
        Document(
            "de", "Im ersten Jahr haben Mitarbeiter Anspruch auf 24 Urlaubstage.", {"year": 2024, "topic": "leave"}
        ),
        Document("ja", "東京は日本の首都で、人口は約1400万人です。", {"year": 2023, "topic": "places"}),
        Document("ko", "회의실에서는 음식을 먹을 수 없습니다.", {"year": 2024, "topic": "office"}),
        Document("zh", "办公室的无线网络密码每个月更换一次。", {"year": 2025, "topic": "office"}),
        Document("ar", "تدفع الرواتب في الخامس والعشرين من كل شهر.", {"year": 2025, "topic": "pay"}),
        Document("en", "Dogs 🐕 may come along if nobody in the room is allergic.", {"year": 2025, "topic": "office"}),
    ]
)
for question in (
    "How many vacation days do new employees get?",
    "Darf mein Hund 🐕 mit ins Büro?",
    "給料日はいつですか？",
):
    print(question, "→", notes.search(question, k=1).hits[0].document_id)
print("topics since 2025:", {facet.value: facet.documents for facet in notes.facets("topic", where="year >= 2025")})

# %% [markdown]
# ## What is stored
#
# `counts` is what `lfm2-colbert status` prints. `verify` on the command line reads every byte again and holds it
# against its checksum.

# %%
counts = collection.counts()
print(
    f"{counts.documents} documents, {counts.passages} passages, {counts.tokens:,} tokens, {counts.bytes / 1e6:.1f} MB"
)
print(f"encoder {collection.settings.encoder}, codec {collection.settings.codec}, waiting {counts.pending}")

# %% [markdown]
# ## Tidy up
#
# Deleting a document takes it out of all searches at once. Closing gives the collection free for other writers.

# %%
print("deleted:", notes.delete("ko"), "· left:", notes.ids())
notes.close()
collection.close()
work.cleanup()

# %% [markdown]
# **Where to go on.** The same from the shell: `lfm2-colbert index FOLDER`, `lfm2-colbert search "…"`
# ([README](../README.md)). [All about searching](../docs/guides/searching.md), [filters](../docs/guides/filtering.md).
# Is it good with your documents? [Notebook 03](03_evaluate_and_compare.py).
