"""What is over is collected when nothing ends any more, and also where that never happens."""

import asyncio
import gc
import time
import weakref
from collections.abc import Iterator

import pytest

from cachy import tidying


class Flow:
    """One that knows itself, as flows and layers do."""

    def __init__(self) -> None:
        self.layer = self


@pytest.fixture(autouse=True)
def no_collection_of_pythons_own() -> Iterator[None]:
    """Python's collector does nothing by itself."""
    gc.disable()
    yield
    gc.enable()


async def collected(*, busy: bool) -> float:
    """Seconds until a flow that is over is gone, ten at most; others end all the time if `busy`."""
    ended = asyncio.Event()
    flow = Flow()
    seen = weakref.ref(flow)
    del flow
    task = asyncio.create_task(tidying.tidy(ended))
    ended.set()
    begun = time.monotonic()
    while seen() is not None and time.monotonic() - begun < 10:
        await asyncio.sleep(0.01)
        if busy:
            ended.set()
    task.cancel()
    return time.monotonic() - begun


@pytest.mark.parametrize("busy", [False, True], ids=["quiet", "busy"])
def test_collected(monkeypatch: pytest.MonkeyPatch, busy: bool) -> None:
    """It is gone when it has been quiet, and not much later under load."""
    monkeypatch.setattr(tidying, "QUIET", 0.2)
    monkeypatch.setattr(tidying, "LATEST", 0.5)
    took = asyncio.run(collected(busy=busy))
    assert (0.4 if busy else 0.1) < took < 8
