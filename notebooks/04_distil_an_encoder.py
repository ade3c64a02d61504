# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Distil an encoder for your documents
#
# Late-interaction encoders learn from a teacher: of a question and some passages, the student's scores shall be spread
# as the teacher's are. This notebook first shows that loss on four passages, then teaches `nano` the example documents
# by questions that are made of their own titles and first sentences, and asks an index with held-out questions whether
# that helped. The budget is some seconds, so expect no gain: what matters is that the command says so, and offers no
# model that is not surely better. It needs the extra `train`.

# %%
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from lfm2_colbert.training.losses import ranking_divergence

ROOT = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "examples" / "handbook").is_dir())
work = tempfile.TemporaryDirectory()

# %% [markdown]
# ## What a student is told
#
# A teacher scores four passages for a question. The student likes the wrong one best; the loss is the divergence of
# both distributions, and its gradient says which scores have to rise: those where it is negative.

# %%
teacher = torch.tensor([[0.9, 0.6, 0.2, 0.1]])
student = torch.tensor([[0.3, 0.7, 0.2, 0.1]], requires_grad=True)
loss = ranking_divergence(student, teacher)
loss.backward()
print(f"loss {loss.item():.4f} · rises: {[n for n, slope in enumerate(student.grad[0].tolist()) if slope < 0]}")
print(f"loss of a student that agrees: {ranking_divergence(teacher, teacher).item():.4f}")

# %% [markdown]
# ## Questions out of the documents, and an encoder that learns them
#
# `adapt` reads a folder as `index` does, lets titles, headings and first sentences ask for the passages they were
# taken out of, keeps a quarter of the documents apart, mines passages that are hard to tell from the answers, trains,
# and asks the index before and after. `recipes/domain.toml` takes some minutes; here it gets a budget of seconds.

# %%
documents = Path(work.name) / "documents"
for language in ("de", "en", "fr"):
    shutil.copytree(ROOT / "examples" / "documents" / language, documents / language)
recipe = Path(work.name) / "seconds.toml"
lines = (ROOT / "recipes" / "domain.toml").read_text(encoding="utf-8").splitlines()
recipe.write_text(
    "\n".join("tokens = 3000" if line.startswith("tokens =") else line for line in lines), encoding="utf-8"
)
out = Path(work.name) / "adapted"
command = [
    sys.executable,
    "-m",
    "service",
    "adapt",
    str(documents),
    str(recipe),
    "-o",
    str(out),
    "--json",
]
told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)
asked = told["questions"]
print(f"{told['documents']} documents · {asked['training']} questions to learn from, {asked['held_out']} held out")

# %% [markdown]
# ## Did it help?
#
# nDCG@10 of the held-out questions before and after, with the 95 % interval of the difference. Only if that lies above
# zero, `adapted/model` is written, for `lfm2-colbert index FOLDER --model adapted/model`.

# %%
for mode, gain in told["gains"].items():
    print(f"{mode}: {gain['a']:.3f} → {gain['b']:.3f}, gain [{gain['low']:+.3f}, {gain['high']:+.3f}]")
print("a model is offered:", told["helped"], "· it is there:", (out / "model").exists())

# %% [markdown]
# ## From here
#
# - `lfm2-colbert adapt FOLDER -o DIR` with the whole recipe, and with questions that a language model writes
#   (`--questions server`).
# - `lfm2-colbert train RECIPE.toml`, `mine` and `score` for own questions, other teachers, and LFM2-ColBERT-350M
#   (`docs/guides/training.md`).

# %%
work.cleanup()
