"""The rolling window of HubSpot's burst limit, in whatever time the caller passes."""

from collections import deque


class RollingWindow:
    """At most `limit` admissions in any `seconds`; a request exactly `seconds` old no longer counts.

    A refused request is counted in `peak` and consumes nothing, as at HubSpot: who keeps knocking is let in as soon as
    an admitted one has aged. Every instant enters and leaves each queue once, so a request costs O(1) amortised.
    """

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self.peak = 0
        """The most requests there were in any window, refused ones included."""
        self._arrived: deque[float] = deque()
        self._admitted: deque[float] = deque()

    def arrive(self, now: float) -> None:
        """Note a request, whatever becomes of it. `now` never runs backwards."""
        self._forget(now)
        self._arrived.append(now)
        self.peak = max(self.peak, len(self._arrived))

    def admit(self, now: float) -> bool:
        """Whether there is room at `now`; if so it is taken."""
        self._forget(now)
        if len(self._admitted) >= self.limit:
            return False
        self._admitted.append(now)
        return True

    def remaining(self, now: float) -> int:
        """How many more would be admitted at `now`."""
        self._forget(now)
        return self.limit - len(self._admitted)

    def wait(self, now: float) -> float:
        """Seconds from `now` until there is room."""
        if self.remaining(now) > 0:
            return 0.0
        return self._admitted[0] + self.seconds - now if self._admitted else self.seconds

    def _forget(self, now: float) -> None:
        horizon = now - self.seconds
        for instants in (self._arrived, self._admitted):
            while instants and instants[0] <= horizon:
                instants.popleft()
