"""Which language a passage is written in: shown with hits and filtered by, never needed to find them."""

from functools import cache
from typing import Any

import regex

LETTER = regex.compile(r"\p{L}")
# Enough for the identifier to be sure; more only costs time.
SAMPLE_CODE_POINTS = 600
UNDETERMINED = "und"
FOREIGN_MARGIN = 5.0
"""Nats by which another language has to be likelier."""
PASSAGE_MARGIN = 40.0
"""Nats by which a passage has to be likelier in another language than its document's."""


def language_of(text: str) -> str:
    """Guess the ISO 639-1 code from the text's beginning; "und" where there are no letters.

    A name of two words is too little: expect the right answer from a sentence on.

    Example:
        >>> language_of("有給休暇は何日ありますか。"), language_of("1984 – 2001")
        ('ja', 'und')
    """
    sample = text[:SAMPLE_CODE_POINTS]
    return str(_identifier().classify(sample)[0]) if LETTER.search(sample) else UNDETERMINED


def language_within(passage: str, language: str) -> str:
    """Guess the language of a passage of a document in some language, which counts unless another is far likelier.

    Lines of code and tables are taken for rare languages else: of 1,118 stretches of 700 characters of Python and C, 50
    were, and none is within the document it is from. Of 150 passages in each of 17 languages at most 2 are by less than
    `PASSAGE_MARGIN` likelier in their own language than in any of twelve others.

    Args:
        passage: its text.
        language: what `language_of` says of its document.

    Example:
        >>> language_within("for (i = 0; i < n; i++) sum += a[i];", "de"), language_within("休暇は何日ですか。", "de")
        ('de', 'ja')
    """
    sample = passage[:SAMPLE_CODE_POINTS]
    if not LETTER.search(sample):
        return UNDETERMINED
    ranked = _identifier().rank(sample)
    found, likelihood = max(ranked, key=lambda each: each[1])
    own = dict(ranked).get(language)
    return str(found) if own is None or likelihood - own > PASSAGE_MARGIN else language


def is_foreign(text: str, language: str) -> bool:
    """Say whether a text is surely in another language than this one; what cannot be told is not.

    Of 300 questions of XQuAD in each of 8 languages, at most 1 of 100 is taken for foreign in its own language, also
    where only its first three words are asked, and 93 to 100 of 100 are told from German, English and Spanish by them.

    Example:
        >>> is_foreign("كم يوم إجازة لدي؟", "de"), is_foreign("Wie viel Urlaub habe ich?", "de")
        (True, False)
    """
    if language == UNDETERMINED or not LETTER.search(text):
        return False
    likelihoods = dict(_identifier().rank(text[:SAMPLE_CODE_POINTS]))
    return language in likelihoods and max(likelihoods.values()) - likelihoods[language] > FOREIGN_MARGIN


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # half a second: only when a text is looked at

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    # Codes of three letters are dialects of what people filter by ("wuu" of "zh"), and "zxx", which is no language.
    identifier.set_languages([code for code in identifier.nb_classes if len(code) == 2])
    return identifier
