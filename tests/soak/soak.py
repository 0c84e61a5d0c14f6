"""Puts it all together: a world, thirteen jobs, a plan, measurements, and the rows of the table."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from clients.run import which
from support.ca import CA
from support.command import Cachy
from support.network import Network

from .curl import Transfer, fetch
from .curl_jobs import CurlJob, HerdJob, LargeJob, WalkJob
from .disturbances import Disturber, Faults, Runner
from .faults import FaultyOrigin
from .generations import Generations
from .jobs import AptJob, CargoJob, Crew, GitJob, Install, Job, NpmJob, PipJob, UvJob
from .journal import Journal
from .ledger import Ledger
from .measure import Sample, sample, torn
from .plan import Plan, plan
from .service import Service
from .site import HOSTS, File, Site
from .volume import TREE, Volume, volume

#: The jobs, the programs that each needs, and how many there are.
INSTALLS: dict[str, tuple[type[Install], tuple[str, ...], int]] = {
    "pip": (PipJob, (), 2),
    "uv": (UvJob, ("uv",), 2),
    "npm": (NpmJob, ("npm",), 2),
    "cargo": (CargoJob, ("cargo",), 2),
    "apt": (AptJob, ("apt-get", "dpkg-deb", "dpkg-scanpackages"), 1),
    "git": (GitJob, ("git",), 1),
}
CURLS: dict[str, type[CurlJob]] = {
    "curl-walk": WalkJob,
    "curl-herd": HerdJob,
    "curl-large": LargeJob,
}
KINDS = (*INSTALLS, *CURLS)
#: Seconds that an origin's answer takes, and the share of answers that suffer at any time.
LATENCY, RARELY = 0.03, 0.002
#: Seconds until all rounds are over, and until the proxy has come to rest.
PATIENCE, REST = 260.0, 15.0
#: Requests for one URL at the end.
PROBES = 6


@dataclass(frozen=True)
class Settings:
    """What to soak."""

    seconds: float = 3600.0
    workers: int = 2
    seed: int = 1
    only: Sequence[str] = KINDS
    """Kinds of jobs."""
    lie: Callable[[File, bytes], bytes] | None = None
    """See `Site`."""
    plan: Plan | None = None
    """What goes wrong, in the place of what the seed says."""
    say: Callable[[str], None] = print


@dataclass
class Soak:
    """One soak; what it found lies in its parts when `run` is over."""

    settings: Settings
    folder: Path
    journal: Journal = field(default_factory=Journal)
    problems: list[str] = field(default_factory=list)
    """What tripped the soak itself."""
    samples: list[Sample] = field(default_factory=list)
    """What the proxy held, every few seconds."""
    unstored: list[str] = field(default_factory=list)
    """Requests at the end for what was just stored, and was no hit."""
    rests: list[Sample] = field(default_factory=list)
    """What it held while nothing was asked: after the warm-up, and at the end."""

    def run(self) -> None:
        """Do it all; what was started is ended in any case."""
        self.folder.mkdir(exist_ok=True)
        with ExitStack() as stack:
            self._build(stack)
            self._soak()
            self.service.stop()
            self._after()

    def _after(self) -> None:
        """Look at the tree when the proxy has ended."""
        self.verified = self.command.run("verify", "--dir", self.service.tree, "--json")
        self.left = sorted({path.name for path in self.command.home.iterdir()} - self.before)
        self.torn = torn(self.service.tree)

    def _build(self, stack: ExitStack) -> None:
        settings, folder = self.settings, self.folder
        self.volume: Volume = stack.enter_context(volume(folder / "disk"))
        self.ledger = Ledger(self.journal)
        untrusted = CA(folder / "untrusted", "untrusted CA")
        ca = CA(folder / "ca")
        self.origin = FaultyOrigin(ca, untrusted, self.journal, settings.seed, RARELY)
        stack.enter_context(self.origin)
        (folder / "network").mkdir()
        network = stack.enter_context(Network(folder / "network", self.origin))
        self.generations = Generations(self.origin, folder / "repositories")
        self.site = Site(self.origin, LATENCY, settings.lie)
        home = folder / "t"
        self.command = Cachy(home, network, folder / "confdir", ca.pem)
        options = ["--workers", str(settings.workers), "--max-size", f"{TREE}MB"]
        self.service = Service(
            self.command, self.volume.tree, folder / "proxy.log", options, self.journal
        )
        self.faults = Faults(self.origin, network, self.generations, self.journal)
        self.disturber = Disturber(
            self.service, self.volume, self.journal, settings.workers, settings.seed
        )
        self.jobs, self.left_out = self._jobs()
        self.crew = Crew(self.jobs, self.service.listens)
        self.plan = settings.plan or plan(
            settings.seed,
            settings.seconds,
            sorted({job.family for job in self.jobs}),
            self.volume.own,
        )
        self.before = {path.name for path in home.iterdir()}
        self.service.start()
        stack.callback(self.service.kill)

    def _jobs(self) -> tuple[list[Job], list[str]]:
        jobs: list[Job] = []
        left_out = []
        folder = self.folder / "homes"
        seed = self.settings.seed
        for kind in self.settings.only:
            if kind in CURLS and which("curl") is None:
                left_out.append(f"{kind}: not installed: curl")
                continue
            if kind in CURLS:
                jobs.append(
                    CURLS[kind](kind, self.service, folder, self.ledger, seed, site=self.site)
                )
                continue
            job, programs, count = INSTALLS[kind]
            if missing := [program for program in programs if which(program) is None]:
                left_out.append(f"{kind}: not installed: {', '.join(missing)}")
                continue
            for number in range(1, count + 1):
                name = f"{kind} {number}" if count > 1 else kind
                common = (name, self.service, folder, self.ledger, seed)
                jobs.append(job(*common, generations=self.generations))
        return jobs, left_out

    def _soak(self) -> None:
        epoch, settings = time.monotonic(), self.settings
        self.journal.epoch = epoch
        runners = [
            Runner(self.plan.faults, self.faults, epoch, self.problems),
            Runner(self.plan.disturbances, self.disturber, epoch, self.problems),
        ]
        self.origin.rarely = 0.0
        self.crew.start()
        try:
            self._watch(epoch + self.plan.warm_up)
            self._rest()
            self.crew.resume()
            self.origin.rarely = RARELY
            for runner in runners:
                runner.start()
            self._watch(epoch + settings.seconds)
            for runner in runners:
                runner.end()
            self.problems += [f"the job {name} has died" for name in self.crew.dead()]
            self.origin.behave()
            self._rest()
            self._probe()
        except BaseException:
            # Clients that wait for it shall not be waited for.
            self.service.kill()
            raise
        finally:
            for runner in runners:
                runner.end()
            self.crew.end()

    def _probe(self) -> None:
        """Ask for a new URL several times: only the first is no hit, whatever went wrong before."""
        if which("curl") is None:
            return
        transfers = [Transfer(File(HOSTS[0], "fixed", "probe", 1, 10_000))] * PROBES
        outcomes = fetch(self.service, transfers, self.folder / "homes/probe")
        missed = [o for o in outcomes[1:] if not o.fields["cache-status"].startswith("cachy; hit")]
        self.unstored = [str(outcome) for outcome in missed]

    def _watch(self, until: float) -> None:
        """Look after the proxy, measure it now and then, and say how it goes."""
        told = time.monotonic()
        while (now := time.monotonic()) < until:
            time.sleep(min(0.3, until - now))
            self.service.look_after()
            if now - told > 15:
                told = now
                held = sample(self.service)
                self.samples.append(held)
                failures = self.ledger.failures()
                self.settings.say(
                    f"{now - self.journal.epoch:6.0f} s  {self.ledger.rounds.total()} rounds, "
                    f"{self.ledger.requests} of curl's requests, {len(self.ledger.wrong)} wrong, "
                    f"{len(failures.open)} failures unexplained, {len(failures.explained)} "
                    f"explained; {held}"
                )

    def _rest(self) -> None:
        """Pause the jobs, let the proxy come to rest, and measure it."""
        if not self.crew.pause(PATIENCE):
            self.problems.append(f"rounds were not over within {PATIENCE:.0f} s")
        deadline = time.monotonic() + REST
        time.sleep(1)
        while sample(self.service).writing and time.monotonic() < deadline:
            time.sleep(0.2)
        self.samples.append(sample(self.service))
        self.rests.append(self.samples[-1])
