"""What a run's own proxy still fetches when the command has ended: it would be thrown away with the
proxy, so what misses little is waited for.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from cachy.cli.terminal import size

#: Bytes that may be missing.
LITTLE = 16 * 1024 * 1024
#: Seconds to wait in all, and for anything to come.
LONGEST, STALLED = 10.0, 2.0
#: Seconds until one asks again, and until one says that one waits.
PAUSE, SAID = 0.05, 0.5

Counted = dict[str, Any]


def unfinished(counted: Counted) -> list[Counted]:
    """What is still being fetched without a client: ``url``, ``received``, ``length``."""
    return list(counted.get("unfinished") or [])


def missing(fetch: Counted) -> int | None:
    """How many bytes are missing; ``None`` where nobody knows."""
    length = fetch.get("length")
    return None if length is None else max(0, int(length) - int(fetch.get("received", 0)))


def is_little(fetch: Counted) -> bool:
    """Whether so little is missing that it is worth waiting for. A fetch that has just begun has told
    no length yet.
    """
    rest = missing(fetch)
    return not fetch.get("received") if rest is None else rest <= LITTLE


def finish(
    counted: Counted, ask: Callable[[], Counted | None], say: Callable[[str], None]
) -> Counted:
    """Waits for what misses little, as long as it comes.

    Args:
        counted: What the proxy counts.
        ask: Asks it again.
        say: For a remark, where it takes a while.

    Returns:
        What it counts then.
    """
    begun = moved = time.monotonic()
    seen = state(counted)
    said = False
    while little := [each for each in unfinished(counted) if is_little(each)]:
        now = time.monotonic()
        if now - begun > LONGEST or now - moved > STALLED:
            break
        if not said and now - begun > SAID:
            said = True
            say(f"waiting for what the cache still fetches: {told(little)}")
        time.sleep(PAUSE)
        counted = ask() or counted
        if seen != (seen := state(counted)):
            moved = time.monotonic()
    return counted


def state(counted: Counted) -> tuple[tuple[str, int], ...]:
    """How far all of it has come."""
    return tuple((str(each["url"]), int(each["received"])) for each in unfinished(counted))


def told(fetches: Sequence[Counted]) -> str:
    """Them in a line."""
    first = fetches[0]
    rest = missing(first)
    missed = "" if rest is None else f" ({size(rest)} missing)"
    more = f" and {len(fetches) - 1} more" if len(fetches) > 1 else ""
    return f"{first['url']}{missed}{more}"
