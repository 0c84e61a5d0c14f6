"""Work in threads that holds up nothing when a signal comes."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TypeVar

T = TypeVar("T")


def abreast(works: Iterable[Callable[[], T]], threads: int) -> Iterator[T]:
    """Does several things at the same time, and gives their results in their order.

    Where the caller stops before the end, as a signal makes it, nothing more is begun, and nobody waits
    for what has been: a pool of `concurrent.futures` does, also at the end of the process. Call it in the
    main thread.

    Args:
        works: What to do.
        threads: How many at the same time.

    Raises:
        Exception: That of the work whose turn it is, or of a signal's handler.
    """
    futures: list[Future[T]] = []
    todo: deque[tuple[Callable[[], T], Future[T]]] = deque()
    for work in works:
        futures.append(Future())
        todo.append((work, futures[-1]))

    def toil() -> None:
        while True:
            try:
                work, future = todo.popleft()
            except IndexError:
                return
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001  it is the caller's
                future.set_exception(error)

    try:
        with waker() as (wait, wake):
            for future in futures:
                future.add_done_callback(lambda _: wake())
            for _ in range(min(threads, len(futures))):
                threading.Thread(target=toil, daemon=True).start()
            for future in futures:
                while not future.done():
                    wait()
                yield future.result()
    finally:
        todo.clear()


@contextmanager
def waker() -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """A function that waits, and one that ends the waiting from any thread; a signal does, too.

    Python may overlook a signal that comes while threads hand over to each other, and then sleeps on
    until something else happens; so its handler is called here.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    open_end = threading.Lock()
    over = False

    def wait() -> None:
        for number in os.read(reading, 4096):
            handler = signal.getsignal(number) if number else None
            if callable(handler):
                handler(number, None)

    def wake() -> None:
        # Full: then there is enough to wake it. Closed: the descriptor may be somebody else's by now.
        with open_end, suppress(BlockingIOError):
            if not over:
                os.write(writing, b"\0")

    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield wait, wake
    finally:
        signal.set_wakeup_fd(before)
        with open_end:
            over = True
        os.close(reading)
        os.close(writing)
