"""The one sentence that is said where nothing relevant was found, in the languages of the interface."""

from index.language import language_of

NOTHING = {
    "ar": "لم أجد في المستندات ما يجيب عن ذلك.",
    "de": "In den Dokumenten steht nichts dazu.",
    "en": "The documents hold nothing on that.",
    "es": "Los documentos no dicen nada al respecto.",
    "fr": "Les documents ne disent rien à ce sujet.",
    "it": "I documenti non dicono nulla al riguardo.",
    "ja": "文書の中に該当する内容は見つかりませんでした。",
    "ko": "문서에서 관련된 내용을 찾지 못했습니다.",
    "no": "Dokumentene sier ingenting om det.",
    "pt": "Os documentos não dizem nada sobre isso.",
    "sv": "Dokumenten säger ingenting om det.",
    "zh": "文档中没有相关内容。",
}
DEFAULT = "en"


def nothing_found(question: str) -> str:
    """Say that nothing relevant was found, in the language of the question."""
    return NOTHING.get(language_of(question), NOTHING[DEFAULT])
