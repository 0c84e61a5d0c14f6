"""Work in threads that holds up nothing."""

import threading
import time
from collections.abc import Callable

import pytest

from cachy.cli.abreast import abreast


def test_results_in_order() -> None:
    """Though the second is there first; no more threads than were asked for."""
    second, most = threading.Event(), 0
    lock, busy = threading.Lock(), 0

    def work(number: int) -> int:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        if number == 0:
            assert second.wait(10)
        if number == 1:
            second.set()
        with lock:
            busy -= 1
        return number

    def of(number: int) -> Callable[[], int]:
        return lambda: work(number)

    assert list(abreast((of(number) for number in range(20)), 2)) == list(range(20))
    assert most == 2


def test_nobody_waits_for_the_rest() -> None:
    """One fails while another one hangs, and the last is never started."""
    hang, begun = threading.Event(), threading.Event()

    def fail() -> None:
        begun.wait(10)
        raise ValueError("mine")

    def stay() -> None:
        begun.set()
        hang.wait(30)

    last: list[int] = []
    before = time.monotonic()
    with pytest.raises(ValueError, match="mine"):
        list(abreast([fail, stay, stay, lambda: last.append(1)], 2))
    assert time.monotonic() - before < 5
    hang.set()
    assert last == []
