"""How soon another worker is started."""

import time

#: Ends within so many seconds make the next start wait.
WITHIN = 60.0
#: A worker that took clients for so many seconds was not started in vain.
LASTING = 10.0
#: Seconds that it waits at most.
LONGEST = 30.0


class Pace:
    """At once after a first accident, then less and less often."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def pause(self, served: float = 0.0) -> float:
        """A worker has ended, or has not started. Returns seconds to wait before the next start.

        Args:
            served: Seconds for which it took clients.
        """
        if served >= LASTING:
            self.ends.clear()
        now = time.monotonic()
        self.ends = [*(at for at in self.ends if now - at < WITHIN), now]
        return min(LONGEST, 2.0 ** (len(self.ends) - 3)) if len(self.ends) > 1 else 0.0
