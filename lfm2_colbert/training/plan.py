"""All steps of a run in order: the same whoever asks, and wherever a run goes on."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from lfm2_colbert.errors import InvalidConfigError
from lfm2_colbert.training.batches import Chosen, Material, batches_of
from lfm2_colbert.training.curriculum import places
from lfm2_colbert.training.recipe import Recipe

LAST_EPOCH = 10**9


@dataclass(frozen=True, slots=True)
class Step:
    """What all processes learn from at once, and how many tokens were seen before."""

    number: int
    chosen: Sequence[Chosen]
    before: int
    n_tokens: int


def planned(material: Material, recipe: Recipe) -> Iterator[Step]:
    """Give all steps until the recipe's tokens are seen; the next epoch is made while this one is learned."""
    n = recipe.loop.processes
    tokens, number = 0, 0
    every = chosen_of(material, recipe)
    while tokens < recipe.loop.tokens:
        chosen = list(islice(every, n))
        step = Step(number, chosen, tokens, sum(own.n_tokens(material.corpus) for own in chosen))
        yield step
        tokens, number = tokens + step.n_tokens, number + 1


def chosen_of(material: Material, recipe: Recipe) -> Iterator[Chosen]:
    """Give the batches of all epochs, without end."""
    seed = recipe.seed
    placed = places(material.corpus, material.dense, seed) if recipe.data.curriculum else None
    with ThreadPoolExecutor(1) as worker:
        epochs = (
            worker.submit(batches_of, material, recipe.loop.tokens_per_step, seed, number, placed)
            for number in range(LAST_EPOCH)
        )
        following = next(epochs)
        for after in epochs:
            if not (found := following.result()):
                raise InvalidConfigError("no two texts may be learned from", help="look at `left out` in about.json")
            yield from found
            following = after
