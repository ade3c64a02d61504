# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # How late interaction works
#
# Most vector searches squeeze a text into one vector. Here every *token* keeps its own. Question and passage meet only
# at the end ("late"): each token of the question looks for the token of the passage that is nearest to it, and the
# score is the sum of what they find. That is *MaxSim*, and this notebook does it by hand.

# %%
import html
import tempfile
from pathlib import Path

import numpy as np

from index import Collection, Document
from lfm2_colbert import load_encoder

ROOT = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "examples" / "handbook").is_dir())
work = tempfile.TemporaryDirectory()
encoder = load_encoder("nano")

# %% [markdown]
# ## Two texts become two lists of vectors
#
# The encoder gives a vector of unit length for each token. `query_spans` and `document_spans` say which stretch of the
# text each vector stands for; a few stand for no text (the beginning, markers) and have the span −1.

# %%
question = "Who allows me to fly?"
passage = "Bahnreisen werden in der zweiten Klasse gebucht; Flüge genehmigt die Abteilungsleitung."


def tokens(text, spans):
    """Give the words that vectors stand for; those without text are shown as a dot."""
    return [text[start:end].strip() if start >= 0 else "·" for start, end in spans.tolist()]


query_vectors = encoder.encode_queries([question])[0]  # (n_q, dim)
passage_vectors = encoder.encode_documents([passage])[0]  # (n_d, dim)
print("question", query_vectors.shape, tokens(question, encoder.query_spans(question)))
print("passage ", passage_vectors.shape, tokens(passage, encoder.document_spans(passage)))
print("lengths are 1:", bool(np.allclose(np.linalg.norm(passage_vectors.astype(np.float32), axis=1), 1, atol=1e-2)))

# %% [markdown]
# ## The matrix
#
# All dot products at once: a row for each token of the question, a column for each token of the passage. The best of
# each row is what that token found.

# %%
similarities = query_vectors.astype(np.float32) @ passage_vectors.astype(np.float32).T  # (n_q, n_d)
best = similarities.argmax(axis=1)
rows, columns = tokens(question, encoder.query_spans(question)), tokens(passage, encoder.document_spans(passage))
for row, column in enumerate(best):
    print(f"{similarities[row, column]:.2f}  {rows[row]:10} → {columns[column]}")
print(f"MaxSim is the sum: {similarities.max(axis=1).sum():.3f}")

# %% [markdown]
# The same as a picture: dark is near, a cross marks the best of each row. It is drawn with matplotlib where that is
# installed (extra `eval`), else as a table. The table can show every script, since a browser brings the fonts: further
# down it draws Japanese beside German.


# %%
class HeatMap:
    """A matrix as a table in a notebook; the best of each row is framed."""

    def __init__(self, values, rows, columns):
        self.values, self.rows, self.columns = values, rows, columns

    def _cell(self, row, column):
        value = float(self.values[row, column])
        frame = "outline:2px solid #c00;" if column == self.values[row].argmax() else ""
        shade = f"background:rgba(40,90,160,{max(value, 0.0):.2f});{frame}"
        return f'<td style="{shade}" title="{value:.2f}">{value:.1f}</td>'

    def _repr_html_(self):
        """Draw it."""
        head = "".join(f"<th>{html.escape(column)}</th>" for column in self.columns)
        lines = [
            f"<tr><th>{html.escape(name)}</th>{''.join(self._cell(row, i) for i in range(len(self.columns)))}</tr>"
            for row, name in enumerate(self.rows)
        ]
        return f"<table><tr><th></th>{head}</tr>{''.join(lines)}</table>"


def draw(values, rows, columns, path):
    """Draw a matrix with matplotlib into a file; a notebook shows it too."""
    figure, axes = plt.subplots(figsize=(0.4 * len(columns) + 2, 0.35 * len(rows) + 1.5), layout="constrained")
    image = axes.imshow(values, cmap="Blues", aspect="auto")
    axes.set_xticks(range(len(columns)), columns, rotation=60, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    axes.plot(values.argmax(axis=1), range(len(rows)), "x", color="crimson")
    figure.colorbar(image, label="cosine")
    figure.savefig(path, dpi=100)


try:
    import matplotlib.pyplot as plt
except ImportError:
    plt = None

if plt is not None:
    draw(similarities, rows, columns, Path(work.name) / "maxsim.png")
heat_map = HeatMap(similarities, rows, columns) if plt is None else None
heat_map

# %% [markdown]
# ## The sum is the score
#
# Now the same through a collection. `float16` stores vectors as they are, save for rounding. `exact` scores every
# passage with every stored bit, `semantic` leaves words out. Then `raw_score` of a hit is the very sum of the row
# maxima:

# %%
rules = Collection.open("rules", create=True, encoder=encoder, codec="float16", home=work.name)
rules.add_files(ROOT / "examples" / "handbook" / "de" / "corpus.jsonl")
hit = rules.search(question, k=1, mode="semantic", effort="exact").hits[0]
print("found:    ", hit.text)
by_hand = float(similarities.max(axis=1).sum())
print(f"by hand    {by_hand:.4f}\nraw_score  {hit.raw_score:.4f}")
if hit.text != passage or abs(by_hand - hit.raw_score) > 0.005:
    raise SystemExit("the search found something else than the sum says")
print("the sum equals raw_score")

# %% [markdown]
# The default codec `scalar4` stores 8 bits a dimension instead of 16. The sum then holds for the vectors *as they are
# stored*, which `evidence` gives back, to about a thousandth; the encoder's own vectors give nearly the same.

# %%
small = Collection.open("small", create=True, encoder=encoder, home=work.name)
small.add([Document(name, document.text) for name in rules.ids() if (document := rules.get(name))])
coded = small.search(question, k=1, mode="semantic", effort="exact").hits[0]
stored = small.evidence([coded])[0].vectors
from_codes = float((query_vectors.astype(np.float32) @ stored.T).max(axis=1).sum())
print(f"stored codes {from_codes:.4f}, raw_score {coded.raw_score:.4f}, without codes {by_hand:.4f}")

# %% [markdown]
# ## The same across languages
#
# Nothing above asked for a language. The encoder puts words that mean the same near each other, whatever they are
# written in. These questions all ask whether one may bring a dog; the answer is German. Each time the sum is the score.
# Where it says *wrong*, another rule got the larger sum: that is what a small encoder gets wrong. Thai is not among the
# ten languages that the bundled encoder was trained for; a whole question becomes four vectors, and whether that finds
# the right rule is luck.

# %%
dogs = {
    "en": "May my dog 🐕 come to work?",
    "ar": "هل يمكنني إحضار كلبي إلى العمل؟",
    "ja": "犬🐕と出勤できますか？",
    "ko": "개를 데리고 출근해도 되나요?",
    "zh": "我可以带狗上班吗？",
    "th": "ฉันพาสุนัขไปทำงานได้ไหม",
}
for language, asked in dogs.items():
    hit = rules.search(asked, k=1, mode="semantic", effort="exact").hits[0]
    vectors = encoder.encode_queries([asked])[0].astype(np.float32)
    matrix = vectors @ encoder.encode_documents([hit.text])[0].astype(np.float32).T
    if abs(matrix.max(axis=1).sum() - hit.raw_score) > 0.005:
        raise SystemExit(f"the sum is not the score in {language}")
    right = "right" if "Hunde" in hit.text else "wrong"
    print(f"{language}  {hit.raw_score:6.3f} = sum of {len(vectors):2} maxima  {right}  {hit.text}")
print(f"the sum is the score in {len(dogs)} languages")

# %% [markdown]
# A token of the question need not mean anything to have a best match: a full stop finds some full stop. What makes the
# score is the *difference* between passages, so compare scores of one question, and never those of two.

# %%
asked = dogs["ja"]
answer = next(document.text for name in rules.ids() if (document := rules.get(name)) and "Hunde" in document.text)
matrix = (
    encoder.encode_queries([asked])[0].astype(np.float32) @ encoder.encode_documents([answer])[0].astype(np.float32).T
)
asked_tokens, answer_tokens = tokens(asked, encoder.query_spans(asked)), tokens(answer, encoder.document_spans(answer))
for row, column in enumerate(matrix.argmax(axis=1)):
    print(f"{matrix[row, column]:.2f}  {asked_tokens[row]} → {answer_tokens[column]}")
HeatMap(matrix, asked_tokens, answer_tokens)

# %%
small.close()
rules.close()
work.cleanup()

# %% [markdown]
# **Where to go on.** The definition in eleven lines: [`index/maxsim.py`](../index/maxsim.py). What makes it fast: [the
# engine](../docs/reference/engine.md) and [notebook 06](06_scale_and_tuning.py). What `score`, between 0 and 1, means:
# [searching](../docs/guides/searching.md#what-a-score-means).
