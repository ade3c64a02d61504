"""A collection encoded anew beside itself: the present index serves until the new one is committed."""

from index.built import settings_of
from index.codecs.frame import Frame
from index.coding import Coding
from index.indexing import IndexingReport, OnProgress, index_pending
from index.staging import Staging
from index.store import Store
from lfm2_colbert.encoders.base import Encoder


def encode_anew(store: Store, encoder: Encoder, codec: str, on_progress: OnProgress) -> IndexingReport:
    """Encode every document from its stored text and put that in the place of what there is, in one commit.

    What an interrupted run encoded is kept and gone on with.
    """
    staging = Staging(store, settings_of(encoder, codec, store.settings.pool))
    coding = Coding(staging)
    if coding.stored() is None and encoder.mean is not None:
        coding.freeze(Frame(encoder.mean))
    report = index_pending(staging, encoder, coding.for_vectors, None, on_progress)
    staging.commit()
    return report
