"""What came of each round of each job."""

import threading
from collections import Counter
from dataclasses import dataclass, field

from .journal import Journal

#: Seconds of a wait that is worth keeping.
LONG = 0.25


@dataclass(frozen=True)
class Note:
    """Something about a round or a request that a fault may explain."""

    job: str
    family: str
    begin: float
    """`time.monotonic()`."""
    end: float
    what: str
    """In full, with what the client printed."""


@dataclass
class Judged:
    """Notes, by whether something explains them."""

    open: list[Note] = field(default_factory=list)
    explained: list[tuple[Note, str]] = field(default_factory=list)
    """Each with what explains it."""


@dataclass
class Ledger:
    """All of them; safe to use from any thread. What explains them is looked for at the end."""

    journal: Journal
    rounds: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    """Of curl."""
    wrong: list[str] = field(default_factory=list)
    """Bytes that the origin never served."""
    persons: list[Note] = field(default_factory=list)
    """Cached files that were served as a person's."""
    _rounds: list[Note] = field(default_factory=list)
    _failures: list[Note] = field(default_factory=list)
    _mismatches: list[Note] = field(default_factory=list)
    _stale: list[Note] = field(default_factory=list)
    _waits: list[Note] = field(default_factory=list)
    _longest: float = -1.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def done(self, note: Note, requests: int = 0) -> None:
        """Note that a round is over."""
        with self._lock:
            self.rounds[note.job] += 1
            self.requests += requests
            self._rounds.append(note)

    def wrong_body(self, job: str, what: str) -> None:
        """Note bytes that the origin never served."""
        with self._lock:
            self.wrong.append(f"{job}: {what}")

    def mismatched(self, note: Note) -> None:
        """Note that a client got other bytes than it was to. Some, such as an older pip, say so of a body that
        its origin has cut.
        """
        with self._lock:
            self._mismatches.append(note)

    def failed(self, note: Note) -> None:
        """Note a failure."""
        with self._lock:
            self._failures.append(note)

    def too_old(self, note: Note) -> None:
        """Note a version that was served for too long."""
        with self._lock:
            self._stale.append(note)

    def took_for_a_persons(self, note: Note) -> None:
        """Note a cached file that was served as a person's."""
        with self._lock:
            self.persons.append(note)

    def waited(self, note: Note) -> None:
        """Note how long a request took that nothing of its own delays."""
        seconds = note.end - note.begin
        with self._lock:
            if seconds >= LONG or seconds > self._longest:
                self._longest = max(seconds, self._longest)
                self._waits.append(note)

    def _judge(self, notes: list[Note]) -> Judged:
        judged = Judged()
        with self._lock:
            notes = list(notes)
        for note in notes:
            why = self.journal.why(note.begin, note.end, note.family)
            if why is None:
                judged.open.append(note)
            else:
                judged.explained.append((note, why))
        return judged

    def failures(self) -> Judged:
        """Return the failures."""
        return self._judge(self._failures)

    def mismatches(self) -> list[Note]:
        """Return the mismatches that nothing explains."""
        return self._judge(self._mismatches).open

    def stale(self) -> list[Note]:
        """Return what was served for too long, and nothing explains."""
        return self._judge(self._stale).open

    def waits(self) -> list[Note]:
        """Return the waits that nothing explains, the longest first."""
        return _longest_first(self._judge(self._waits).open)

    def long_rounds(self) -> list[Note]:
        """Return the rounds that met nothing that explains anything, the longest first."""
        return _longest_first(self._judge(self._rounds).open)


def _longest_first(notes: list[Note]) -> list[Note]:
    return sorted(notes, key=lambda note: note.begin - note.end)
