"""The parts of an estimate against their definitions: stretches, losses, and what stands for unread files."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.chunking import chunk
from index.estimating.clustering import clustering
from index.estimating.losses import Cloze, compared, found_first, loss, reciprocal
from index.estimating.sampling import CODE_POINTS_OF_A_TOKEN, PASSAGES_OF_A_STRETCH, Reservoir, drawn
from index.estimating.survey import Survey, Tally
from index.estimating.types import Cost
from index.maxsim import maxsim_scores
from index.types import Anchor, Document
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.multivectors import MultiVectors

SMALL = HashingEncoder(max_document_tokens=4)
LENGTH = PASSAGES_OF_A_STRETCH * CODE_POINTS_OF_A_TOKEN * SMALL.max_document_tokens
WORDS = [
    "Straße",
    "e\u0301\u0323",
    "مدينة",
    "日本の首都",
    "한국 휴가",
    "กรุงเทพ",
    "北京",
    "👨‍👩‍👧",
    ".",
    "。",
    "\n\n",
    " ",
]
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=40).map(" ".join)


@settings(max_examples=50)
@given(st.lists(texts, min_size=1, max_size=4))
def test_stretches_that_all_fit_are_the_documents(found: list[str]) -> None:
    reservoir = Reservoir(SMALL, np.random.default_rng(0), size=1000)
    for number, text in enumerate(found):
        reservoir.offer(Document(str(number), text))
    kept = list(reservoir.shuffled())
    for number, text in enumerate(found):
        own = [each.document.text[: each.own] for each in kept if each.document.id == str(number)]
        assert sorted(own) == sorted(text[start : start + LENGTH] for start in range(0, len(text), LENGTH))


def test_a_reservoir_keeps_every_stretch_equally_often() -> None:
    rng, kept = np.random.default_rng(1), np.zeros(20)
    for _ in range(1000):
        reservoir = Reservoir(SMALL, rng, size=5)
        for number in range(20):
            reservoir.offer(Document(str(number), "日本"))
        kept[[int(each.document.id) for each in reservoir.shuffled()]] += 1
    assert abs(kept - 250).max() < 5 * np.sqrt(1000 * 0.25 * 0.75)


def test_anchors_of_a_stretch_begin_with_the_one_that_reaches_into_it() -> None:
    pages = tuple(Anchor(start, {"page": page}) for page, start in enumerate((0, 20, 150, 270), start=1))
    reservoir = Reservoir(SMALL, np.random.default_rng(0))
    reservoir.offer(Document("a", "0123456789" * 30, anchors=pages))
    found = {each.document.text[0]: each.document.anchors for each in reservoir.shuffled()}
    assert {first: [(each.start, each.place["page"]) for each in own] for first, own in found.items()} == {
        "0": [(0, 1), (20, 2), (150, 3)],
        "8": [(0, 2), (22, 3), (142, 4)],
        "6": [(0, 3), (14, 4)],
    }


@settings(max_examples=30)
@given(texts)
def test_passages_of_a_whole_document_are_its_own(text: str) -> None:
    reservoir = Reservoir(SMALL, np.random.default_rng(0))
    reservoir.offer(Document("a", text[:LENGTH]))
    sample = drawn(reservoir, SMALL)
    whole = chunk(text[:LENGTH], SMALL)
    assert sample.passages == [text[each.start : each.end] for each in whole]
    assert (sample.tokens, sample.characters) == (sum(each.tokens for each in whole), len(text[:LENGTH]))


def test_passages_of_a_long_text_are_as_long_as_they_are_in_the_whole() -> None:
    rng = np.random.default_rng(2)
    text = " ".join("x" * int(n) for n in rng.choice([1, 2, 7], 4000))
    whole = chunk(text, SMALL)
    reservoir = Reservoir(SMALL, rng, size=1000)
    reservoir.offer(Document("a", text))
    sample = drawn(reservoir, SMALL, n_passages=1_000_000)
    assert len(sample.passages) / sample.characters == pytest.approx(len(whole) / len(text), rel=0.03)


KEPT = "Nur ein Satz, der für sich allein steht."


@pytest.mark.parametrize(
    ("first", "expected", "last"),
    [
        ("Kurz. ", "Der mittlere Satz ist lang genug dafür.", " Auch der letzte Satz ist lang."),
        ("有給休暇は二十日あります。", "病気のときは上司に電話で連絡してください。", "年末は休みです。"),
        ("تفتح المدينة أبوابها صباحا. ", "يحصل كل موظف على إجازة طويلة؟", " نعم."),
        ("พนักงานมีวันหยุดยาวมาก ", "และลาป่วยได้ตามจริงเสมอ", " วันหยุดยาวช่วยให้พักผ่อนได้ดี"),
        ("모든 직원은 휴가를 받을 수 있습니다. ", "서울은 대한민국의 수도이다.", " 도쿄는 일본의 수도이다."),
    ],
)
def test_the_sentence_in_the_middle_is_asked(first: str, expected: str, last: str) -> None:
    cloze = Cloze.of([KEPT, first + expected + last])
    assert (cloze.queries, cloze.owners) == ([expected], [1])
    assert cloze.passages == [KEPT, f"{first.strip()} {last.strip()}"]


def test_exact_ranks_are_those_of_the_definition() -> None:
    triples = zip(WORDS, WORDS[2:], WORDS[4:], strict=False)
    passages = [f"{a} steht hier. {b} {a} {c} und noch mehr. {c} am Ende." for a, b, c in triples]
    cloze = Cloze.of(passages)
    found = compared(cloze, HashingEncoder(), lambda done, total: None)
    queries = HashingEncoder().encode_queries(cloze.queries)
    for query, owner, rank in zip(queries, cloze.owners, found.exact, strict=True):
        scores = maxsim_scores(query, found.vectors)
        order = sorted(range(len(scores)), key=lambda place: -scores[place])
        assert order.index(owner) + 1 == rank
    exact = next(each for each in found.measured if (each.codec, each.pool) == ("float16", 1))
    assert exact.ranks.tolist() == found.exact.tolist()


def test_a_loss_is_the_mean_difference_with_its_interval() -> None:
    exact, stored = np.array([1, 1, 2, 20]), np.array([1, 2, 2, 1])
    found = loss(reciprocal(exact), reciprocal(stored))
    assert found.mean == pytest.approx((0 + 0.5 + 0 - 1) / 4)
    assert found.high - found.mean == pytest.approx(1.96 * np.std([0, 0.5, 0, -1], ddof=1) / 2)
    assert not found.is_seen
    assert found_first(exact).tolist() == [1, 1, 0, 0]
    assert loss(np.ones(50), np.zeros(50)).is_seen
    assert not loss(np.ones(1), np.zeros(1)).is_seen


def test_files_that_were_not_read_are_told_by_those_of_their_format() -> None:
    survey = Survey(
        tallies={
            ".pdf": Tally(files=4, n_bytes=400, read_bytes=100, documents=1, characters=50, wall_s=1.0),
            ".txt": Tally(files=2, n_bytes=30, read_bytes=30, documents=2, characters=30, wall_s=0.5),
            ".epub": Tally(files=1, n_bytes=130),
        },
        cost=Cost(1.5, 3.0),
    )
    found = survey.found()
    assert found.read_share == pytest.approx(130 / 560)
    assert (found.documents, found.characters) == (4 + 2 + 3, 200 + 30 + 80)
    assert [notice.code for notice in survey.all_notices()] == ["partly_read"]
    assert survey.whole_cost() == Cost(pytest.approx(6.0), pytest.approx(12.0))


def test_centroids_cost_something_only_where_they_pay() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((4000, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    sample = MultiVectors(vectors, np.arange(0, 4001, 100))
    assert clustering(250_000, sample, rng).disk_bytes == 0
    priced = clustering(1_000_000, sample, rng)
    assert 0 < priced.disk_bytes <= 6 * 1_000_000 + 32 * 65_536
    assert priced.cost.cpu_s > 0
