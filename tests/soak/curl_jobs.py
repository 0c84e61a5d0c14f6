"""The jobs of curl: a walk over many URLs, a herd, and large files."""

import time
from abc import abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from .curl import Outcome, Transfer, fetch
from .generations import PERIOD
from .jobs import Job
from .site import FAMILY, HOSTS, LIFETIME, File, Site

#: The clients of a herd, and the URLs that each of them asks for.
HERD = 13
HERD_URLS = 40
LARGE = 20_000_000
#: Exit codes of curl for a client that leaves: a timeout.
LEFT = (28,)
WALK = 40
SIZES = (0, 500, 10_000, 80_000, 400_000)


class CurlJob(Job):
    """What all of them have in common: the judge."""

    family = FAMILY

    def __init__(self, *common: Any, site: Site) -> None:
        super().__init__(*common)
        self.site = site

    @property
    def generation(self) -> str:
        """The part of a URL's path that is new now and then, the same for all jobs."""
        return str(int((time.monotonic() - self.site.epoch) / PERIOD))

    @abstractmethod
    def runs(self) -> list[list[Transfer]]:
        """Plan a round: the transfers of each curl."""

    def round(self, home: Path) -> int:
        """See `Job.round`."""
        runs = self.runs()
        if parallel := self.chance.random() < 0.3:
            # curl 7.88 mixes answers up where HTTP/1.1 and HTTP/2 run in parallel.
            http2 = self.chance.random() < 0.5
            runs = [[replace(transfer, http2=http2) for transfer in run] for run in runs]

        def one(number: int) -> list[Outcome]:
            return fetch(self.proxy, runs[number], home / str(number), parallel)

        with ThreadPoolExecutor(len(runs)) as pool:
            outcomes = [outcome for found in pool.map(one, range(len(runs))) for outcome in found]
        for outcome in outcomes:
            self.judge(outcome, timed=not parallel)
        return len(outcomes)

    def judge(self, outcome: Outcome, timed: bool) -> None:
        """Note what is wrong with an answer."""
        transfer, wanted = outcome.transfer, self.wanted(outcome.transfer)
        if transfer.leave is not None and outcome.exit in LEFT:
            return
        if outcome.exit or outcome.status not in wanted:
            told = outcome.body[:300].decode(errors="replace") if outcome.status >= 400 else ""
            what = f"{outcome}\n{told}"
            self.ledger.failed(self.note(outcome.begin, what, outcome.end))
            return
        if outcome.fields["etag"] and outcome.fields["etag"].count("-") < 2:
            self.ledger.took_for_a_persons(self.note(outcome.begin, str(outcome), outcome.end))
            return
        version, wrong = self.bytes(outcome)
        if wrong is not None:
            self.ledger.wrong_body(self.name, f"{wrong}: {outcome}")
        elif "stale-if-error" in (outcome.fields["cache-status"] or ""):
            pass  # Whatever its age.
        elif old := self.site.judge_version(transfer.file, version, outcome.begin, outcome.end):
            self.ledger.too_old(self.note(outcome.begin, f"{old}: {outcome}", outcome.end))
        if timed and transfer.prompt:
            self.ledger.waited(self.note(outcome.begin, str(outcome), outcome.end))

    def wanted(self, transfer: Transfer) -> Sequence[int]:
        """Return the statuses that are right."""
        if transfer.file.kind == "gone":
            return [404]
        if transfer.etag is not None:
            return [200, 304]
        return [200, 206, 416] if transfer.span and not transfer.head else [200]

    def bytes(self, outcome: Outcome) -> tuple[int, str | None]:
        """Return the version of an answer, and what is wrong with its bytes."""
        file, etag = outcome.transfer.file, outcome.fields["etag"]
        if file.kind == "gone":
            return 0, None
        if outcome.status == 416:
            version, told = self.site.version(file, outcome.begin), outcome.fields["content-range"]
            right = ("", f"bytes */{len(self.site.body(file, version))}")
            return version, None if told in right else f"416 with {told!r}"
        if outcome.status == 304 or outcome.transfer.head:
            version = int(etag.strip('"').rpartition("-")[2] or 0)
            size, told = len(self.site.body(file, version)), outcome.fields["content-length"]
            if etag != self.site.etag(file, version):
                return version, f"ETag {etag!r}"
            if outcome.status == 200 and told != str(size):
                return version, f"Content-Length {told!r} for {size} bytes"
            return version, None
        if outcome.status == 206:
            return self.site.judge_part(file, etag, outcome.fields["content-range"], outcome.body)
        version, wrong = self.site.judge_whole(file, outcome.body)
        if wrong is None and etag != self.site.etag(file, version):
            wrong = f"version {version} with ETag {etag!r}"
        return version, wrong


class WalkJob(CurlJob):
    """Many URLs of all kinds in shuffled order, in every manner that curl has."""

    def runs(self) -> list[list[Transfer]]:
        """See `CurlJob.runs`."""
        return [[self.transfer() for _ in range(WALK)]]

    def transfer(self) -> Transfer:
        """Return one request, left to chance."""
        chance = self.chance
        kind = chance.choice(("fixed", "fixed", "plain", "moving", "checked", "gone"))
        moving = kind in LIFETIME
        number = chance.randrange(20 if moving else 60)
        generation = "all" if moving else self.generation
        file = File(chance.choice(HOSTS), kind, generation, number, SIZES[number % len(SIZES)])
        manner = chance.random()
        etag = None
        if manner < 0.15 and kind != "gone":
            version = max(0, self.site.version(file, time.monotonic()) - chance.randrange(2))
            etag = self.site.etag(file, version)
        span = None
        if 0.15 <= manner < 0.3 and kind != "gone":
            first = chance.randrange(file.size + 1)
            span = chance.choice((f"{first}-", f"{first}-{first + 5000}", f"-{first + 1}"))
        return Transfer(
            file=file,
            scheme=chance.choice(("https", "https", "https", "http")),
            http2=chance.random() < 0.4,
            head=0.3 <= manner < 0.4,
            span=span,
            etag=etag,
            rate="200k" if 0.4 <= manner < 0.43 else None,
            leave=chance.uniform(0.01, 0.3) if 0.43 <= manner < 0.5 else None,
        )


class HerdJob(CurlJob):
    """Clients that lead and follow: all ask for the same new URLs, each in its own order."""

    def runs(self) -> list[list[Transfer]]:
        """See `CurlJob.runs`."""
        generation = f"{self.name.replace(' ', '')}x{self.number}"
        files = [
            File(HOSTS[number % 2], "fixed", generation, number, 10_000)
            for number in range(HERD_URLS)
        ]
        runs = []
        for _ in range(HERD):
            http2 = self.chance.random() < 0.3
            order = self.chance.sample(files, len(files))
            runs.append([Transfer(file, http2=http2) for file in order])
        return runs


class LargeJob(CurlJob):
    """Large files: whole, in part, slowly, and by clients that leave."""

    def runs(self) -> list[list[Transfer]]:
        """See `CurlJob.runs`."""
        return [[self.transfer()] for _ in range(4)]

    def transfer(self) -> Transfer:
        """Return one request, left to chance."""
        chance = self.chance
        number = chance.randrange(2)
        kind = ("fixed", "plain")[number]
        file = File(HOSTS[number], kind, self.generation, number, LARGE)
        manner, span = chance.random(), None
        if manner < 0.25:
            first = chance.randrange(LARGE)
            span = chance.choice((f"{first}-", f"{first}-{first + 300_000}", "-100000"))
        return Transfer(
            file=file,
            http2=chance.random() < 0.4,
            span=span,
            rate="4M" if 0.25 <= manner < 0.45 else None,
            leave=chance.uniform(0.05, 1) if 0.45 <= manner < 0.65 else None,
        )
