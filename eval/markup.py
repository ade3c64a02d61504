"""Pages as trees of elements: whatever is put into one is text or an attribute, and never becomes markup."""

import base64
import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

Attribute = str | int | float | None
Content = Element | str | Iterable["Content"] | None

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""What HTML forbids, or UTF-8 cannot hold."""


def element(name: str, /, *content: Content, **attributes: Attribute) -> Element:
    """Make an element of HTML or SVG.

    Args:
        name: of the element.
        content: elements, texts, and iterables of them; None is nothing.
        attributes: `class_` is ``class``, `aria_label` is ``aria-label``; one that is None is left out.

    Example:
        >>> tostring(element("p", "1 < 2", dir="auto"), encoding="unicode")
        '<p dir="auto">1 &lt; 2</p>'
    """
    made = Element(name, {_name(key): _value(value) for key, value in attributes.items() if value is not None})
    _append(made, content)
    return made


def document(root: Element) -> str:
    """Write a whole page."""
    return f"<!doctype html>\n{tostring(root, encoding='unicode', method='html')}\n"


def digest(text: str) -> str:
    """Name an inline style or script in a Content-Security-Policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def direction(text: str) -> str:
    """Say which way a text runs, for ``dir``: as most of its letters do, whichever script it begins with.

    Example:
        >>> direction("IBM شركة أمريكية")
        'rtl'
    """
    counts = Counter(map(unicodedata.bidirectional, text))
    right, left = counts["R"] + counts["AL"], counts["L"]
    return "auto" if right == left else "rtl" if right > left else "ltr"


def _append(parent: Element, content: Iterable[Content]) -> None:
    for each in content:
        if isinstance(each, Element):
            parent.append(each)
        elif isinstance(each, str):
            _append_text(parent, CONTROL.sub("\N{REPLACEMENT CHARACTER}", each))
        elif each is not None:
            _append(parent, each)


def _append_text(parent: Element, text: str) -> None:
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text


def _name(key: str) -> str:
    return key.removesuffix("_").replace("_", "-")


def _value(value: str | int | float) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(value))
