"""The words of segments that lack them: those made before there were any, or under an older analysis."""

from index.lexical.analysis import ANALYSIS
from index.lexical.postings import words_of, write_words
from index.records import SegmentInfo, WordsInfo
from index.store import Store


def complete_words(store: Store) -> int:
    """Make the words of all segments that lack them from the stored texts, each in its own transaction; count these."""
    with store.snapshot():
        present = {info.segment for info in store.words() if info.analysis == ANALYSIS}
        lacking = [info for info in store.segments() if info.number not in present]
    for info in lacking:
        made = _words_of(store, info)
        with store.transaction():
            store.add_words([made])
    return len(lacking)


def _words_of(store: Store, info: SegmentInfo) -> WordsInfo:
    """Dead rows stand there without words."""
    texts, documents = [""] * info.n_passages, [0] * info.n_passages
    with store.snapshot():
        for row, document, text in store.row_texts(info.number):
            texts[row], documents[row] = text, document
    return write_words(store.segment_files, info.number, words_of(texts, documents))
