"""What is measured."""

from collections.abc import Callable
from dataclasses import dataclass, field

from .peers import NO_LANE, Running
from .tool import HOST, Failed, Report

#: What one turn of one peer gave, by the names in `table.COLUMNS`.
Values = dict[str, float]


@dataclass(frozen=True)
class Sizes:
    """How much to measure."""

    seconds: float = 1.5
    large: str = "100M"
    huge: str = "1G"
    misses: int = 1000
    jobs: int = 13
    urls: int = 100
    hosts: int = 200
    delay: int = 50
    """Milliseconds that the origin is away, for the jobs."""


QUICK = Sizes(seconds=0.4, large="20M", huge="100M", misses=100, urls=20, hosts=30)

#: Who stands for what is measured of cachy alone.
CACHY = ("cachy", "cachy serve")


@dataclass(frozen=True)
class Scenario:
    """One measurement; peers take turns at it."""

    name: str
    title: str
    group: str
    """Those of one group have the same processes."""
    peers: tuple[str, ...]

    def files(self, sizes: Sizes) -> list[tuple[str, int]]:
        """The paths, with `{}` for numbers, and how many, that have to be there as files."""
        return []

    def hosts(self, sizes: Sizes, rounds: int) -> list[str]:
        """The hosts that will be asked for, besides the one."""
        return []

    def warm(self, running: Running, sizes: Sizes) -> None:
        """Done once for each peer, before the rounds."""

    def measure(self, running: Running, sizes: Sizes, number: int) -> Values:
        """One turn, in the round of that number.

        Raises:
            Failed: A request failed, or was asked upstream though it was stored.
        """
        raise NotImplementedError


def metered(running: Running, work: Callable[[], Report]) -> tuple[Report, Values]:
    """Does it, and tells what it cost the peer and the origin."""
    process, origin = running.process, running.place.origin
    process.reset_peak()
    origin.asked(anew=True)
    before = process.cpu()
    report = work()
    return report, {
        "per_second": report.per_second,
        "seconds": report.seconds,
        "mb_per_second": report.megabytes_per_second,
        "p50_ms": report.p50_ms,
        "p99_ms": report.p99_ms,
        "cpu_us": (process.cpu() - before) * 1e6 / max(report.requests, 1),
        "peak_mb": process.peak_mb(),
        "upstream": origin.asked().requests,
    }


def only_stored(running: Running, values: Values) -> Values:
    """What must not have gone upstream.

    Raises:
        Failed: It did.
    """
    if values["upstream"]:
        raise Failed(f"{values['upstream']:.0f} requests went upstream for what is stored")
    return values


@dataclass(frozen=True)
class Hits(Scenario):
    """The same few URLs again and again."""

    size: str = "10k"
    connections: int = 8
    fresh: bool = False
    """Whether each request has its own connection."""
    streams: int = 0
    """Requests at a time on each connection, over HTTP/2; 0 is HTTP/1.1."""

    def files(self, sizes: Sizes) -> list[tuple[str, int]]:
        return [(f"/{self.size}/hit-{{}}", 8)]

    def _url(self, running: Running) -> tuple[str, ...]:
        url = running.place.origin.url(f"/{self.size}/hit-{{}}")
        return url, "--urls", "8", *(["--streams", str(self.streams)] if self.streams else [])

    def warm(self, running: Running, sizes: Sizes) -> None:
        running.get(*self._url(running))
        running.get(*self._url(running), "-c", str(self.connections), "--seconds", "0.3")

    def measure(self, running: Running, sizes: Sizes, number: int) -> Values:
        arguments = [*self._url(running), "-c", str(self.connections)]
        arguments += ["--seconds", str(sizes.seconds), *(["--fresh"] if self.fresh else [])]
        _, values = metered(running, lambda: running.get(*arguments))
        return only_stored(running, values)


@dataclass(frozen=True)
class Hosts(Scenario):
    """Host after host that the proxy has never heard of, nothing stored."""

    def hosts(self, sizes: Sizes, rounds: int) -> list[str]:
        return [f"h{h}.r{r}.{HOST}" for h in range(sizes.hosts) for r in range(rounds)]

    def measure(self, running: Running, sizes: Sizes, number: int) -> Values:
        url = running.place.origin.url("/10k/new", f"h{{}}.r{number}.{HOST}")
        return metered(running, lambda: running.get(url, "--urls", str(sizes.hosts)))[1]


@dataclass(frozen=True)
class Misses(Scenario):
    """Small URLs that nobody has asked for, each once."""

    def measure(self, running: Running, sizes: Sizes, number: int) -> Values:
        url = running.place.origin.url(f"/10k/miss-{number}-{{}}")
        arguments = ["--urls", str(sizes.misses), "-c", "8"]
        return metered(running, lambda: running.get(url, *arguments))[1]


@dataclass(frozen=True)
class Jobs(Scenario):
    """Jobs that all want the same new URLs, each in its own order, one after the other."""

    def measure(self, running: Running, sizes: Sizes, number: int) -> Values:
        url = running.place.origin.url(f"/10k/after-{sizes.delay}/job-{number}-{{}}")
        arguments = ["--urls", str(sizes.urls), "-c", str(sizes.jobs), "--each"]
        return metered(running, lambda: running.get(url, *arguments))[1]


@dataclass(frozen=True)
class LargeHit(Scenario):
    """A large body that is stored."""

    huge: bool = False
    connections: int = 1

    def _path(self, sizes: Sizes) -> str:
        return f"/{sizes.huge if self.huge else sizes.large}/hit"

    def files(self, sizes: Sizes) -> list[tuple[str, int]]:
        return [(self._path(sizes), 1)]

    def warm(self, running: Running, sizes: Sizes) -> None:
        running.get(running.place.origin.url(self._path(sizes)))

    def measure(self, running: Running, sizes: Sizes, number: int) -> Values:
        url = running.place.origin.url(self._path(sizes))
        many = str(self.connections)
        _, values = metered(running, lambda: running.get(url, "-c", many, "--count", many))
        return only_stored(running, values)


@dataclass(frozen=True)
class Beside(Scenario):
    """Small hits, first alone, then while somebody loops over a large one."""

    small: Hits = field(default_factory=lambda: Hits("", "", "", ()))
    large: LargeHit = field(default_factory=lambda: LargeHit("", "", "", ()))

    def files(self, sizes: Sizes) -> list[tuple[str, int]]:
        return self.small.files(sizes) + self.large.files(sizes)

    def warm(self, running: Running, sizes: Sizes) -> None:
        self.small.warm(running, sizes)
        self.large.warm(running, sizes)

    def measure(self, running: Running, sizes: Sizes, number: int) -> Values:
        alone = self.small.measure(running, sizes, number)
        url = running.place.origin.url(f"/{sizes.large}/hit")
        loop = running.begin(url, "--seconds", str(sizes.seconds + 0.4))
        try:
            beside = self.small.measure(running, sizes, number)
            rate = loop.wait().megabytes_per_second
        finally:
            loop.end()
        share = beside["per_second"] / alone["per_second"]
        return beside | {"share": share, "mb_per_second": rate}


@dataclass(frozen=True)
class LargeMiss(Scenario):
    """A large body that nobody has asked for."""

    huge: bool = False

    def measure(self, running: Running, sizes: Sizes, number: int) -> Values:
        path = f"/{sizes.huge if self.huge else sizes.large}/miss-{number}"
        origin = running.place.origin
        report, values = metered(running, lambda: running.get(origin.url(path)))
        first = (report.first_at_ns - origin.asked().first_at_ns) / 1e6
        running.drop(path)
        return values | {"first_ms": first}


FEW = (*CACHY, "constant", "squid")
MULTIPLEXING = (*CACHY, NO_LANE, "constant", "map_local", "replay", "twenty", "nginx")
SCENARIOS: tuple[Scenario, ...] = (
    Hits(
        "hits",
        "10 KB hits, 8 connections",
        "small",
        (
            *(*CACHY, "cachy serve 2"),
            *("constant", "map_local", "replay", "twenty", "squid", "nginx", "nginx 2"),
        ),
    ),
    Hits("hits-c1", "10 KB hits, 1 connection", "small", FEW, connections=1),
    Hits("hits-c32", "10 KB hits, 32 connections", "small", FEW, connections=32),
    Hits("hits-1k", "1 KB hits, 8 connections", "small", FEW, size="1k"),
    Hits("hits-100k", "100 KB hits, 8 connections", "small", FEW, size="100k"),
    Hits(
        "new",
        "10 KB hits, CONNECT and TLS for each, 8 at a time",
        "small",
        (*FEW, "cachy serve 2", "nginx", "nginx 2"),
        fresh=True,
    ),
    Hits(
        "h2",
        "10 KB hits over HTTP/2, 32 at a time",
        "h2",
        MULTIPLEXING,
        connections=1,
        streams=32,
    ),
    Hits(
        "h2-s1",
        "10 KB hits over HTTP/2, one at a time",
        "h2",
        MULTIPLEXING,
        connections=1,
        streams=1,
    ),
    Hosts("hosts", "new hosts, one after the other", "cold", (*FEW, "mitmproxy")),
    Jobs("jobs", "jobs want the same new URLs", "cold", (*CACHY, "twenty", "mitmproxy", "squid")),
    Misses("misses", "10 KB misses", "cold", (*CACHY, "twenty", "mitmproxy", "squid")),
    LargeHit("large", "large hit", "large", (*CACHY, "twenty", "squid", "nginx")),
    LargeHit("huge", "huge hit", "large", (*CACHY, "nginx"), huge=True),
    LargeHit("huge-4", "four huge hits at once", "large", CACHY, huge=True, connections=4),
    Beside(
        "beside", "small hits beside a loop of large ones", "beside", (*CACHY, "squid", "nginx")
    ),
    LargeMiss("first", "large miss", "large-miss", (*CACHY, "mitmproxy", "squid")),
    LargeMiss("huge-miss", "huge miss", "large-miss", (*CACHY, "mitmproxy"), huge=True),
)
