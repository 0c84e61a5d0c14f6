"""Runs work in threads that a signal can leave at once."""

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
    """Runs several functions at the same time and yields their results in order.

    If the caller stops early, for example because of a signal, no further function is started and
    nothing waits for those that run. A pool of `concurrent.futures` would, even when the process
    ends. Call this in the main thread.

    Args:
        works: The functions.
        threads: How many run at the same time.

    Raises:
        Exception: What the function raised, or the handler of a signal.
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
            except BaseException as error:  # noqa: BLE001  raised in the caller
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
    """Yields a function that waits, and one that ends the wait from any thread, as signals do.

    Python 3.11 can miss a signal that arrives while threads compete for the interpreter. It then
    runs the handler only after the main thread wakes up for another reason. So `wait` calls it.
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
        # A full pipe wakes it up, too. After the end, the descriptor may belong to another file.
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
