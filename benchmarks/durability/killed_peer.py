"""fast-plaid, as the program that is killed, and as the one that opens what is left. Runs in that engine's environment.

`python -m benchmarks.durability.killed_peer create|add|delete|check FOLDER SEED`
"""

import json
import sys
from pathlib import Path
from typing import Any

DOCUMENTS, TOKENS, DIM = 3000, 20, 64
ADDED, DELETED = 60, 3


def documents(n: int, seed: int) -> list[Any]:
    """Draw documents of unit vectors."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return [torch.nn.functional.normalize(torch.randn(TOKENS, DIM, generator=generator), dim=1) for _ in range(n)]


def main(verb: str, folder: Path, seed: int) -> None:
    """Do one thing; changes go on until this process is killed, and each says how many documents there are then."""
    import torch
    from fast_plaid import search

    torch.set_num_threads(1)
    index = search.FastPlaid(str(folder), device="cpu")
    if verb == "create":
        index.create(documents(DOCUMENTS, seed), nbits=4, use_triton_kmeans=False)
    elif verb == "check":
        index.search(documents(1, seed)[0].unsqueeze(0), top_k=10, show_progress=False)
        say(count(folder))
    else:
        total = count(folder)
        say(total)
        while True:
            if verb == "add":
                index.update(documents(ADDED, seed))
                total += ADDED
            else:
                index.delete(list(range(DELETED)))
                total -= DELETED
            say(total)


def count(folder: Path) -> int:
    """Read how many documents the index says it has."""
    return int(json.loads((folder / "metadata.json").read_text(encoding="utf-8"))["num_documents"])


def say(total: int) -> None:
    """Acknowledge."""
    sys.stdout.write(f"{total}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
