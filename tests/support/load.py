"""Clients that keep proxies busy with sealed bodies of all kinds, and look at what they get."""

import asyncio
import itertools
import random
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from .client import Connection, Incomplete
from .client import Reply as Answer
from .client_h2 import H2Client
from .message import Request
from .origin import Origin
from .reply import Reply
from .sealed import VERSION, seal, unseal
from .wire import Target

KINDS = (
    "/file{n}",
    "/status{n}",
    "/both{n}",
    "/both{n}/",
    "/both{n}/-/x.tgz",
    "/variant{n}",
    "/slash{n}",
    "/slash{n}/",
    "/thing{n}.zip",
    "/cut{n}",
)


class Load:
    """Between entering and leaving it, some threads ask for a few URLs of a host again and again.

    What the origin says of a URL changes with each request. `wrong` tells what clients got that
    was not what the origin had sent at some time.
    """

    def __init__(
        self, proxies: Sequence[Target], origin: Origin, host: str, seed: int, threads: int = 6
    ) -> None:
        self.proxies, self.host = proxies, host
        self.wrong: list[str] = []
        self.answered = 0
        self._seed = seed
        self._over = threading.Event()
        self._versions = itertools.count(time.time_ns())
        self._random = random.Random(seed)
        for name in (host, f"cdn.{host}"):
            origin.handle(name, "*", self.answer)
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(seed * 100 + number),))
            for number in range(threads)
        ]

    async def answer(self, request: Request, reply: Reply) -> None:
        """What the origin says this time."""
        chance, target = self._random, request.target
        label = f"https://{self.host}{target}"
        fields = {VERSION: str(version := next(self._versions)), "Cache-Control": "max-age=0"}
        status, size = 200, chance.choice([0, 5_000, 300_000])
        if target.startswith("/thing") and not request.host.startswith("cdn."):
            status, fields["Location"] = 302, f"https://cdn.{self.host}{target}"
        elif target.startswith("/variant"):
            label += f"|{request.header('accept-language')}"
            fields["Vary"] = "Accept-Language"
        elif target.startswith("/slash") and not target.endswith("/") and chance.random() < 0.5:
            status, fields["Location"] = 301, f"{label}/"
        elif target.startswith("/status"):
            status = chance.choice([200, 404, 410, 302])
            fields["Location"] = "/there"
        body = seal(label, version, size if status == 200 else 0)
        chunked = chance.random() < 0.3
        await reply.head(status, fields, length=None if chunked else len(body), chunked=chunked)
        middle = len(body) // 2
        await reply.send(body[:middle])
        if chance.random() < 0.3:
            await asyncio.sleep(chance.uniform(0, 0.05))
        if target.startswith("/cut") and chance.random() < 0.5:
            reply.abort()
            return
        await reply.send(body[middle:])
        await reply.end()

    def _run(self, chance: random.Random) -> None:
        while not self._over.is_set():
            proxy = chance.choice(self.proxies)
            target = chance.choice(KINDS).format(n=chance.randrange(3))
            try:
                self._ask(chance, proxy, target)
            except (Incomplete, OSError):
                # Cut by the origin, or since the proxy is dead.
                if not target.startswith("/cut") and not self._over.is_set():
                    time.sleep(0.01)

    def _ask(self, chance: random.Random, proxy: Target, target: str) -> None:
        url = f"https://{self.host}{target}"
        fields = {"Accept-Language": chance.choice(["de", "fr"])}
        manner = chance.random()
        if manner < 0.15:
            fields["Range"] = "bytes=2-1000"
        if manner > 0.7:
            with H2Client(proxy, url, timeout=5) as h2:
                self._look(url, fields, h2.fetch(headers=fields))
            return
        with Connection(proxy, url, timeout=5) as client:
            client.send_request(headers=fields)
            reply = client.read_head()
            if manner > 0.6:
                return  # It leaves in the middle.
            reply.body = client.read_to_end()
            self._look(url, fields, reply)

    def _look(self, url: str, fields: dict[str, str], reply: Answer) -> None:
        self.answered += 1
        version = reply.header(VERSION)
        if version is None or reply.status in (206, 416):
            if reply.status not in (206, 301, 416, 502):
                self.wrong.append(f"{url}: {reply.status} {reply.headers}")
            return
        try:
            label, known = unseal(reply.body)
        except (AssertionError, ValueError) as error:
            self.wrong.append(f"{url}: {reply.status} {reply.headers}: {error!r}")
            return
        path, _, language = label.partition("|")
        # Where upstream could not be asked, another variant is better than nothing.
        stands_in = "stale-if-error" in (reply.cache_status or "")
        wanted = language in ("", fields["Accept-Language"]) or stands_in
        if path != url or str(known) != version or not wanted:
            self.wrong.append(f"{url} {fields}: {label} {known}, {reply.headers}")

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(10)
