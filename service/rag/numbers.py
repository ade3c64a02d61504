"""The numbers in a text, written alike whatever digits they are written in.

A figure that stands in no passage is the commonest thing a language model makes up, and MaxSim hardly sees it: all
numbers look alike to an encoder. So they are compared as numbers. Numbers in words ("twenty-four") are not read,
Chinese numerals are.
"""

import unicodedata
from collections.abc import Iterator

import regex

DIGITS = regex.compile(r"\p{Nd}+(?:[.,٫٬’'\u00a0\u202f ]\p{Nd}+)*")
MARKER = regex.compile(
    r"[\[【(]\s*\p{Nd}{1,2}(?:\s*[,、]\s*\p{Nd}{1,2})*\s*[\]】)](?![\p{L}\p{N}])|^\s*\p{Nd}{1,2}[.)](?=\s)", regex.M
)
"""What a language model refers to its sources by, and the numbers of a list: "[1, 2]", "1." at the start of a line."""
GROUPED = regex.compile(r"\p{Nd}{1,3}(?:([.,٬’'\u00a0\u202f ])\p{Nd}{3})(?:\1\p{Nd}{3})*")
HAN = regex.compile(r"[〇零一二三四五六七八九十百千万萬億亿两兩]+")
HAN_DIGITS = {
    character: value
    for value, each in enumerate(("〇零", "一", "二两兩", "三", "四", "五", "六", "七", "八", "九"))
    for character in each
}
HAN_UNITS = {"十": 10, "百": 100, "千": 1000}
HAN_GROUPS = {"万": 10**4, "萬": 10**4, "億": 10**8, "亿": 10**8}


def numbers(text: str) -> set[str]:
    """Give the numbers that a text holds, in ASCII digits, without what groups them.

    Example:
        >>> sorted(numbers("١٬٢٣٤ أو 3,5 – und 1.234.567")), sorted(numbers("二十四日、2026年"))
        (['1234', '1234567', '3.5'], ['2026', '24'])
    """
    return set(_written(text)) | set(_han(text))


def missing(sentence: str, grounds: str) -> list[str]:
    """Give the numbers of a sentence that stand nowhere in what it rests on, in their order.

    A number whose digits are part of a longer one does not stand there; a single Chinese numeral may be no number at
    all, so it is looked for, and not missed.
    """
    there = numbers(grounds) | {piece for number in _written(grounds) for piece in number.split(".")}
    bare = MARKER.sub(" ", sentence)
    return [number for number in dict.fromkeys(_written(bare)) if not _stands(number, there)]


def _stands(number: str, there: set[str]) -> bool:
    return (
        number in there or number.rstrip("0").rstrip(".") in there or all(part in there for part in number.split("."))
    )


def _written(text: str) -> Iterator[str]:
    for match in DIGITS.finditer(text):
        yield from _pieces(match.group())


def _pieces(run: str) -> Iterator[str]:
    """Read digits with marks between them: groups of thousands, a decimal, or several numbers."""
    if GROUPED.fullmatch(run):
        yield _plain("".join(character for character in run if character.isdecimal()))
        return
    for part in regex.split(r"[ \u00a0\u202f’']", run):
        whole, mark, rest = _decimal(part)
        if mark:
            yield f"{_plain(whole)}.{''.join(str(unicodedata.decimal(each)) for each in rest)}"
        else:
            yield from (_plain(each) for each in regex.findall(r"\p{Nd}+", part))


def _decimal(part: str) -> tuple[str, str, str]:
    """Part a number at its only decimal mark; grouping before it is taken out."""
    marks = regex.findall(r"[.,٫٬]", part)
    if not marks or (len(marks) > 1 and len(set(marks)) == 1):
        return part, "", ""
    whole, _, rest = part.rpartition(marks[-1])
    return regex.sub(r"[.,٫٬]", "", whole), marks[-1], rest


def _plain(digits: str) -> str:
    return "".join(str(unicodedata.decimal(each)) for each in digits).lstrip("0") or "0"


def _han(text: str) -> Iterator[str]:
    for match in HAN.finditer(text):
        yield str(_han_value(match.group()))


def _han_value(run: str) -> int:
    """Read Chinese numerals, by position or by units."""
    if not any(character in HAN_UNITS or character in HAN_GROUPS for character in run):
        return int("".join(str(HAN_DIGITS[each]) for each in run))
    total = group = digit = 0
    for character in run:
        if character in HAN_DIGITS:
            digit = HAN_DIGITS[character]
        elif character in HAN_UNITS:
            group, digit = group + (digit or 1) * HAN_UNITS[character], 0
        else:
            total, group, digit = total + ((group + digit) or 1) * HAN_GROUPS[character], 0, 0
    return total + group + digit
