"""One run of real curl with many transfers, and what came of each."""

import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clients.run import clean_env
from support.wire import Target

from .site import File

#: Seconds until a transfer is given up.
PATIENCE = 40
TOLD = "etag", "content-range", "content-length", "cache-status"


@dataclass(frozen=True)
class Transfer:
    """One request."""

    file: File
    scheme: str = "https"
    http2: bool = False
    head: bool = False
    span: str | None = None
    """As in `--range`."""
    etag: str | None = None
    """For If-None-Match."""
    rate: str | None = None
    """As in `--limit-rate`."""
    leave: float | None = None
    """Seconds after which the client goes away."""

    @property
    def url(self) -> str:
        """The URL."""
        return f"{self.scheme}://{self.file.label}"

    @property
    def prompt(self) -> bool:
        """Whether nothing about it takes long by itself."""
        return self.rate is None and self.leave is None and self.file.size < 1_000_000


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    transfer: Transfer
    status: int
    exit: int
    error: str
    begin: float
    """`time.monotonic()`."""
    end: float
    fields: dict[str, str]
    """Those of `TOLD`."""
    body: bytes

    def __str__(self) -> str:
        cache = self.fields.get("cache-status", "")
        took = self.end - self.begin
        etag = self.fields.get("etag", "")
        said = f"{self.status} {etag}, curl {self.exit} {self.error!r}, {took:.1f} s, {cache}"
        return f"{self.transfer}: {said}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _block(transfer: Transfer, body: Path, proxy: Target) -> list[str]:
    told = "".join(f"\\t%header{{{name}}}" for name in TOLD)
    lines = [
        f"url = {_quoted(transfer.url)}",
        f"output = {_quoted(str(body))}",
        f'proxy = "http://{proxy.host}:{proxy.port}"',
        f"cacert = {_quoted(str(proxy.ca_pem))}",
        f'write-out = "%{{stderr}}%{{json}}{told}\\n"',
        "silent",
        f"max-time = {transfer.leave or PATIENCE}",
        "http2" if transfer.http2 else "http1.1",
    ]
    if transfer.http2:
        # A CONNECT of curl's own name is offered HTTP/1.1 only.
        lines.append('proxy-header = "User-Agent: soak"')
    if transfer.head:
        lines.append("head")
    if transfer.span:
        lines.append(f"range = {transfer.span}")
    if transfer.etag:
        lines.append(f"header = {_quoted(f'If-None-Match: {transfer.etag}')}")
    if transfer.rate:
        lines.append(f"limit-rate = {transfer.rate}")
    return lines


def _outcome(line: str, transfers: Sequence[Transfer], bodies: Path) -> Outcome:
    told, *values = line.rstrip("\n").split("\t")
    about = json.loads(told)
    number = int(Path(about["filename_effective"] or f"{about['urlnum']}").name)
    path, now = bodies / str(number), time.monotonic()
    if about["url"] != transfers[number].url:
        raise RuntimeError(f"curl told of {about['url']} with the file of {transfers[number].url}")
    return Outcome(
        transfer=transfers[number],
        status=about["http_code"],
        exit=about["exitcode"],
        error=about["errormsg"] or "",
        begin=now - about["time_total"],
        end=now,
        fields=dict(zip(TOLD, values, strict=True)),
        body=path.read_bytes() if path.exists() and not transfers[number].head else b"",
    )


def fetch(
    proxy: Target, transfers: Sequence[Transfer], home: Path, parallel: bool = False
) -> list[Outcome]:
    """Run curl with some transfers; `home` is made, and removed at the end.

    Raises:
        RuntimeError: It told of fewer transfers than it was given.
    """
    env = clean_env(home)
    bodies = home / "bodies"
    bodies.mkdir()
    config = home / "config"
    blocks = [
        "\n".join(_block(transfer, bodies / str(number), proxy))
        for number, transfer in enumerate(transfers)
    ]
    config.write_text("\nnext\n".join(blocks) + "\n")
    words = [
        "curl",
        "--no-progress-meter",
        *(["--parallel"] if parallel else []),
        "--config",
        str(config),
    ]
    found, others = [], []
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env, cwd=home
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("{"):
                found.append(_outcome(line, transfers, bodies))
            else:
                others.append(line)
    shutil.rmtree(home, ignore_errors=True)
    if len(found) != len(transfers):
        raise RuntimeError(f"curl told of {len(found)} of {len(transfers)}: {''.join(others)}")
    return found
