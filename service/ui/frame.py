"""The frame of every page: what is the same for everybody, whatever they may see; the rest is asked for with a key."""

from urllib.parse import urlencode
from xml.etree.ElementTree import Element, tostring

from eval.markup import Content, document, element
from service.ui.words import Words, languages

PAGES = {"search": "/", "collections": "/ui/collections", "quality": "/ui/quality"}
"""Name of a page, which is also that of its word → its address."""


def page(words: Words, name: str, part: str, query: str) -> str:
    """Write a page whose content is still to be asked for.

    Args:
        words: of the interface.
        name: of the page, in `PAGES`, or ``document``.
        part: address of its content.
        query: of the page's own address, passed on.
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="htmx-config", content='{"includeIndicatorCSS": false, "history": false}'),
        element("title", f"{words(name)} · lfm2-colbert"),
        element("link", rel="icon", href="/ui/static/icon.svg", type="image/svg+xml"),
        element("link", rel="stylesheet", href="/ui/static/page.css"),
        element("script", src="/ui/static/page.js", defer="defer"),  # first: it adds the key to the first request
        element("script", src="/ui/static/htmx.min.js", defer="defer"),
    )
    asked = f"{part}?{query}" if query else part
    main = element("main", id="main", tabindex="-1", hx_get=asked, hx_trigger="load", hx_swap="innerHTML")
    body = element(
        "body",
        element("a", words("skip"), class_="skip", href="#main"),
        _header(words, name),
        _sign_in(words),
        main,
        element("p", words("error"), id="error", role="alert", hidden="hidden"),
    )
    return document(element("html", head, body, lang=words.language, dir=words.direction))


def fragment(*content: Content) -> str:
    """Write what goes into a page."""
    whole = element("div", *content)
    return "".join(tostring(each, encoding="unicode", method="html") for each in whole)


def address(path: str, **query: object) -> str:
    """Give an address with what it asks; None and "" are left out."""
    asked = urlencode({name: value for name, value in query.items() if value not in (None, "")})
    return f"{path}?{asked}" if asked else path


def _header(words: Words, name: str) -> Element:
    links = (
        element("a", words(each), href=place, aria_current="page" if each == name else None)
        for each, place in PAGES.items()
    )
    options = (
        element("option", own, value=code, lang=code, selected="selected" if code == words.language else None)
        for code, own in languages().items()
    )
    return element(
        "header",
        element("a", "lfm2-colbert", class_="brand", href="/"),
        element("nav", *links, aria_label="lfm2-colbert"),
        element(
            "div",
            element("button", "◐", id="theme", type="button", aria_label=words("theme"), title=words("theme")),
            element("select", *options, id="interface", aria_label=words("interface")),
            class_="tools",
        ),
    )


def _sign_in(words: Words) -> Element:
    """Ask for a key; the script shows it where the server wants one."""
    return element(
        "form",
        element("p", words("key_wanted"), id="key-why"),
        element("label", words("key"), for_="key"),
        element("input", id="key", type="password", autocomplete="current-password", aria_describedby="key-why"),
        element("button", words("enter"), type="submit"),
        id="sign-in",
        hidden="hidden",
    )
