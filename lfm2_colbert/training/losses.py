"""What training minimises. In shapes, B is pairs, Q and D positions of queries and documents, d the dimension.

Positions that are no tokens are left out by −inf or by a mask that selects, never by multiplying with 0.
"""

import torch
from torch import Tensor
from torch.nn import functional


def maxsim(queries: Tensor, query_mask: Tensor, documents: Tensor, document_mask: Tensor) -> Tensor:
    """Mean over a query's tokens of the best cosine in a document (ColBERT, equation 3, over the number of tokens).

    Args:
        queries: ``(B, Q, d)``, unit norm.
        query_mask: ``(B, Q)`` bool, True where a token stands.
        documents: ``(C, D, d)``, unit norm.
        document_mask: ``(C, D)`` bool.

    Returns:
        ``(B, C)`` float32.
    """
    n_queries, n_documents = len(queries), len(documents)
    similarities = queries.flatten(0, 1) @ documents.flatten(0, 1).T  # (B·Q, C·D)
    similarities = similarities.view(n_queries, -1, n_documents, documents.shape[1]).float()
    best = similarities.masked_fill(~document_mask, -torch.inf).amax(-1)  # (B, Q, C)
    best = torch.where(query_mask[..., None], best, torch.zeros_like(best))
    return best.sum(1) / query_mask.sum(1, keepdim=True)


def maxsim_of_lists(queries: Tensor, query_mask: Tensor, documents: Tensor, document_mask: Tensor) -> Tensor:
    """`maxsim` of each query with its own n documents alone, ``(B, n)``; those of query i begin at i·n.

    Args:
        queries: ``(B, Q, d)``, unit norm.
        query_mask: ``(B, Q)`` bool, True where a token stands.
        documents: ``(B·n, D, d)``, unit norm.
        document_mask: ``(B·n, D)`` bool.
    """
    n_queries, length = len(queries), documents.shape[1]
    own = documents.reshape(n_queries, -1, documents.shape[2])  # (B, n·D, d)
    similarities = (queries @ own.transpose(1, 2)).float()  # (B, Q, n·D)
    masked = similarities.masked_fill(~document_mask.view(n_queries, 1, -1), -torch.inf)
    best = masked.view(n_queries, queries.shape[1], -1, length).amax(-1)  # (B, Q, n)
    best = torch.where(query_mask[..., None], best, torch.zeros_like(best))
    return best.sum(1) / query_mask.sum(1, keepdim=True)


def token_distillation(students: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``1 − cos(student, target)`` over the tokens of a mask; vectors ``(B, T, d)`` of unit norm."""
    distances = 1 - (students * targets).sum(-1)
    return torch.where(mask, distances, 0).sum() / mask.sum()  # selecting by a mask would make a GPU wait


def ranking_divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """``KL(softmax(teacher) ‖ softmax(student))``, mean over rows of ``(B, C)`` logits (Hinton et al., 2015)."""
    return functional.kl_div(student.log_softmax(-1), teacher.log_softmax(-1), reduction="batchmean", log_target=True)


def decoupled_top_k(student: Tensor, teacher: Tensor, k: int, temperature: float) -> Tensor:
    """Decoupled, tempered top-K divergence (LFM2 technical report, section on distillation, over a list of scores).

    With T the teacher's `k` best, ``KL(Bern(P_T(T)) ‖ Bern(P_S(T))) + P_T(T) · KL_τ(P_T(·|T) ‖ P_S(·|T))``, the second
    with logits over τ and times τ². With all candidates in T and τ = 1 it is `ranking_divergence`.

    Args:
        student: ``(B, C)`` logits.
        teacher: ``(B, C)`` logits.
        k: candidates of T, at most C.
        temperature: τ.
    """
    k = min(k, teacher.shape[1])
    chosen = teacher.topk(k, dim=-1).indices
    of_teacher, of_student = teacher.log_softmax(-1), student.log_softmax(-1)
    mass = of_teacher.gather(1, chosen).logsumexp(-1).exp()  # (B,) P_T(T)
    within = functional.kl_div(
        (student.gather(1, chosen) / temperature).log_softmax(-1),
        (teacher.gather(1, chosen) / temperature).log_softmax(-1),
        reduction="none",
        log_target=True,
    ).sum(-1)
    parts = mass * temperature**2 * within
    if k < teacher.shape[1]:
        parts = parts + _bernoulli(*(_inside_and_outside(each, chosen) for each in (of_teacher, of_student)))
    return parts.mean()


def contrastive(student: Tensor, same: Tensor) -> Tensor:
    """Cross-entropy of a pair's own document among those of the batch (InfoNCE; van den Oord et al., 2018).

    Args:
        student: ``(B, B)`` logits, own documents on the diagonal.
        same: ``(B, B)`` bool, True where another place holds the same document: it is not told apart.
    """
    other_copies = same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
    labels = torch.arange(len(student), device=student.device)
    return functional.cross_entropy(student.masked_fill(other_copies, -torch.inf), labels)


def margin_mse(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of margins: a row's first candidate against the others (Hofstätter et al., 2020)."""
    of_student, of_teacher = (scores[:, :1] - scores[:, 1:] for scores in (student, teacher))
    return functional.mse_loss(of_student, of_teacher)


def _inside_and_outside(log_p: Tensor, chosen: Tensor) -> Tensor:
    """Logarithms ``(2, B)`` of the mass of the chosen ``(B, k)`` and of the others, each summed by itself.

    1 − p would be 0 where a sharp student puts nearly all mass inside, and the loss infinite.
    """
    inside = torch.zeros_like(log_p, dtype=torch.bool).scatter(1, chosen, value=True)
    return torch.stack([log_p.masked_fill(~mask, -torch.inf).logsumexp(-1) for mask in (inside, ~inside)])


def _bernoulli(log_p: Tensor, log_q: Tensor) -> Tensor:
    """``KL(Bern(p) ‖ Bern(q))`` from ``(2, B)`` logarithms of both outcomes."""
    return (log_p.exp() * (log_p - log_q)).sum(0)
