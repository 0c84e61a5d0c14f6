"""Real cargo and uv, over HTTP/2 and HTTP/1.1, with the lane and without: `run.py --only clients`."""

import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cachy import addon_path
from clients.repository import Repository
from support.ca import CA
from support.factory import ProxyFactory
from support.message import Request
from support.network import Network
from support.past import a_while_ago
from support.proxy import Proxy

from .bench import say
from .fetchers import Count, Kind, kinds
from .process import cpu
from .registries import AWAY, LONG, Distant
from .table import markdown, spread
from .tool import Failed


@dataclass(frozen=True)
class Way:
    """One way to speak with clients."""

    title: str
    options: Mapping[str, str]
    version: str = "2"
    """That of HTTP which the origin sees, and the client too: mitmproxy offers what it was offered."""


WAYS = (
    Way("HTTP/2, the lane", {}),
    Way("HTTP/1.1 alone, the lane (`http2=false`)", {"http2": "false"}, "1.1"),
    Way("HTTP/2, no lane (`cachy_lane=off`)", {"cachy_lane": "off"}),
)

#: In what state each client finds the tree, one after the other.
STATES = ("cold", "warm", "index due")


@dataclass
class Living:
    """A proxy of one of the ways."""

    way: Way
    proxy: Proxy
    tree: Path


@dataclass(frozen=True)
class Took:
    """What one run took, in seconds."""

    seconds: float
    cpu: float
    """The proxy's."""


#: By client, state and way, in the order of the rounds.
Results = dict[tuple[str, str, str], list[Took]]


@contextmanager
def ways(folder: Path, origin: Distant, ca: CA) -> Iterator[list[Living]]:
    """A proxy of each way, for as long as the context lasts."""
    with ExitStack() as stack:
        (folder / "network").mkdir()
        network = stack.enter_context(Network(folder / "network", origin))
        factory = stack.enter_context(
            ProxyFactory(
                folder=folder,
                confdir=folder / "confdir",
                cachy_dir=folder / "unused",
                network=network,
                upstream_ca=ca.pem,
                addon=addon_path,
            )
        )
        living = []
        for number, way in enumerate(WAYS):
            tree = folder / f"tree{number}"
            # As the other scenarios: nothing is printed.
            proxy = factory(options={"flow_detail": 0, **way.options}, cachy_dir=tree)
            living.append(Living(way, proxy, tree))
        yield living


def measure(folder: Path, count: Count, rounds: int) -> str:
    """Measures; gives the table."""
    ca = CA(folder / "ca")
    results: Results = defaultdict(list)
    here = kinds(count)
    with Distant(ca) as origin, ways(folder, origin, ca) as living:
        # The round before the first is not counted: proxies are slower at what they have never done.
        for number in range(rounds + 1):
            for kind in here:
                say(f"clients: round {number} of {rounds}, {kind.name}")
                # Hosts that nobody has heard of: cold in every respect.
                repository = kind.repository(f"r{number}.{kind.name}.example")
                repository.publish(origin)
                for state in STATES:
                    first = number % len(living)
                    for each in living[first:] + living[:first]:
                        took = _turn(kind, state, each, repository, origin, folder / "home")
                        if number:
                            results[kind.name, state, each.way.title].append(took)
    return table(here, results)


def _turn(
    kind: Kind, state: str, each: Living, repository: Repository, origin: Distant, home: Path
) -> Took:
    """One run of one client.

    Raises:
        Failed: It did not get everything, or the origin was asked for something else than it should be.
    """
    if state == "index due":
        a_while_ago(each.tree, LONG, repository.host)
    before, asked = cpu(each.proxy.pid), len(origin.requests)
    try:
        run = kind.install(each.proxy, home, repository)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    took = Took(run.seconds, cpu(each.proxy.pid) - before)
    _as_expected(state, each.way, repository, origin.requests[asked:])
    return took


def _as_expected(state: str, way: Way, repository: Repository, requests: Sequence[Request]) -> None:
    indexes = [request for request in requests if repository.is_index(request.url)]
    wanted = {
        "cold": len(requests) > len(indexes) > 0,
        "warm": not requests,
        "index due": len(requests) == len(indexes) > 0,
    }
    versions = {request.version for request in requests}
    if not wanted[state] or versions - {way.version}:
        raise Failed(
            f"{way.title}, {state}: the origin was asked {len(requests)} times, "
            f"{len(indexes)} of them for an index, over HTTP/{' and '.join(versions)}"
        )


def table(here: Sequence[Kind], results: Results) -> str:
    """Seconds of each, and their ratios within a round."""
    lane, *others = (way.title for way in WAYS)
    lines = []
    for kind in here:
        for state in STATES:
            title = f"{kind.title}, {state}, s" if state == STATES[0] else f"… {state}, s"
            for name, value in ((title, _seconds), ("… the proxy's CPU, s", _cpu)):
                of = {
                    way.title: [value(took) for took in results[kind.name, state, way.title]]
                    for way in WAYS
                }
                ratios = [
                    f"×{spread([b / a for a, b in zip(of[lane], of[other], strict=True)], 2)}"
                    for other in others
                ]
                lines.append([name, *(spread(each, 2) for each in of.values()), *ratios])
    heads = ["", lane, *others, "HTTP/1.1 to HTTP/2", "no lane to the lane"]
    about = (
        f"Median (lowest–highest); the origin is {AWAY * 1000:.0f} ms away. Cold: nothing is stored; warm: "
        "all is, and is fresh; index due: all is, and the index is checked. Ratios are taken within a round."
    )
    return f"{markdown(heads, lines)}\n\n{about}"


def _seconds(took: Took) -> float:
    return took.seconds


def _cpu(took: Took) -> float:
    return took.cpu
