"""Passages by hand-written truth: where they are cut, what they repeat, what they cost."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from index.chunking import WINDOW_CODE_POINTS, chunk
from index.language import language_of, language_within
from lfm2_colbert.encoders.base import Spans
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.errors import InvalidArgumentError


class CountingEncoder(HashingEncoder):
    """Remembers how much text it was given to tokenise."""

    def __init__(self) -> None:
        super().__init__()
        self.n_code_points = 0
        self.longest = 0

    def token_spans(self, texts: list[str]) -> list[Spans]:  # type: ignore[override]
        self.n_code_points += sum(map(len, texts))
        self.longest = max(self.longest, *map(len, texts))
        return super().token_spans(texts)


def cut(text: str, budget: int, overlap: float = 0.0) -> list[str]:
    passages = chunk(text, HashingEncoder(), budget=budget, overlap=overlap)
    assert [passage.ordinal for passage in passages] == list(range(len(passages)))
    return [text[passage.start : passage.end] for passage in passages]


def test_a_text_within_the_budget_is_one_passage() -> None:
    (passage,) = chunk("  Wer krank ist, meldet sich.\n\nSofort.\n", HashingEncoder())
    assert (passage.start, passage.end, passage.tokens, passage.language) == (2, 38, 9, "de")


@pytest.mark.parametrize("text", ["", " \n\t\u3000\u2028\x1c\r\n"])
def test_white_space_gives_no_passage(text: str) -> None:
    assert cut(text, 5) == []


@pytest.mark.parametrize(
    ("text", "passages"),
    [
        ("a b c. d e\n\nf. g h i j", ["a b c. d e", "f. g h i j"]),  # paragraph before sentence
        ("a b c d e\n# f g. h i j", ["a b c d e", "# f g. h i j"]),  # heading
        ("A b c d e\nF. G h i j", ["A b c d e", "F. G h i j"]),  # line before sentence
        ("A b c d.\nE f\ng h i j k", ["A b c d.", "E f\ng h i j k"]),  # a wrapped line is no boundary
        ("A b c d. E f, g h i j k", ["A b c d.", "E f, g h i j k"]),  # sentence before clause
        ("A b c z. d e, f g h i j", ["A b c z. d e,", "f g h i j"]),  # no sentence begins with a small letter
        ("a b c d e f g h i j", ["a b c d e f g h", "i j"]),  # space
        ("有給休暇は。二十日です。", ["有給休暇は。", "二十日です。"]),
        ("「有給休暇。」は二十日", ["「有給休暇。」", "は二十日"]),  # closing brackets stay with the sentence
        ("有給休暇は、二十日です", ["有給休暇は、", "二十日です"]),
        ("هل لديك إجازة سنوية؟ نعم لدي عشرون يوما", ["هل لديك إجازة سنوية؟", "نعم لدي عشرون يوما"]),
        ("मेरे पास छुट्टी है। बीस दिन की छुट्टी", ["मेरे पास छुट्टी है।", "बीस दिन की छुट्टी"]),
        ("วันลา ยี่สิบวัน", ["วันลา", "ยี่สิบวัน"]),  # Thai spaces
        ("휴가는 며칠입니까? 이십일입니다", ["휴가는", "며칠입니까?", "이십일입니다"]),
    ],
)
def test_passages_end_at_the_strongest_boundary(text: str, passages: list[str]) -> None:
    assert cut(text, 8) == passages


def test_a_short_last_sentence_is_repeated() -> None:
    text = "Aa bb cc dd ee ff gg. Hh ii. Jj kk ll mm nn oo pp qq rr ss."
    assert cut(text, 15, overlap=0.2) == ["Aa bb cc dd ee ff gg. Hh ii.", "Hh ii. Jj kk ll mm nn oo pp qq rr ss."]


def test_a_long_last_sentence_is_not_repeated() -> None:
    text = "Aa bb cc dd ee ff gg. Hh ii jj. Kk ll mm nn oo pp qq rr ss."
    assert cut(text, 15, overlap=0.2) == ["Aa bb cc dd ee ff gg. Hh ii jj.", "Kk ll mm nn oo pp qq rr ss."]


def test_nothing_is_repeated_across_lines() -> None:
    text = "Aa bb cc dd ee ff gg. Hh ii.\nJj kk ll mm nn oo pp qq rr ss."
    assert cut(text, 15, overlap=0.2) == ["Aa bb cc dd ee ff gg. Hh ii.", "Jj kk ll mm nn oo pp qq rr ss."]


class ByteEncoder(HashingEncoder):
    """A token for each UTF-8 byte."""

    def token_spans(self, texts: Sequence[str]) -> list[Spans]:
        return [np.repeat([[i, i + 1] for i in range(len(t))], [len(c.encode()) for c in t], axis=0) for t in texts]


def test_a_repeated_sentence_that_leaves_no_room_is_dropped() -> None:
    family = "👩\u200d👩\u200d👧\u200d👦"  # 25 bytes in one grapheme cluster
    roomy, tight = (
        [passage.start for passage in chunk("Bbbb. C. " + family, ByteEncoder(), budget=budget, overlap=0.5)][:2]
        for budget in (28, 10)
    )
    assert roomy == [0, 6]
    assert tight == [0, 9]


def test_the_language_is_the_passages_own() -> None:
    text = "Wer krank ist, meldet sich am ersten Tag.\n\n有給休暇は二十日です。よろしくお願いします。"
    assert [passage.language for passage in chunk(text, HashingEncoder(), budget=25)] == ["de", "ja"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("تبدأ الإجازة السنوية بعد ستة أشهر من العمل.", "ar"),
        ("연차 휴가는 육 개월 후에 시작됩니다.", "ko"),
        ("年假从入职六个月后开始计算。", "zh"),
        ("Les congés annuels commencent après six mois.", "fr"),
        ("12.5 % – 2024", "und"),
        ("🙂🙂", "und"),
        ("", "und"),
    ],
)
def test_languages_are_named_by_their_code(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("passage", "document", "language"),
    [
        ("static int (*const ops[])(struct nlattr *, u32) = { lb_dev_put, sn_ring_add, wa_pool_get };", "en", "en"),
        ("| kva | lb | ht |\n|---|---|---|\n| 12 | nn | sn |", "de", "de"),
        ("تبدأ الإجازة السنوية بعد ستة أشهر من العمل.", "de", "ar"),
        ("연차 휴가는 육 개월 후에 시작됩니다.", "en", "ko"),
        ("年假从入职六个月后开始计算。", "de", "zh"),
        ("Les congés annuels commencent après six mois de travail dans l'entreprise.", "de", "fr"),
        ("วันหยุดพักผ่อนประจำปีเริ่มหลังจากหกเดือน", "en", "th"),
        ("12.5 % – 2024", "de", "und"),
        ("Die Urlaubstage beginnen nach sechs Monaten.", "und", "de"),
        ("Die Urlaubstage beginnen nach sechs Monaten.", "xx", "de"),
    ],
)
def test_a_passage_is_in_its_documents_language_unless_it_surely_is_not(
    passage: str, document: str, language: str
) -> None:
    assert language_within(passage, document) == language


def test_passages_of_a_document_of_two_languages_are_told_apart() -> None:
    german, japanese = "Neue Mitarbeiter erhalten 24 Tage Urlaub. " * 8, "新入社員には有給休暇が24日あります。" * 12
    code = "for (nn = 0; nn < lb; nn++) sn[nn] = ht(wa, nn);\n" * 8
    passages = chunk(f"{german}\n\n{code}\n\n{japanese}", HashingEncoder(), budget=60)
    spoken = [each.language for each in passages]
    assert set(spoken) == {"de", "ja"}
    assert spoken == sorted(spoken)


@pytest.mark.parametrize(
    "text",
    [
        "Wer krank ist, meldet sich am ersten Tag. " * 5_000,
        "有給休暇は二十日です。" * 20_000,
        "x" * 200_000,
        "ab " * 3 + " " * 200_000 + "cd",
        "e" + "\u0301" * 200_000,
        "あ" * 200_000,
        ("a\n\n" + "b" * 60_000) * 3,
    ],
    ids=["sentences", "japanese", "one-word", "spaces", "one-grapheme", "unpunctuated", "long-words"],
)
def test_tokenisation_is_linear_and_never_sees_more_than_a_window(text: str) -> None:
    encoder = CountingEncoder()
    passages = chunk(text, encoder)
    assert passages[-1].end == len(text.rstrip())
    assert encoder.longest <= WINDOW_CODE_POINTS
    assert encoder.n_code_points <= 4 * len(text)


@pytest.mark.parametrize(("budget", "overlap"), [(0, 0.2), (5, -0.1), (5, 0.6)])
def test_senseless_sizes_are_refused(budget: int, overlap: float) -> None:
    with pytest.raises(InvalidArgumentError):
        chunk("text", HashingEncoder(), budget=budget, overlap=overlap)


class Tokens:
    """The release tokenizer behind the part of the protocol that chunking uses."""

    max_document_tokens = 100

    def __init__(self, serialised: str) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_str(serialised)

    def token_spans(self, texts: list[str]) -> list[Spans]:
        encodings = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        return [np.array(encoding.offsets, np.int64).reshape(-1, 2) for encoding in encodings]


@pytest.mark.shared
@pytest.mark.parametrize("language", ["ar", "de", "en", "ja", "th", "zh"])
def test_a_real_tokenizer_keeps_its_budget_and_covers_the_text(shared: Path, language: str) -> None:
    import lzma
    import tarfile
    from itertools import chain

    packed = shared / "bootstrap" / "checkpoint" / "tokenizer.json.xz"
    encoder = Tokens(lzma.decompress(packed.read_bytes()).decode())
    archive, name = ("libreoffice-help", "ja") if language == "ja" else ("xquad", language)
    with tarfile.open(shared / "data" / "eval" / f"{archive}.tar.xz") as members:
        member = members.extractfile(f"{archive}/{name}/corpus.jsonl")
        assert member is not None
        text = member.read()[:60_000].decode("utf-8", "ignore")
    passages = chunk(text, encoder)  # type: ignore[arg-type]
    counts = [len(encoder.token_spans([text[p.start : p.end]])[0]) for p in passages]
    assert counts == [passage.tokens for passage in passages]
    assert max(counts) <= 100
    assert np.mean(counts) > 50
    covered = set(chain.from_iterable(range(p.start, p.end) for p in passages))
    assert all(text[i].isspace() for i in set(range(len(text))) - covered)
