"""MaxSim with gradients in little memory: products a block at a time, of which only where the best stand is kept.

What `losses.maxsim` keeps for its gradient is every product of a query's token with a document's; for texts of 16,384
tokens that may be 400 million, several times over. All but the best have a gradient of 0, so that what a query's token
is given is a sum over documents of one row each, and what a document's token gives is a sum over those that chose it.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

LARGEST_BLOCK = 8_000_000
"""Products that are held at once: 32 MB."""


def maxsim_in_blocks(queries: Tensor, query_mask: Tensor, documents: Tensor, document_mask: Tensor) -> Tensor:
    """Give what `losses.maxsim` gives, on a CPU; of products that are equal, the first alone has a gradient.

    Args:
        queries: ``(B, Q, d)`` float32, unit norm.
        query_mask: ``(B, Q)`` bool, True where a token stands.
        documents: ``(C, D, d)`` float32, unit norm.
        document_mask: ``(C, D)`` bool, True at least once a document.

    Returns:
        ``(B, C)`` float32.
    """
    n_queries, length = query_mask.shape
    best: Tensor = _Best.apply(queries.flatten(0, 1), documents, document_mask)  # type: ignore[no-untyped-call]
    best = torch.where(query_mask[..., None], best.view(n_queries, length, -1), 0)
    return best.sum(1) / query_mask.sum(1, keepdim=True)


class _Best(torch.autograd.Function):
    """The best product of each of R rows in each of C documents, ``(R, C)``."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, documents: Tensor, mask: Tensor) -> Tensor:
        n_documents, length, _ = documents.shape
        best = rows.new_empty(len(rows), n_documents)
        places = torch.empty(len(rows), n_documents, dtype=torch.int64)
        size = max(LARGEST_BLOCK // (len(rows) * length), 1)
        for start in range(0, n_documents, size):
            own = slice(start, start + size)
            products = (rows @ documents[own].flatten(0, 1).T).view(len(rows), -1, length)
            torch.max(products.masked_fill_(~mask[own], -torch.inf), -1, out=(best[:, own], places[:, own]))
        places += torch.arange(n_documents) * length  # among the tokens of all documents
        ctx.save_for_backward(rows, documents, places)
        return best

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        rows, documents, places = ctx.saved_tensors
        tokens, chosen, weights = documents.flatten(0, 1), places.flatten(), gradient.flatten()
        of_rows = functional.embedding_bag(places, tokens, per_sample_weights=gradient.contiguous(), mode="sum")
        order = torch.argsort(chosen, stable=True)
        ends = torch.bincount(chosen, minlength=len(tokens)).cumsum(0)
        of_tokens = functional.embedding_bag(
            order // gradient.shape[1],
            rows,
            functional.pad(ends, (1, 0))[:-1],
            per_sample_weights=weights[order],
            mode="sum",
        )
        return of_rows, of_tokens.view_as(documents), None
