"""The ratios that matter, each taken within one round, and what they should be."""

from collections.abc import Callable
from dataclasses import dataclass

from .bench import Results
from .peers import NO_LANE
from .scenarios import Sizes

#: Gives a value of the round: scenario, peer, key.
Get = Callable[[str, str, str], float]


@dataclass(frozen=True)
class Figure:
    """One of them, for whichever way to run cachy."""

    title: str
    value: Callable[[Get, str], float]
    least: float | None = None
    most: float | None = None
    digits: int = 2
    only: str | None = None
    """The one way to run cachy that it is about."""

    @property
    def wanted(self) -> str:
        """In words."""
        if self.least is not None:
            return f"at least {self.least:g}"
        return "" if self.most is None else f"at most {self.most:g}"

    def holds(self, value: float) -> bool:
        """Whether it is as it should be."""
        below = self.least is not None and value < self.least
        return not below and (self.most is None or value <= self.most)

    def values(self, results: Results, who: str, rounds: int) -> list[float]:
        """That of each round in which all that it takes was measured."""
        found = []
        for number in range(rounds):

            def get(scenario: str, peer: str, key: str, number: int = number) -> float:
                values = results[scenario, peer][number]
                if values is None:
                    raise KeyError(key)
                return values[key]

            try:
                found.append(self.value(get, who))
            except (KeyError, IndexError, ZeroDivisionError):
                continue
        return found


def _plain(scenario: str, key: str) -> Callable[[Get, str], float]:
    return lambda get, who: get(scenario, who, key)


def _over(scenario: str, key: str, other: str) -> Callable[[Get, str], float]:
    return lambda get, who: get(scenario, who, key) / get(scenario, other, key)


def _peers(scenario: str, key: str, one: str, other: str) -> Callable[[Get, str], float]:
    return lambda get, who: get(scenario, one, key) / get(scenario, other, key)


def _between(scenario: str, other: str, key: str) -> Callable[[Get, str], float]:
    return lambda get, who: get(scenario, who, key) / get(other, who, key)


def figures(sizes: Sizes) -> list[Figure]:
    """All of them."""
    rate, large, huge = "per_second", size(sizes.large), size(sizes.huge)
    return [
        Figure("10 KB hits, 8 connections: rate / constant", _over("hits", rate, "constant"), 15),
        Figure("… / Squid", _over("hits", rate, "squid"), 1),
        Figure("… / nginx without a proxy", _over("hits", rate, "nginx")),
        # A fifth less than the first.
        Figure("… 1 connection: rate / constant", _over("hits-c1", rate, "constant"), 12),
        Figure("… 32 connections: rate / constant", _over("hits-c32", rate, "constant"), 12),
        Figure("1 KB hits: rate / constant", _over("hits-1k", rate, "constant"), 12),
        Figure("100 KB hits: rate / constant", _over("hits-100k", rate, "constant"), 12),
        Figure("two workers: rate / one", _over("hits", rate, "cachy serve"), 1.6, only=TWO),
        Figure("… nginx, two workers / one", _peers("hits", rate, "nginx 2", "nginx"), only=TWO),
        Figure("CONNECT and TLS for each: rate / constant", _over("new", rate, "constant"), 3),
        Figure("… / Squid", _over("new", rate, "squid")),
        Figure("… two workers: rate / one", _over("new", rate, "cachy serve"), only=TWO),
        Figure("… nginx, two workers / one", _peers("new", rate, "nginx 2", "nginx"), only=TWO),
        Figure(
            "HTTP/2, 32 at a time on 1 connection: rate / constant",
            _over("h2", rate, "constant"),
            15,
        ),
        Figure("… / nginx without a proxy", _over("h2", rate, "nginx")),
        Figure("… / without the lane", _over("h2", rate, NO_LANE)),
        Figure("HTTP/2, one at a time: rate / constant", _over("h2-s1", rate, "constant")),
        Figure("… / without the lane", _over("h2-s1", rate, NO_LANE)),
        Figure("… / HTTP/1.1, 1 connection", _between("h2-s1", "hits-c1", rate)),
        Figure(
            f"{sizes.hosts} new hosts: time / Squid", _over("hosts", "seconds", "squid"), most=1
        ),
        Figure(f"{huge} hit: rate / nginx", _over("huge", "mb_per_second", "nginx"), 0.9),
        Figure("… peak memory, MB", _plain("huge", "peak_mb"), most=120, digits=0),
        Figure("… of four at once, MB", _plain("huge-4", "peak_mb"), most=160, digits=0),
        Figure(f"Small hits beside {large} hits: rate / alone", _plain("beside", "share"), 0.5),
        Figure("… p99, ms", _plain("beside", "p99_ms"), most=5, digits=1),
        Figure(
            f"{huge} miss: rate / mitmproxy", _over("huge-miss", "mb_per_second", "mitmproxy"), 1
        ),
        Figure(
            f"{sizes.jobs} jobs, {sizes.urls} URLs, {sizes.delay} ms away: requests to the origin",
            _plain("jobs", "upstream"),
            most=sizes.urls,
            digits=0,
        ),
        Figure("… time / Squid", _over("jobs", "seconds", "squid"), most=1.3),
        Figure(
            f"{sizes.misses} misses of 10 KB: time / mitmproxy",
            _over("misses", "seconds", "mitmproxy"),
            most=1.15,
        ),
        Figure(
            f"First byte of a {large} miss, ms after the origin's",
            _plain("first", "first_ms"),
            most=10,
            digits=1,
        ),
    ]


#: Of cachy's processes on one port.
TWO = "cachy serve 2"


def size(text: str) -> str:
    """A size as people write it."""
    units = {"k": "KB", "M": "MB", "G": "GB"}
    return f"{text[:-1]} {units[text[-1]]}"
