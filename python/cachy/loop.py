"""The event loop: uvloop's where that is installed, which spends less on each piece of a connection; else
asyncio's own.
"""

import asyncio
import warnings
from typing import Any


def choose() -> None:
    """Makes it the loop of `asyncio.run`, which mitmproxy calls."""
    try:
        import uvloop
    except ImportError:
        return

    class Loop(uvloop.Loop):
        def set_task_factory(self, factory: Any) -> None:
            """As the original, but mitmproxy's own factory begins tasks at once (from Python 3.12 on),
            which uvloop overrules, or is refused for, by a word that nobody has said.
            """

            def make(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> Any:
                if options.get("eager_start", False) is None:
                    del options["eager_start"]
                return factory(loop, coro, **options)

            super().set_task_factory(None if factory is None else make)

    with warnings.catch_warnings():
        # mitmproxy leaves no other way in, and Python 3.14 announces one.
        warnings.simplefilter("ignore", DeprecationWarning)

        class Policy(asyncio.DefaultEventLoopPolicy):
            def new_event_loop(self) -> asyncio.AbstractEventLoop:
                return Loop()

        asyncio.set_event_loop_policy(Policy())
