"""What goes wrong, and when: the same for the same seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from .faults import ANSWERS, CONNECTIONS

#: Seconds between two faults, and two disturbances, in a long soak.
FAULTS, DISTURBANCES = 14.0, 25.0
#: The share of the time before the first measurement, and that after the last restart.
WARM_UP, CALM = 0.12, 0.4
#: Seconds that the warm-up takes at most.
WARM_UP_MOST = 90.0
#: These end processes; what they take is measured from the last of them on.
ENDING = ("kill", "restart", "hup")
LASTING = ("move", "copy", "remove")
FULL = "full"


@dataclass(frozen=True)
class Step:
    """One thing to do."""

    at: float
    """Seconds from the beginning."""
    seconds: float
    """How long it lasts, where it does."""
    kind: str
    family: str = ""


@dataclass(frozen=True)
class Plan:
    """All of it."""

    seconds: float
    warm_up: float
    """Seconds without any trouble, after which the first measurement is made."""
    faults: tuple[Step, ...]
    disturbances: tuple[Step, ...]


def _moments(chance: random.Random, begin: float, end: float, gap: float) -> list[float]:
    found, at = [], begin + gap * chance.uniform(0.2, 0.6)
    while at < end:
        found.append(at)
        at += gap * chance.uniform(0.7, 1.3)
    return found


def _in_turn(chance: random.Random, kinds: Sequence[str], count: int) -> list[str]:
    """Return as many as are wanted: all kinds, shuffled, then all of them again."""
    found: list[str] = []
    while len(found) < count:
        found += chance.sample(kinds, len(kinds))
    return found[:count]


def plan(seed: int, seconds: float, families: Sequence[str], disk: bool) -> Plan:
    """Return a plan.

    Args:
        seed: Of what is left to chance.
        seconds: How long the soak takes.
        families: Whose origins fail.
        disk: Whether the tree has a disk of its own, which may be filled.
    """
    chance = random.Random(f"plan {seed}")
    warm_up = min(WARM_UP * seconds, WARM_UP_MOST)
    # What was begun shall be over at the end.
    last = seconds * 0.95
    faults = []
    moments = _moments(chance, warm_up, last, min(FAULTS, seconds / 20))
    kinds = _in_turn(chance, [*ANSWERS, *CONNECTIONS], len(moments))
    for at, kind, family in zip(
        moments, kinds, _in_turn(chance, families, len(moments)), strict=True
    ):
        faults.append(Step(at, chance.uniform(1.5, 6), kind, family))
    calm = seconds * (1 - CALM)
    moments = _moments(chance, warm_up, last, min(DISTURBANCES, seconds / 12))
    lasting = [*LASTING, *([FULL] if disk else [])]
    early = [at for at in moments if at < calm]
    kinds = _in_turn(chance, [*ENDING, *lasting], len(early))
    kinds += _in_turn(chance, lasting, len(moments) - len(early))
    disturbances = [
        Step(at, chance.uniform(2, 5), kind) for at, kind in zip(moments, kinds, strict=True)
    ]
    return Plan(seconds, warm_up, tuple(faults), tuple(disturbances))
