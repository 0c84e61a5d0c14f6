"""The jobs: each does the same again and again, with an empty home each time."""

import random
import re
import shutil
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clients.apt import Apt
from clients.cargo import Cargo
from clients.client import Client
from clients.git import Git
from clients.npm import Npm
from clients.pip import Pip
from clients.repo_git import FILE, GitRepository, content
from clients.repository import Repository
from clients.run import Run
from clients.uv import Uv
from support.wire import Target

from .generations import Generations
from .ledger import Ledger, Note

#: Seconds until a client is killed.
TIMEOUT = 120.0
#: Seconds between two rounds, at most.
PAUSE = 3.0
#: Characters of what a client printed.
OUTPUT = 4000
#: Seconds for which an old commit may be cloned.
LATE = 10.0
#: What clients say of bytes that are not those of the index.
HASH = re.compile(
    r"DO NOT MATCH THE HASHES|EINTEGRITY|Hash mismatch|failed to verify the checksum"
    r"|Hash Sum mismatch|unexpected size",
    re.IGNORECASE,
)


class Job(ABC):
    """One of the jobs.

    Args:
        name: Its name, such as `pip 2`.
        proxy: What it goes by.
        folder: For its homes.
        ledger: Where it writes what came of it.
        seed: Of what is left to chance.
    """

    family: str

    def __init__(self, name: str, proxy: Target, folder: Path, ledger: Ledger, seed: int) -> None:
        self.name = name
        self.proxy = proxy
        self.folder = folder
        self.ledger = ledger
        self.chance = random.Random(f"{seed} {name}")
        self.number = 0

    @abstractmethod
    def round(self, home: Path) -> int:
        """Do it once, and note what was wrong; gives the requests that were counted."""

    def once(self) -> None:
        """Do it once, with a home of its own."""
        self.number += 1
        home = self.folder / f"{self.name.replace(' ', '-')}-{self.number}"
        begin = time.monotonic()
        requests = 0
        try:
            requests = self.round(home)
        except (OSError, RuntimeError, ValueError, LookupError, AssertionError):
            self.failed(begin, f"the job itself tripped:\n{traceback.format_exc()}")
        finally:
            shutil.rmtree(home, ignore_errors=True)
        self.ledger.done(self.note(begin, f"round {self.number}"), requests)

    def failed(self, begin: float, what: str) -> None:
        """Note that the round failed."""
        self.ledger.failed(self.note(begin, what))

    def note(self, begin: float, what: str, end: float | None = None) -> Note:
        """Return a note about what lasted from a moment to another, or until now."""
        return Note(self.name, self.family, begin, end or time.monotonic(), what)


class Install(Job):
    """A package manager that installs everything from a repository."""

    client: type[Client[Any]]

    def __init__(self, *common: Any, generations: Generations) -> None:
        super().__init__(*common)
        self.generations = generations

    def round(self, home: Path) -> int:
        """See `Job.round`."""
        repository = self.generations.current(self.family)
        client = self.client(self.proxy, home, repository)
        client.timeout = TIMEOUT
        begin = time.monotonic()
        run = client.install()
        if HASH.search(run.output):
            self.ledger.mismatched(self.note(begin, f"{repository.host}: {_tail(run)}"))
        elif run.status:
            self.failed(begin, _tail(run))
        else:
            self.compare(client, repository, begin)
        return 0

    def compare(self, client: Client[Any], repository: Repository, begin: float) -> None:
        """Compare what a client got with what the origin has."""
        installed, expected = client.installed(), repository.contents
        if installed != expected:
            other = [n for n in expected if n in installed and installed[n] != expected[n]]
            missing = [n for n in expected if n not in installed]
            what = f"{repository.host}: other bytes in {other}, missing {missing}"
            self.ledger.wrong_body(self.name, what)


def _tail(run: Run) -> str:
    return f"{run.command}\nended with {run.status} in {run.seconds:.1f} s:\n{run.output[-OUTPUT:]}"


class PipJob(Install):
    """pip."""

    family, client = "python", Pip


class UvJob(Install):
    """uv, with the repositories of pip."""

    family, client = "python", Uv


class NpmJob(Install):
    """npm."""

    family, client = "npm", Npm


class CargoJob(Install):
    """cargo."""

    family, client = "cargo", Cargo


class AptJob(Install):
    """apt-get."""

    family, client = "apt", Apt


class GitJob(Install):
    """git, with a branch that moves."""

    family, client = "git", Git

    def round(self, home: Path) -> int:
        """See `Job.round`."""
        repository = self.generations.current(self.family)
        assert isinstance(repository, GitRepository)
        self.before = repository.current
        self.moved = time.monotonic()
        return super().round(home)

    def compare(self, client: Client[Any], repository: Repository, begin: float) -> None:
        """See `Install.compare`."""
        assert isinstance(client, Git) and isinstance(repository, GitRepository)
        head = client.head()
        if head not in repository.ids:
            self.ledger.wrong_body(self.name, f"{repository.url}: {head} is no commit of it")
            return
        commit = repository.ids.index(head)
        if client.installed() != {FILE: content(commit)}:
            self.ledger.wrong_body(self.name, f"{repository.url}: other bytes in commit {commit}")
        if commit < self.before:
            what = f"{repository.url}: commit {commit}, {self.before} was there before the clone"
            self.ledger.too_old(self.note(begin, what))


class Crew:
    """All jobs, each in a thread of its own; they pause together.

    Args:
        jobs: The jobs.
        ready: Whether the proxy listens; no round begins while it does not.
    """

    def __init__(self, jobs: list[Job], ready: Callable[[], bool]) -> None:
        self._jobs = jobs
        self._ready = ready
        self._go = threading.Event()
        self._over = threading.Event()
        self._busy = 0
        self._turn = threading.Condition()
        self._threads = [threading.Thread(target=self._run, args=(job,)) for job in jobs]

    def start(self) -> None:
        """Begin."""
        self._go.set()
        for thread in self._threads:
            thread.start()

    def pause(self, patience: float) -> bool:
        """Let all rounds end, and begin no others; whether they ended in time."""
        self._go.clear()
        with self._turn:
            return self._turn.wait_for(lambda: self._busy == 0, patience)

    def dead(self) -> list[str]:
        """Return the jobs whose threads have ended by a mistake of ours; call it before `end`."""
        both = zip(self._jobs, self._threads, strict=True)
        return [job.name for job, thread in both if not thread.is_alive()]

    def resume(self) -> None:
        """Go on."""
        self._go.set()

    def end(self) -> None:
        """Let all rounds end."""
        self._over.set()
        self._go.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(TIMEOUT * 2)

    def _run(self, job: Job) -> None:
        while not self._over.is_set():
            self._go.wait()
            if not self._ready():
                self._over.wait(0.1)
                continue
            with self._turn:
                if self._over.is_set() or not self._go.is_set():
                    continue
                self._busy += 1
            try:
                job.once()
            finally:
                with self._turn:
                    self._busy -= 1
                    self._turn.notify_all()
            self._over.wait(job.chance.uniform(0, PAUSE))
