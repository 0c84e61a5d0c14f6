"""A gate between the test's thread and a handler in the origin's loop."""

import asyncio
import threading


class Gate:
    """Closed until `open()`, which either side may call."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asyncio = asyncio.Event()
        self._threading = threading.Event()

    def open(self) -> None:
        """Let everybody through, from now on."""
        self._threading.set()
        self._loop.call_soon_threadsafe(self._asyncio.set)

    @property
    def is_open(self) -> bool:
        """Whether anybody is let through."""
        return self._threading.is_set()

    async def passed(self) -> None:
        """In a handler: wait until the gate is open."""
        await self._asyncio.wait()

    def wait(self, timeout: float = 10) -> None:
        """In the test: wait until the gate is open."""
        if not self._threading.wait(timeout):
            raise TimeoutError(f"the gate was not opened within {timeout} s")
