"""How soon another worker is started."""

import pytest

from cachy.workers.pace import LASTING, LONGEST, Pace


def test_starts_in_vain() -> None:
    """The first is repeated at once, the others ever later."""
    pace = Pace()
    pauses = [pace.pause() for _ in range(9)]
    assert pauses[0] == 0
    assert pauses[1:] == sorted(pauses[1:]) and pauses[1] > 0 and pauses[-1] == LONGEST


@pytest.mark.parametrize("served, waits", [(LASTING, False), (LASTING / 2, True)])
def test_what_has_served(served: float, waits: bool) -> None:
    """Another one comes at once in the place of a worker that took clients for a while."""
    pace = Pace()
    for _ in range(9):
        pace.pause()
    assert (pace.pause(served) > 0) == waits
