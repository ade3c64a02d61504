"""An answer on the search page: sentences that lead to the very stretch they rest on, and those that rest on none."""

from pathlib import Path
from urllib.parse import urlencode

from benchmarks.serving.server import served
from index import Collection, Document
from service.rag.answer import Answer, AnswerSentence, Citation
from service.ui.answer_part import answer_part
from service.ui.frame import fragment
from service.ui.words import words_for

TEXT = "Die Kantine öffnet um elf. Im ersten Jahr haben Mitarbeiter 24 Urlaubstage. Der Hund schläft."


def test_an_answer_quotes_and_leads_to_what_it_quotes(tmp_path: Path) -> None:
    with Collection.open("handbook", create=True, encoder="nano", home=tmp_path) as collection:
        collection.add([Document("de/urlaub", TEXT)])
    with served(tmp_path, model="nano") as ask:
        asked = urlencode({"c": "handbook", "q": "Wie viele Urlaubstage im ersten Jahr?"})
        page = ask("GET", f"/ui/parts/answer?{asked}").body.decode()
        start = TEXT.index("Im ersten")
        assert "24 Urlaubstage" in page
        assert f"s={start}&amp;" in page
        place = urlencode({"c": "handbook", "id": "de/urlaub", "s": start, "e": start + 10})
        document = ask("GET", f"/ui/parts/document?{place}").body.decode()
        assert '<mark id="cited">Im ersten </mark>' in document
        beyond = urlencode({"c": "handbook", "id": "de/urlaub", "s": 10**9, "e": 5})
        assert '<mark id="cited"></mark>' in ask("GET", f"/ui/parts/document?{beyond}").body.decode()
        hits = ask("GET", f"/ui/parts/hits?{asked}").body.decode()
        assert 'hx-trigger="load delay:300ms"' in hits


def test_a_sentence_that_rests_on_nothing_is_marked() -> None:
    cited = Citation("a", 0, 0, 5, "words")
    sentences = (
        AnswerSentence("True.", 0, 5, supported=True, score=1.0, citations=(cited,)),
        AnswerSentence("Made up <b>.", 6, 18, supported=False, score=0.1),
    )
    answer = Answer("q", "q", "c", "True. Made up <b>.", sentences, (), (), "llm", {})
    shown = fragment(answer_part(answer, words_for("en", "")))
    assert shown.count("No passage supports this sentence") == 2  # to be read, and to be heard
    assert "Made up &lt;b&gt;." in shown
    assert shown.index("True.") < shown.index("[1]") < shown.index("Made up")
