"""Collections as mteb searches them: its retrieval tasks measure what is served, not vectors in memory.

Example:
    import mteb
    from eval.mteb_adapter import ServedModel

    with ServedModel("mteb-collections", encoder="nano") as model:
        result = mteb.evaluate(model, mteb.get_tasks(["MultilingualNanoSciFactRetrieval"], languages=["deu"]))

Needs the extra ``mteb``.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import xxhash

from eval.trec import falling
from index.collection import Collection
from index.effort import Effort
from index.fusion import Mode
from index.types import Document
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.encoders.loading import load_encoder
from lfm2_colbert.errors import InvalidArgumentError
from lfm2_colbert.registry import missing_extra

MOST_DOCUMENTS = 1000
"""What a search gives at most, and what mteb asks for."""


class ServedModel:
    """A model as mteb's ``SearchProtocol`` wants it; each corpus has a collection of its own, which is kept."""

    def __init__(
        self,
        folder: str | Path,
        *,
        encoder: str | Encoder = "nano",
        mode: str = Mode.SEMANTIC,
        effort: str = Effort.BALANCED,
    ) -> None:
        """Name the model; nothing is indexed yet.

        Args:
            folder: of the collections.
            encoder: a name for `lfm2_colbert.load_encoder`, or a loaded encoder.
            mode: as in `Collection.search`.
            effort: as in `Collection.search`.
        """
        self._folder = Path(folder)
        self._encoder = load_encoder(encoder) if isinstance(encoder, str) else encoder
        self._mode, self._effort = mode, effort
        self._collection: Collection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the collection that was indexed last; a second call does nothing."""
        if self._collection is not None:
            self._collection.close()
            self._collection = None

    @property
    def mteb_model_meta(self) -> Any:
        """What mteb writes of a model into its results.

        Raises:
            MissingExtraError: mteb is not installed.
        """
        try:
            from mteb.models import ModelMeta
        except ModuleNotFoundError as error:
            raise missing_extra("evaluating with mteb", error.name or "mteb", "mteb") from error
        unknown = (
            "loader", "release_date", "languages", "n_parameters", "memory_usage_mb", "license", "open_weights",
            "public_training_code", "public_training_data", "use_instructions", "training_datasets",
        )  # fmt: skip
        return ModelMeta(
            name=f"lfm2-colbert/{Path(self._encoder.name).name}",
            revision=self._encoder.fingerprint,
            max_tokens=self._encoder.max_document_tokens,
            embed_dim=self._encoder.dim,
            framework=[],
            similarity_fn_name="MaxSim",
            model_type=["late-interaction"],
            experiment_kwargs={"mode": str(self._mode), "effort": str(self._effort)},
            **dict.fromkeys(unknown),
        )

    def index(
        self,
        corpus: Iterable[Mapping[str, Any]],
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        encode_kwargs: Mapping[str, Any],
        num_proc: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Bring the corpus' collection up to date: documents it has already are not encoded again.

        Args:
            corpus: rows with ``id``, ``text`` and perhaps ``title``, which is put before the text; a document without
                text is left out, since nobody can find it.
            task_metadata: the name of its task is a part of the collection's.
            hf_split: so is this.
            hf_subset: and this.
            encode_kwargs: ignored: the collection knows how it encodes.
            num_proc: ignored.
            kwargs: ignored: mteb reserves them.
        """
        self.close()
        documents = [document for row in corpus if (document := _document(row)).text]
        name = _collection_name(task_metadata.name, hf_subset, hf_split, self._encoder.fingerprint)
        collection = Collection.open(name, create=True, encoder=self._encoder, home=self._folder)
        self._collection = collection
        for gone in set(collection.ids()) - {document.id for document in documents}:
            collection.delete(gone)
        collection.add(documents)

    def search(
        self,
        queries: Iterable[Mapping[str, Any]],
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        top_k: int,
        encode_kwargs: Mapping[str, Any],
        top_ranked: Mapping[str, list[str]] | None = None,
        num_proc: int | None = None,
        **kwargs: Any,
    ) -> dict[str, dict[str, float]]:
        """Search the collection that was indexed last.

        Args:
            queries: rows with ``id`` and ``text``.
            task_metadata: ignored.
            hf_split: ignored.
            hf_subset: ignored.
            top_k: documents wanted for each query; 1000 at most are given.
            encode_kwargs: ignored.
            top_ranked: must not be there: a collection does not rank what others found.
            num_proc: ignored.
            kwargs: ignored.

        Returns:
            Query id → document id → score. Scores fall strictly in the order of the hits.

        Raises:
            InvalidArgumentError: nothing was indexed, a query is empty, or the task is one of reranking.
        """
        if top_ranked is not None:
            raise InvalidArgumentError("reranking is not searching", help="choose retrieval tasks")
        if self._collection is None:
            raise InvalidArgumentError("nothing is indexed", help="call `index` first")
        rows = list(queries)
        found = self._collection.search_batch(
            [row["text"] for row in rows], k=min(top_k, MOST_DOCUMENTS), mode=self._mode, effort=self._effort
        )
        return {
            row["id"]: dict(zip([hit.document_id for hit in result], falling(hit.score for hit in result), strict=True))
            for row, result in zip(rows, found, strict=True)
        }


def _document(row: Mapping[str, Any]) -> Document:
    return Document(row["id"], f"{row.get('title') or ''} {row['text']}".strip())


def _collection_name(*parts: str) -> str:
    """Name a collection by what it is of, in characters that names may have."""
    return "mteb-" + xxhash.xxh3_128_hexdigest("\0".join(parts).encode())
