"""What the licences of weights ask of those who use them, in the words that a person is shown before a download."""

from collections.abc import Mapping

LFM_OPEN = "LFM Open License v1.0"
SUMMARIES: Mapping[str, str] = {
    LFM_OPEN: "Free to use, change and pass on with its notices. Commercial use is for companies of less than 10 M USD "
    "yearly revenue (section 5); larger ones need an agreement with Liquid AI.",
}
"""Licences that are asked for before weights come to a machine."""
OWNERS: Mapping[str, str] = {"LiquidAI": LFM_OPEN}


def licence_of_repository(repository: str) -> str:
    """Give the licence that all weights of a repository's owner have; "" if none is known."""
    return OWNERS.get(repository.partition("/")[0], "")
