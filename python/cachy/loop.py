"""The event loop: uvloop's where that is installed, which spends less on each piece of a connection; else
asyncio's own.
"""

import asyncio
import warnings


def choose() -> None:
    """Makes it the loop of `asyncio.run`, which mitmproxy calls."""
    try:
        import uvloop
    except ImportError:
        return
    with warnings.catch_warnings():
        # mitmproxy leaves no other way in, and Python 3.14 announces one.
        warnings.simplefilter("ignore", DeprecationWarning)
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
