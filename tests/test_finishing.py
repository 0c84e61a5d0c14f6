"""What `cachy run` still fetches behind a range when its command ends."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cachy.cli import finishing
from clients.repo_python import PythonRepository, build
from clients.run import need, which
from support.answer import Answer
from support.command import Cachy
from support.message import Request
from support.origin import Origin
from support.pattern import Pattern
from support.proxy import Proxy
from support.reply import Handler, Reply
from support.tree import wait_until

MB = 1 << 20
URL = "https://h.example/a.whl"


def going_on_after(ended: Path, body: bytes, ranges: Handler | None = None) -> Handler:
    """Half of a body, and the rest piece by piece when a file is there; HEAD and ranges are answered
    apart.
    """

    async def handler(request: Request, reply: Reply) -> None:
        if ranges is not None and (request.method == "HEAD" or request.header("range")):
            await ranges(request, reply)
            return
        await reply.head(length=len(body))
        half, step = len(body) // 2, len(body) // 16 + 1
        await reply.send(body[:half])
        while not ended.exists():
            await asyncio.sleep(0.02)
        for at in range(half, len(body), step):
            await asyncio.sleep(0.1)
            await reply.send(body[at : at + step])
        await reply.end()

    return handler


def test_uv_looks_into_a_wheel(command: Cachy, origin: Origin, host: str, tmp_path: Path) -> None:
    """The wheel is stored, and is there for the next run."""
    need("uv")
    wheel = build("bigpkg", "1.0", size=12_000_000, apart=False)
    repository = PythonRepository(host, [wheel])
    repository.publish(origin)
    whole = Answer(wheel.data, etag='"w"', ranges=True)
    handler = going_on_after(tmp_path / "ended", wheel.data, whole)
    origin.handle(f"files.{host}", wheel.path, handler, scheme="https")
    (tmp_path / "wanted").write_text("bigpkg\n")
    uv = [which("uv") or "uv", "pip", "compile", "-q", "--no-cache", "--no-config"]
    uv += ["--python", sys.executable, "--default-index", repository.index]
    script = f"{' '.join(uv)} {tmp_path / 'wanted'}; touch {tmp_path / 'ended'}"
    own: list[str | Path] = ["--dir", tmp_path / "tree", *command.settings]
    report = tmp_path / "r.json"
    done = command.run("run", *own, "--report", report, "--", "sh", "-c", script).ok()
    assert "bigpkg==1.0" in done.output
    assert "waiting for what the cache still fetches" in done.output
    stored = tmp_path / f"tree/files.{host}{wheel.path}"
    assert stored.read_bytes() == wheel.data
    assert "unfinished" not in json.loads(report.read_text())
    asked = origin.asked(repository.url(wheel))
    assert len([r for r in asked if r.method == "GET" and not r.header("range")]) == 1
    offline = command.run("run", *own, "--offline", "--", "sh", "-c", script).ok()
    assert "bigpkg==1.0" in offline.output


@pytest.mark.parametrize("how", ["much is missing", "a signal ended it"])
def test_it_is_told(command: Cachy, origin: Origin, host: str, tmp_path: Path, how: str) -> None:
    """Where it would take long, or somebody wants the end: on standard error and in the reports."""
    need("curl")
    size = 40 * MB if how == "much is missing" else 2 * MB
    url = f"https://{host}/a.whl"
    origin.handle(host, "/a.whl", going_on_after(tmp_path / "never", bytes(size)))
    script = f"curl -sS -o got -r 0-99 {url}"
    if how == "a signal ended it":
        script += "; kill -TERM $$"
    own: list[str | Path] = ["--dir", tmp_path / "tree", *command.settings]
    report = tmp_path / "r.json"
    done = command.run("run", *own, "--report", report, "--", "sh", "-c", script)
    assert done.status == (0 if how == "much is missing" else 143)
    assert "not whole when the command ended, so not stored: " in done.output
    assert f" MB  {url}\n" in done.output
    assert "waiting for" not in done.output
    (told,) = json.loads(report.read_text())["unfinished"]
    assert (told["url"], told["length"]) == (url, size)
    assert 0 < told["received"] <= size // 2


def test_the_proxy_of_another_goes_on(
    command: Cachy, open_proxy: Proxy, origin: Origin, host: str, tmp_path: Path
) -> None:
    """So there is nothing to wait for, and nothing to tell."""
    need("curl")
    body = Pattern(4 * MB).slice(0, 4 * MB)
    url = f"https://{host}/a.whl"
    ended = tmp_path / "ended"
    origin.handle(host, "/a.whl", going_on_after(ended, body))
    report = tmp_path / "r.json"
    own = ("run", "--proxy", open_proxy.url, "--report", report, "--")
    done = command.run(*own, "curl", "-sS", "-o", "got", "-r", "0-99", url).ok()
    assert "not stored" not in done.output and "waiting" not in done.output
    assert "unfinished" not in json.loads(report.read_text())
    ended.touch()
    stored = Path(str(open_proxy.settings.options["cachy_dir"])) / host / "a.whl"
    wait_until(stored.exists)
    assert stored.read_bytes() == body


def fetch(received: int, length: int | None) -> dict[str, Any]:
    """One that goes on."""
    return {"url": URL, "received": received, "length": length}


class Proxied:
    """A proxy that counts what a test says, one state after the other; the last one stays."""

    def __init__(self, *states: list[dict[str, Any]]) -> None:
        self.states = list(states)
        self.asked = 0
        self.said: list[str] = []

    def ask(self) -> dict[str, Any]:
        """The next one."""
        self.asked += 1
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {"unfinished": state}

    def finish(self) -> list[dict[str, Any]]:
        """What is left in the end."""
        return finishing.unfinished(finishing.finish(self.ask(), self.ask, self.said.append))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the bounds short, seconds."""

    def bounds(longest: float = 60, stalled: float = 60) -> None:
        monkeypatch.setattr(finishing, "PAUSE", 0.001)
        monkeypatch.setattr(finishing, "LONGEST", longest)
        monkeypatch.setattr(finishing, "STALLED", stalled)

    return bounds


def test_what_is_little(quick: Callable[..., None]) -> None:
    """Waits for that, and for a head that is still to come; for nothing else."""
    quick()
    big, unknown = fetch(MB, 100 * MB), fetch(MB, None)
    assert Proxied([big, unknown]).finish() == [big, unknown]
    assert Proxied([fetch(0, 100 * MB)]).finish() == [fetch(0, 100 * MB)]
    proxied = Proxied([fetch(0, None)], [fetch(1, 2 * MB), big], [fetch(MB, 2 * MB), big], [big])
    assert proxied.finish() == [big]
    assert (proxied.asked, proxied.said) == (4, [])
    assert Proxied([fetch(0, None)], [unknown]).finish() == [unknown]


def test_what_stalls(quick: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Is not waited for for long, nor is what comes for ever."""
    quick(stalled=0.1)
    monkeypatch.setattr(finishing, "SAID", 0.01)
    proxied = Proxied([fetch(1, MB), fetch(2, None)])
    assert proxied.finish() == [fetch(1, MB), fetch(2, None)]
    assert proxied.said == [f"waiting for what the cache still fetches: {URL} (1.0 MB missing)"]
    quick(longest=0.1)
    trickle = Proxied(*([fetch(n, MB)] for n in range(1, 100_000)))
    assert finishing.is_little(trickle.finish()[0])
