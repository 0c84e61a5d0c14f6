"""curl and wget: the rest of a file, several ranges, and a file that is there already."""

import os
import re
from email.utils import formatdate
from pathlib import Path

import pytest

from clients.fetcher import Curl, Wget
from clients.repository import payload
from clients.run import need
from support.answer import Answer
from support.origin import Origin
from support.proxy import Proxy

BODY = payload(1_000_000, "file")
HALF = 400_000
MODIFIED = 1_700_000_000

stored_or_miss = pytest.mark.parametrize("stored", [True, False], ids=["stored", "miss"])


@pytest.fixture(params=["http", "https"])
def url(request: pytest.FixtureRequest, host: str) -> str:
    """The file's URL."""
    return f"{request.param}://{host}/pool/file.bin"


@pytest.fixture
def file(url: str, origin: Origin) -> Answer:
    """The file at the origin."""
    modified = formatdate(MODIFIED, usegmt=True)
    return origin.route(url, BODY, etag='"file"', last_modified=modified, ranges=True)


@pytest.fixture
def curl(shared_proxy: Proxy, tmp_path: Path) -> Curl:
    """A curl of this test's own."""
    need("curl")
    return Curl(shared_proxy, tmp_path / "curl")


@pytest.fixture
def wget(shared_proxy: Proxy, tmp_path: Path) -> Wget:
    """A wget of this test's own."""
    need("wget")
    return Wget(shared_proxy, tmp_path / "wget")


@pytest.fixture
def path(url: str, shared_dir: Path) -> Path:
    """The file in the tree."""
    return shared_dir / url.partition("://")[2]


@stored_or_miss
def test_curl_resumes(
    curl: Curl, url: str, file: Answer, path: Path, origin: Origin, stored: bool
) -> None:
    """`curl -C -` gets the rest, where the file is stored and where it is not."""
    if stored:
        curl(url, "-o", "whole").ok()
    part = curl.home / "part"
    part.write_bytes(BODY[:HALF])
    run = curl("-C", "-", url, "-o", part, "-w", "%{http_code} %{size_download}").ok()
    assert run.output.split() == ["206", str(len(BODY) - HALF)]
    assert part.read_bytes() == BODY
    assert path.read_bytes() == BODY
    assert origin.count(url) == 1


@stored_or_miss
def test_wget_resumes(
    wget: Wget, url: str, file: Answer, path: Path, origin: Origin, stored: bool
) -> None:
    """`wget -c` gets the rest, where the file is stored and where it is not."""
    if stored:
        wget(url, "-O", "whole").ok()
    part = wget.home / "file.bin"
    part.write_bytes(BODY[:HALF])
    run = wget("--server-response", "-c", url).ok()
    assert "HTTP/1.1 206 " in run.output
    assert part.read_bytes() == BODY
    assert path.read_bytes() == BODY
    assert origin.count(url) == 1


def test_nothing_is_left_to_resume(
    curl: Curl, wget: Wget, url: str, file: Answer, origin: Origin
) -> None:
    """Where all of it is there, `-C -` and `-c` are told 416, and leave the file as it is."""
    wget(url).ok()
    part = wget.home / "file.bin"
    run = curl("--no-fail", "-C", "-", url, "-o", part, "-w", "%{http_code}").ok()
    assert run.output == "416"
    again = wget("--server-response", "-c", url).ok()
    assert "HTTP/1.1 416 " in again.output
    assert part.read_bytes() == BODY
    assert origin.count(url) == 1


def test_curl_several_ranges(curl: Curl, url: str, file: Answer, origin: Origin) -> None:
    """`-r 0-9,20-29` is answered by both, from the tree."""
    curl(url, "-o", "whole").ok()
    curl("-r", "0-9,20-29", "-D", "head", url, "-o", "body").ok()
    # Behind the head of the tunnel's own answer, if there is a tunnel.
    head = (curl.home / "head").read_text().strip().split("\n\n")[-1]
    assert re.match(r"HTTP/\S+ 206", head), head
    found = re.search(r"(?im)^content-type: multipart/byteranges; boundary=\"?([^\"\r\n]+)", head)
    assert found, head
    parts = (curl.home / "body").read_bytes().split(f"--{found[1]}".encode())
    assert [part.partition(b"\r\n\r\n")[2] for part in parts[1:-1]] == [
        BODY[:10] + b"\r\n",
        BODY[20:30] + b"\r\n",
    ]
    assert origin.count(url) == 1


def test_wget_newer_only(wget: Wget, url: str, file: Answer, origin: Origin) -> None:
    """`wget -N` gives the file upstream's time, and fetches nothing anew."""
    wget("-N", url).ok()
    path = wget.home / "file.bin"
    assert int(path.stat().st_mtime) == MODIFIED
    # Of this size and time, and not of these bytes: a download would show.
    path.write_bytes(bytes(len(BODY)))
    os.utime(path, (MODIFIED, MODIFIED))
    run = wget("--server-response", "-N", url).ok()
    assert "HTTP/1.1 304 " in run.output
    assert path.read_bytes() == bytes(len(BODY))
    assert [check.header("if-none-match") for check in origin.asked(url)] == [None, '"file"']


def test_wget_sees_a_change(wget: Wget, url: str, file: Answer, origin: Origin) -> None:
    """What changed upstream after it was stored comes with the next `wget -N`."""
    wget("-N", url).ok()
    file.body, file.etag = BODY[::-1], '"newer"'
    file.last_modified = formatdate(MODIFIED + 60, usegmt=True)
    wget("-N", url).ok()
    path = wget.home / "file.bin"
    assert path.read_bytes() == BODY[::-1]
    assert int(path.stat().st_mtime) == MODIFIED + 60
