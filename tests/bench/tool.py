"""The benchmark's own tool: the load client and the origin, see `load/src/main.rs`."""

import json
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HERE = Path(__file__).parent
TARGET = HERE.parent.parent / "target" / "bench"
#: The host of all that is not about many hosts.
HOST = "bench.example"
#: Seconds for one run of the client, whatever happens.
LIMIT = 180


class Failed(Exception):
    """A measurement that came to nothing, and why."""


def cargo(command: str, folder: Path, *arguments: str) -> None:
    """Runs cargo on a crate of the benchmark's.

    Raises:
        SystemExit: It failed, and has said why.
    """
    line = ["cargo", command, "--quiet", "--target-dir", str(TARGET), *arguments]
    try:
        subprocess.run(line, cwd=folder, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"bench: {error}") from error


def run_quietly(*command: str | Path) -> None:
    """Runs a command.

    Raises:
        SystemExit: It failed, and has said why.
    """
    try:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"bench: {error}") from error


@dataclass(frozen=True)
class Report:
    """What the client measured. See `Report` in `load/src/report.rs`."""

    requests: int
    seconds: float
    per_second: float
    bytes: int
    megabytes_per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    first_p50_ms: float
    first_at_ns: int


class Client:
    """A run of the client, which has begun."""

    def __init__(self, binary: Path, arguments: list[str]) -> None:
        self._process = subprocess.Popen(
            [binary, "get", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def wait(self) -> Report:
        """Waits for its end.

        Raises:
            Failed: A request failed, or it hangs.
        """
        try:
            out, err = self._process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"not done after {LIMIT} s") from error
        finally:
            self.end()
        if self._process.returncode:
            raise Failed((err.strip().splitlines() or ["the client ended without a word"])[0])
        found: dict[str, Any] = json.loads(out)
        del found["failures"]
        return Report(**found)

    def end(self) -> None:
        """Ends it, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class Tool:
    """The tool, built."""

    def __init__(self) -> None:
        cargo("build", HERE / "load", "--release", "--locked")
        self.binary = TARGET / "release" / "load"

    def get(self, *arguments: str) -> Client:
        """Starts the client: `load get --help` tells the arguments."""
        return Client(self.binary, list(arguments))

    def files(self, folder: Path, url: str, urls: int) -> None:
        """Writes what the origin would answer as `folder/HOST/PATH`."""
        run_quietly(self.binary, "files", folder, url, "--urls", str(urls))


@dataclass(frozen=True)
class Asked:
    """What the origin was asked."""

    connections: int
    requests: int
    urls: int
    first_at_ns: int
    """When the first byte of the last body was sent, by the clock of `Report.first_at_ns`."""


class Origin:
    """The origin, in a process of its own, for as long as the context lasts."""

    def __init__(self, tool: Tool, folder: Path) -> None:
        self.folder = folder
        """`ca.pem`, `ca-key.pem`, and `bench.example.pem` with certificate and key."""
        self._tool = tool

    @property
    def ca_pem(self) -> Path:
        """What its clients have to trust."""
        return self.folder / "ca.pem"

    def url(self, path: str, host: str = HOST) -> str:
        """The URL of a path."""
        return f"https://{host}:{self.port}{path}"

    def asked(self, *, anew: bool = False) -> Asked:
        """What it was asked since the last time that counting began anew."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._control}/", method="POST" if anew else "GET"
        )
        # Never by way of a proxy that the environment names.
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=10) as answer:
            return Asked(**json.load(answer))

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [self._tool.binary, "origin", self.folder, HOST],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        assert self._process.stdout
        ports = json.loads(self._process.stdout.readline())
        self.port: int = ports["port"]
        self._control: int = ports["control"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
