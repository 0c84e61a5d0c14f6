"""What went wrong on purpose, and when: what may explain that a job failed."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

#: Seconds that an origin's fault lasts on: what failed is left alone for ten.
AFTER_FAULT = 12.0
#: Seconds within which a client notices that its connection is gone.
AFTER_RESTART = 2.0


def family(host: str) -> str:
    """Return whose host this is: `files` of `a.files.soak.example`."""
    return host.split(".")[-3]


@dataclass
class Event:
    """One thing that was done."""

    what: str
    begin: float
    """`time.monotonic()`."""
    end: float | None = None
    """None while it lasts."""
    family: str | None = None
    """Whose requests it meets; None: everybody's."""
    after: float = 0.0
    """Seconds for which it explains failures when it is over."""

    def meets(self, begin: float, end: float, family: str) -> bool:
        """Whether it explains what failed for a family between two moments."""
        over = float("inf") if self.end is None else self.end + self.after
        return self.family in (None, family) and self.begin <= end and over >= begin


@dataclass
class Journal:
    """All of them; safe to use from any thread."""

    epoch: float = field(default_factory=time.monotonic)
    """When the soak began."""
    events: list[Event] = field(default_factory=list)
    """What explains a failure."""
    remarks: list[str] = field(default_factory=list)
    """Everything in words, in order."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def remark(self, text: str) -> None:
        """Note something that explains nothing."""
        with self._lock:
            self.remarks.append(f"{time.monotonic() - self.epoch:7.1f} s  {text}")

    def add(self, event: Event) -> Event:
        """Note what has begun."""
        with self._lock:
            self.events.append(event)
        return event

    @contextmanager
    def during(self, what: str, family: str | None, after: float) -> Iterator[Event]:
        """Note what lasts as long as the block, which gets the event."""
        self.remark(f"{what} {family or ''}".rstrip())
        event = self.add(Event(what, time.monotonic(), None, family, after))
        try:
            yield event
        finally:
            event.end = time.monotonic()

    def why(self, begin: float, end: float, family: str) -> str | None:
        """Return what explains a failure, or None."""
        with self._lock:
            found = (e.what for e in reversed(self.events) if e.meets(begin, end, family))
            return next(found, None)
