"""So many requests a minute for each key, or each address where there are no keys."""

import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from service.http.refusals import Refusal


class Rates:
    """Counts requests in a window that moves with the clock."""

    def __init__(self, per_minute: int | None) -> None:
        """Allow so many; None: any number."""
        self._item = RateLimitItemPerMinute(per_minute) if per_minute else None
        self._limiter = MovingWindowRateLimiter(MemoryStorage()) if per_minute else None

    def require(self, who: str, exempt: bool) -> None:
        """Count a request.

        Raises:
            Refusal: 429 ``rate_limited``; the headers say when the next one is allowed.
        """
        if self._item is None or self._limiter is None or exempt or self._limiter.hit(self._item, who):
            return
        reset, remaining = self._limiter.get_window_stats(self._item, who)
        seconds = str(max(1, round(reset - time.time())))
        raise Refusal(
            429, "rate_limited", f"More than {self._item.amount} requests a minute.", f"ask again in {seconds} seconds",
            {"retry-after": seconds, "ratelimit-limit": str(self._item.amount), "ratelimit-remaining": str(remaining),
             "ratelimit-reset": seconds},
        )  # fmt: skip
