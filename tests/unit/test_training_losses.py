"""Losses against their definitions, by finite differences, and where one is another's special case."""

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch.nn import functional  # noqa: E402

from lfm2_colbert.training.losses import (  # noqa: E402
    contrastive,
    decoupled_top_k,
    margin_mse,
    maxsim,
    maxsim_of_lists,
    ranking_divergence,
    token_distillation,
)

pytestmark = pytest.mark.torch


def unit(*shape: int, seed: int = 0) -> "torch.Tensor":
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(*shape, generator=generator, dtype=torch.float64), dim=-1)


def logits(rows: int, columns: int, seed: int) -> "torch.Tensor":
    return 3 * torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_maxsim_is_the_mean_of_best_cosines_and_padding_never_wins() -> None:
    queries, documents = -unit(2, 3, 8).abs(), unit(4, 5, 8).abs()  # all cosines are negative
    query_mask = torch.tensor([[True, True, False], [True, True, True]])
    document_mask = torch.ones(4, 5, dtype=torch.bool)
    document_mask[1, 2:] = False
    found = maxsim(queries, query_mask, documents, document_mask)
    for q in range(2):
        for d in range(4):
            rows, columns = queries[q][query_mask[q]], documents[d][document_mask[d]]
            expected = (rows @ columns.T).max(dim=1).values.mean()
            assert found[q, d].item() == pytest.approx(expected.item(), abs=1e-6)
    assert (found < 0).all()


def test_maxsim_of_lists_is_that_of_each_query_with_its_own_documents() -> None:
    queries, documents = -unit(3, 4, 8).abs(), unit(6, 5, 8).abs()
    query_mask, document_mask = torch.ones(3, 4, dtype=torch.bool), torch.ones(6, 5, dtype=torch.bool)
    query_mask[1, 2:] = document_mask[3, 1:] = False
    found = maxsim_of_lists(queries, query_mask, documents, document_mask)
    everything = maxsim(queries, query_mask, documents, document_mask)
    own = torch.stack([everything[row, 2 * row : 2 * row + 2] for row in range(3)])
    torch.testing.assert_close(found, own)


@pytest.mark.parametrize("name", ["ranking", "top_k", "contrastive", "margin", "token", "maxsim"])
def test_gradients_equal_finite_differences(name: str) -> None:
    teacher, everything = logits(4, 6, 1), torch.ones(3, 5, dtype=torch.bool)
    target = unit(3, 5, 8, seed=2)
    losses = {
        "ranking": (lambda x: ranking_divergence(x, teacher), logits(4, 6, 0)),
        "top_k": (lambda x: decoupled_top_k(x, teacher, 3, 2.0), logits(4, 6, 0)),
        "contrastive": (lambda x: contrastive(x, torch.eye(4, dtype=torch.bool)), logits(4, 4, 0)),
        "margin": (lambda x: margin_mse(x, teacher), logits(4, 6, 0)),
        "token": (lambda x: token_distillation(x, target, everything), unit(3, 5, 8)),
        "maxsim": (lambda x: maxsim(x, everything, target, everything).double().sum(), unit(3, 5, 8)),
    }
    loss, at = losses[name]
    tolerance = 1e-2 if name == "maxsim" else 1e-5  # its products are brought to float32
    assert torch.autograd.gradcheck(loss, at.requires_grad_(), eps=1e-3 if name == "maxsim" else 1e-6, atol=tolerance)


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(2, 9), st.integers(0, 10_000))
def test_the_decoupled_loss_over_all_candidates_is_the_divergence(rows: int, columns: int, seed: int) -> None:
    student, teacher = logits(rows, columns, seed), logits(rows, columns, seed + 1)
    whole = decoupled_top_k(student, teacher, columns, 1.0)
    assert whole.item() == pytest.approx(ranking_divergence(student, teacher).item(), abs=1e-6)


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(3, 9), st.integers(1, 8), st.integers(0, 10_000))
def test_the_decoupled_loss_follows_its_equation(rows: int, columns: int, k: int, seed: int) -> None:
    k, temperature = min(k, columns - 1), 1.7
    student, teacher = logits(rows, columns, seed), logits(rows, columns, seed + 1)
    total = 0.0
    for s, t in zip(student, teacher, strict=True):
        chosen = t.topk(k).indices
        p, q = t.softmax(0), s.softmax(0)
        inside_p, inside_q = p[chosen].sum(), q[chosen].sum()
        bernoulli = inside_p * (inside_p / inside_q).log() + (1 - inside_p) * ((1 - inside_p) / (1 - inside_q)).log()
        within_p, within_q = (t[chosen] / temperature).softmax(0), (s[chosen] / temperature).softmax(0)
        within = (within_p * (within_p / within_q).log()).sum()
        total += float(bernoulli + inside_p * temperature**2 * within)
    assert decoupled_top_k(student, teacher, k, temperature).item() == pytest.approx(total / rows, rel=1e-5, abs=1e-6)


def test_the_decoupled_loss_of_a_sharp_student_is_finite() -> None:
    teacher = torch.tensor([[2.0, 1.0, 1.5, 0.0]])
    student = torch.tensor([[60.0, 0.0, 40.0, -40.0]], requires_grad=True)
    loss = decoupled_top_k(student, teacher, 2, 1.0)
    p, log_q = teacher.softmax(1)[0].double(), student.double().log_softmax(1)[0]
    inside = p[0] + p[2]
    outside_q = torch.logsumexp(log_q[[1, 3]], 0)
    bernoulli = inside * inside.log() + (1 - inside) * ((1 - inside).log() - outside_q)
    within = (p[0] / inside) * ((p[0] / inside).log() - 0.0) + (p[2] / inside) * ((p[2] / inside).log() + 20.0)
    assert loss.item() == pytest.approx((bernoulli + inside * within).item(), rel=1e-4)
    loss.backward()
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()


def test_losses_are_zero_where_the_student_is_the_teacher() -> None:
    scores, vectors = logits(4, 6, 0), unit(3, 5, 8)
    everything = torch.ones(3, 5, dtype=torch.bool)
    assert ranking_divergence(scores, scores + 5).item() == pytest.approx(0, abs=1e-9)  # a shift is no difference
    assert decoupled_top_k(scores, scores, 3, 2.0).item() == pytest.approx(0, abs=1e-9)
    assert margin_mse(scores, scores + 5).item() == pytest.approx(0, abs=1e-12)
    assert token_distillation(vectors, vectors, everything).item() == pytest.approx(0, abs=1e-9)


def test_another_copy_of_the_own_document_is_not_told_apart() -> None:
    scores = torch.tensor([[2.0, 2.0, -1.0], [0.0, 3.0, 1.0], [1.0, 0.0, 2.0]])
    same = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    expected = -sum(
        scores[i, allowed].log_softmax(0)[place]
        for i, (allowed, place) in enumerate([([0, 2], 0), ([1, 2], 0), ([0, 1, 2], 2)])
    )
    assert contrastive(scores, same).item() == pytest.approx(float(expected) / 3, abs=1e-6)
