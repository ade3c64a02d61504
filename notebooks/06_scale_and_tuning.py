# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Scale and tuning
#
# Late interaction keeps a vector for every token. Three choices decide what that costs: how vectors are stored
# (*codec*), how many are kept (*pooling*), and how hard a search looks (*effort*). This notebook measures all three on
# the examples: bytes a token, and how much of what exact search over unrounded vectors finds is still found. The
# defaults are good; change them for a reason.

# %%
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from index import Collection, Document
from index.chunking import chunk
from index.maxsim import maxsim_scores
from lfm2_colbert import MultiVectors, load_encoder

ROOT = next(place for place in (Path.cwd(), *Path.cwd().parents) if (place / "examples" / "handbook").is_dir())
work = tempfile.TemporaryDirectory()
encoder = load_encoder("nano")

# %% [markdown]
# ## Encode once
#
# Encoding is what takes time, so it is done once: every second example is read, cut into passages by the encoder's own
# token budget, and encoded. Each collection below gets the same vectors; a passage is a document of its own there. The
# questions are those of the examples, in eight languages.

# %%
with Collection.open("read", create=True, encoder="hashing", home=work.name) as read:
    read.add_files(ROOT / "examples" / "documents")
    texts = {name: document.text for name in read.ids()[::2] if (document := read.get(name))}
passages = [
    Document(f"{name}#{passage.ordinal}", text[passage.start : passage.end])
    for name, text in texts.items()
    for passage in chunk(text, encoder)
]
vectors = encoder.encode_documents([passage.text for passage in passages])
print(f"{len(passages)} passages, {len(vectors.vectors):,} vectors of {vectors.dim} dimensions")

asked = [each["question"] for each in json.loads((ROOT / "examples/questions.json").read_text(encoding="utf-8"))]
for language in ("ar", "de", "en", "ja"):
    lines = (ROOT / "examples/handbook" / language / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    asked += [json.loads(line)["text"] for line in lines]
asked += ["시트를 어떻게 인쇄합니까?", "如何打印工作表？", "พลังงานนิวเคลียร์คืออะไร", "🐕?"]
queries = list(encoder.encode_queries(asked))
print(len(queries), "questions")

# %% [markdown]
# ## What is held against what
#
# The truth is MaxSim over the vectors as the encoder gave them, by its definition in `index/maxsim.py`. *Recall* is the
# share of its ten best passages that a search has among its own ten.

# %%
truth = []
for query in queries:
    scores = maxsim_scores(query, vectors)
    truth.append({passages[i].id for i in np.argsort(-scores, kind="stable")[:10]})


def recall(collection, effort="exact"):
    """Give the share of the ten truly best passages that are found, and the milliseconds of a search."""
    started = time.perf_counter()
    found = [collection.search_vectors(query, k=10, effort=effort) for query in queries]
    milliseconds = 1000 * (time.perf_counter() - started) / len(queries)
    shares = [len(best & {name for name, _ in hits}) / 10 for best, hits in zip(truth, found, strict=True)]
    return sum(shares) / len(shares), milliseconds


def bytes_a_token(name):
    """Give the size of the files of vectors, over the tokens that the texts have."""
    size = sum(path.stat().st_size for path in (Path(work.name) / name / "segs").glob("*.seg"))
    return size / len(vectors.vectors)


def build(codec, pool=1):
    """Make a collection of the encoded passages."""
    name = f"{codec}-{pool}"
    collection = Collection.open(name, create=True, encoder=encoder, codec=codec, pool=pool, home=work.name)
    collection.add(passages, vectors=vectors)
    return name, collection


# %% [markdown]
# ## Codecs
#
# `float16` keeps the vectors as they are. `scalar4`, the default, keeps 4 bits a dimension to choose by and 4 more to
# be exact with. `scalar4-coarse` leaves out the second four, `scalar2` keeps 2 bits.

# %%
print(f"{'codec':16}{'bytes a token':>14}{'recall@10':>11}{'ms':>7}")
measured = {}
for codec in ("float16", "scalar4", "scalar4-coarse", "scalar2"):
    name, collection = build(codec)
    with collection:
        share, milliseconds = recall(collection)
    measured[codec] = share
    print(f"{codec:16}{bytes_a_token(name):14.1f}{share:11.3f}{milliseconds:7.1f}")
if not measured["float16"] > measured["scalar4"] > measured["scalar4-coarse"] > measured["scalar2"]:
    raise SystemExit("fewer bits found more")
print("fewer bits find less, and float16 finds", f"{measured['float16']:.1%}")

# %% [markdown]
# Recall against unrounded vectors is a severe measure: what takes the place of a passage that is lost is nearly as
# good. Measured by answers found, codecs lie closer together ([the engine](../docs/reference/engine.md)). `float16` is
# there to compare with: it is slow, since it has no kernels.

# %% [markdown]
# ## Pooling
#
# Vectors of a passage that are near each other are joined: with 2 about half are left, with 3 a third. It can be laid
# over any codec.

# %%
print(f"{'codec':16}{'pool':>5}{'bytes a token':>14}{'recall@10':>11}{'ms':>7}")
for codec in ("scalar4", "scalar4-coarse"):
    for pool in (1, 2, 3):
        name, collection = build(codec, pool)
        with collection:
            share, milliseconds = recall(collection)
        print(f"{codec:16}{pool:5}{bytes_a_token(name):14.1f}{share:11.3f}{milliseconds:7.1f}")

# %% [markdown]
# ## Efforts
#
# Small collections, up to 250,000 tokens, are scored whole, whatever the effort: choosing would cost as much. So here
# all efforts find the same:

# %%
name, collection = build("scalar4")
found = {effort: recall(collection, effort)[0] for effort in ("fast", "balanced", "exact")}
print({effort: round(share, 3) for effort, share in found.items()})
print("all efforts find the same:", len(set(found.values())) == 1)
collection.close()

# %% [markdown]
# To see centroids at work, a larger collection is needed. The examples are too few, so each passage gets five shadows,
# its vectors with a little noise: that is no text, but it crowds the space as more texts would. `optimize` then trains
# centroids. `index` does it by itself when it pays.

# %%
generator = np.random.default_rng(0)


def shadow():
    """Give all vectors with noise, brought back to unit length."""
    values = vectors.vectors.astype(np.float32)
    values = values + generator.normal(0, 0.04, values.shape).astype(np.float32)
    return MultiVectors(values / np.linalg.norm(values, axis=1, keepdims=True), vectors.offsets)


crowded = Collection.open("crowded", create=True, encoder=encoder, home=work.name)
crowded.add(passages, vectors=vectors)
for copy in "abcde":
    crowded.add([Document(f"{each.id}-{copy}", each.text) for each in passages], vectors=shadow())
optimized = crowded.optimize()
print(f"{crowded.counts().tokens:,} tokens, {optimized.centroids:,} centroids")

exact = [[name for name, _ in crowded.search_vectors(query, k=10, effort="exact")] for query in queries]
truth = [set(names) for names in exact]
for effort in ("fast", "balanced", "exact"):
    share, milliseconds = recall(crowded, effort)
    print(f"{effort:9} recall@10 against exact {share:.3f}  {milliseconds:5.1f} ms")
crowded.close()

# %%
work.cleanup()

# %% [markdown]
# ## What to choose
#
# - Leave the defaults, `scalar4` and `balanced`, until disk or time is short.
# - Short of disk: `--codec scalar4-coarse`, then `scalar2`: on [real questions](../docs/reference/engine.md) they lose
#   little of what answers them. Pooling loses more there.
# - Always measure with your own questions: `lfm2-colbert eval folder SET --codec scalar4-coarse`
#   ([notebook 03](03_evaluate_and_compare.py)).
#
# **Where to go on.** [The engine](../docs/reference/engine.md), beside other engines and up to half a million passages.
