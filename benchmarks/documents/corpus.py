"""Text in any amount, in twelve scripts and languages, of which no two passages are alike.

Words are drawn as words are used: a few all the time, most of them hardly ever (Zipf's law), so an index of words grows
as it does with real text.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SYLLABLES = {
    "en": "the an re ion ing ed ment pre con ti al er ous ly st or",
    "de": "sch ein ge ver lich keit un über rück straße müß ung en ten ür öff",
    "fr": "é tion eau que dé ç ment ère où l’ait né ci oi ai ll ux",
    "es": "ción que ñar ll ado rí des per com ente ó á mi ba to sa",
    "ar": "ال كت اب مع رف ون ات است مد رس ين تر وق سل ام ها",
    "ja": "か き ょう に ほん ご です 東 京 大 学 の カ ター ン 語",
    "ko": "한 국 어 를 공 부 하 는 사 람 이 은 에 서 다 고",
    "zh": "中 国 人 民 大 学 生 活 水 电 话 书 文 化 明 天",
    "th": "กา รเ รีย น ภา ษา ไท ย เป็ น ที่ นิ ยม มา ก ขึ้น แล้ว",
    "hi": "हि न्दी में यह है कि या स्त का ना रा प्र वि द्या ल य",
    "vi": "tiế ng việ t họ c đườ ng nhà ướ nướ c ớ ậ n phố ề",
    "ru": "про ст ова ние рус ский яз ык ого на ть ся раз ком ен ля",
}
SPACELESS = ("ja", "zh", "th")
N_WORDS = 60_000
"""Of a language."""
FILE_BYTES, ROWS_BYTES, ROW_WORDS = 60_000, 20_000_000, 150


class Corpus:
    """Draws paragraphs; the same from the same seed."""

    def __init__(self, seed: int) -> None:
        """Make up the words of each language."""
        self._rng = np.random.default_rng(seed)
        self._words = {language: self._vocabulary(parts.split()) for language, parts in SYLLABLES.items()}

    def paragraph(self, language: str, n_words: int) -> str:
        """Give sentences of a language."""
        words = self._words[language]
        drawn = np.minimum(self._rng.zipf(1.2, n_words), len(words)) - 1
        space, end = ("", "。") if language in SPACELESS else (" ", ". ")
        sentences = (words[drawn[start : start + 14]] for start in range(0, n_words, 14))
        return end.join(space.join(sentence) for sentence in sentences) + end.strip()

    def _vocabulary(self, parts: list[str]) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
        lengths = self._rng.integers(1, 5, N_WORDS)
        drawn = self._rng.integers(0, len(parts), (N_WORDS, 4))
        words = ["".join(parts[i] for i in own[:n]) for own, n in zip(drawn, lengths, strict=True)]
        return np.array(words, dtype=np.object_)


def write_corpus(folder: Path, n_bytes: int, seed: int) -> int:
    """Fill a folder with about so many bytes, half in text files, half in rows of JSON Lines; count the files."""
    corpus, languages = Corpus(seed), list(SYLLABLES)
    n_files, written = 0, 0
    while written < n_bytes // 2:
        path = folder / f"{n_files % 100:02}" / f"{n_files}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_text(corpus, languages[n_files % len(languages)]), encoding="utf-8")
        written += path.stat().st_size
        n_files += 1
    while written < n_bytes:
        path = folder / f"rows-{n_files}.jsonl"
        with path.open("w", encoding="utf-8") as stream:
            stream.writelines(_rows(corpus, languages, min(ROWS_BYTES, n_bytes - written), n_files))
        written += path.stat().st_size
        n_files += 1
    return n_files


def _text(corpus: Corpus, language: str) -> str:
    paragraphs, size = [], 0
    while size < FILE_BYTES:
        paragraphs.append(corpus.paragraph(language, 400))
        size += len(paragraphs[-1].encode())
    return "\n\n".join(paragraphs)


def _rows(corpus: Corpus, languages: list[str], n_bytes: int, file: int) -> Iterator[str]:
    row = written = 0
    while written < n_bytes:
        language = languages[row % len(languages)]
        text = corpus.paragraph(language, ROW_WORDS)
        line = json.dumps({"id": f"{file}-{row}", "text": text, "lang": language}, ensure_ascii=False)
        yield line + "\n"
        written += len(line.encode()) + 1
        row += 1
