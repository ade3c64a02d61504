"""What a run of an intake did: from the document table and from the encoding behind it."""

from index.indexing import IndexingReport
from index.intake import Intake
from index.near_duplicates import notices_of
from index.store import Store
from index.types import IndexReport


def report_of(store: Store, intake: Intake, unchanged: int, encoded: IndexingReport, seconds: float) -> IndexReport:
    """Put together what a run did, and what the collection holds after it."""
    return IndexReport(
        documents=store.n_rows("documents"),
        passages=store.n_rows("passages"),
        encoded_passages=encoded.passages,
        added=intake.added,
        changed=intake.changed,
        unchanged=unchanged,
        removed=intake.removed,
        renamed=intake.renamed,
        failed=tuple(intake.failed),
        truncated=encoded.truncated,
        notices=(*intake.notices, *notices_of(encoded.repeated)),
        seconds=seconds,
    )
