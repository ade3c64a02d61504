# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Answers that say what they rest on
#
# A server answers questions out of a collection. Each sentence of an answer is held against the passages that were
# found and says which stretch of which document it rests on, or that none says so. Without a language model sentences
# of the documents are quoted, so nothing is made up. This notebook starts a server on this machine, asks it, and then
# judges sentences that somebody made up. It needs the extra `serve`.

# %%
import atexit
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from index import Collection
from service.client import Client
from service.rag.grounds import Ground
from service.rag.support import judge

ROOT = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "examples" / "handbook").is_dir())
work = tempfile.TemporaryDirectory()

# %% [markdown]
# ## A handbook in German
#
# Twelve rules of a company that does not exist.

# %%
with Collection.open("handbook", create=True, encoder="nano", home=work.name) as collection:
    collection.add_files(ROOT / "examples" / "handbook" / "de" / "corpus.jsonl")
    print(collection.counts().documents, "documents")

# %% [markdown]
# ## Start a server
#
# It listens on this machine alone, at a free port, and says first where. `/readyz` tells when it answers. In a shell
# this is `lfm2-colbert serve`.

# %%
command = [sys.executable, "-m", "service", "serve", "--home", work.name, "--port", "0", "--model", "nano"]
server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
atexit.register(server.kill)  # should a cell fail
url = server.stdout.readline().split()[0]


def ready():
    """Say whether the server answers."""
    try:
        with urlopen(f"{url}/readyz") as answer:
            return answer.status == 200
    except URLError:
        return False


while not ready():
    if server.poll() is not None:
        raise SystemExit("the server has ended: run `lfm2-colbert serve` in a shell to see why")
    time.sleep(0.1)
print("a server answers on this machine:", url.startswith("http://127.0.0.1:"))

# %% [markdown]
# ## Ask it
#
# Questions in five languages about German rules. A citation counts code points of the document's text, so what it names
# can be cut out and shown.

# %%
client = Client(url)
handbook = client.collection("handbook")
questions = [
    "How much paid holiday do new employees get?",
    "Darf mein Hund 🐕 zur Arbeit mit?",
    "パスワードは何文字必要ですか？",
    "متى أحتاج إلى ورقة من الطبيب؟",
    "发生火灾时在哪里集合？",
]
for question in questions:
    answer = handbook.answer(question)
    print(question)
    for sentence in answer.sentences:
        print(f"    {'✓' if sentence.supported else '⚠'} {sentence.text}")
        for citation in sentence.citations:
            text = handbook.get(citation.document_id).text
            print(
                f"        {citation.document_id} {citation.start}-{citation.end}:", text[citation.start : citation.end]
            )

# %% [markdown]
# The answers are quotations, word for word, and so each is supported with a score of 1. Whether a quotation *answers*
# the question is another matter: it is the best that the search found.
#
# ## A language model writes, and is checked
#
# `lfm2-colbert serve --llm http://127.0.0.1:8080/v1` lets a language model write the answer. Then sentences may say
# what no passage says. There is no language model in this notebook, so we play it ourselves, and judge what we wrote by
# the same function. It needs the passages that were found, and their stored vectors.

# %%
reader = Collection.open("handbook", home=work.name)
hits = reader.search("How much paid holiday do new employees get?", k=5).hits
grounds = [Ground(hit, evidence) for hit, evidence in zip(hits, reader.evidence(hits), strict=True) if evidence]


def show(sentence):
    """Judge a sentence and print the verdict."""
    verdict = judge(sentence, grounds, reader.encoder)
    rests_on = [citation.document_id for citation in verdict.citations] if verdict.supported else []
    lacking = f", numbers that stand nowhere: {', '.join(verdict.missing_numbers)}" if verdict.missing_numbers else ""
    said = "supported  " if verdict.supported else "UNSUPPORTED"
    print(f"{said} {verdict.score:.2f} of {verdict.threshold:.2f} {rests_on}{lacking}\n    {sentence}")
    return verdict


# %% [markdown]
# What stands there, said in the same words and in other languages:

# %%
for sentence in (
    "Neue Mitarbeiter haben im ersten Jahr 24 Tage bezahlten Urlaub.",
    "New employees have 24 days of paid vacation in their first year.",
    "新入社員は初年度に24日の有給休暇を取得できます。",
):
    show(sentence)

# %% [markdown]
# What does not stand there. The first is made up from beginning to end; the others are nearly right, with another
# number. Numbers are compared as numbers, in the digits of all scripts.

# %%
made_up = show("The company was founded in Lisbon by two brothers who made bicycles.")
wrong_number = show("Neue Mitarbeiter haben im ersten Jahr 30 Tage bezahlten Urlaub.")
wrong_digits = show("يحق للموظفين الجدد ٣٠ يوما من الإجازة المدفوعة في السنة الأولى.")

# %% [markdown]
# ## How far to trust it
#
# No second language model is asked, so some things are not seen: another name in a sentence that else stands there, a
# "not", who did what to whom. A sentence in quite other words may be marked though it is right. The
# [guide](../docs/guides/answers.md#how-far-supported-can-be-trusted) has what was measured. See for yourself:

# %%
turned = show("Neue Mitarbeiter haben im ersten Jahr nicht 24 Tage bezahlten Urlaub.")

# %% [markdown]
# ## Tidy up

# %%
reader.close()
client.close()
server.terminate()
server.wait(30)
server.stdout.close()
work.cleanup()

# %% [markdown]
# **Where to go on.** [Answers](../docs/guides/answers.md): language models, events, chat programs, and what a poisoned
# document can do. [The client](../docs/guides/client.md). [Serving](../docs/guides/serving.md), with keys where others
# may ask.
