"""After a power failure: what was not on disk yet is fetched again, and never passes for a person's."""

import json
import os
from pathlib import Path

import pytest

from support.client import fetch
from support.factory import ProxyFactory
from support.origin import Origin
from support.pattern import Pattern

HIT = "cachy; hit"
MISS = "cachy; fwd=uri-miss; stored"
LARGE = Pattern(3_000_000)
BODY = b"whole and as it was stored"


def records(cachy_dir: Path) -> dict[str, Path]:
    """The metadata of each URL's last segment."""
    found = {}
    for path in (cachy_dir / ".cachy/meta").rglob("*.json"):
        found[json.loads(path.read_bytes())["url"].rsplit("/", 1)[1]] = path
    return found


def start_anew(cachy_dir: Path) -> None:
    """All records are of another boot of the system, as after a new start."""
    for path in records(cachy_dir).values():
        meta = json.loads(path.read_bytes())
        for record in meta["records"]:
            if "unsettled" not in record:
                pytest.skip("cachy waits for the disk on this file system")
            record["unsettled"]["boot"] = "another"
        time = path.stat().st_mtime_ns
        path.write_text(json.dumps(meta))
        os.utime(path, ns=(time, time))


def change(path: Path, bytes_: bytes) -> None:
    """Other bytes in the same file, with the same time: what the disk has of it."""
    time = path.stat().st_mtime_ns
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(bytes_)
    os.utime(path, ns=(time, time))


def test_what_the_disk_never_had(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str
) -> None:
    """Bodies that are cut, empty or garbage are fetched again; whole ones are hits, once looked at."""
    names = [
        "whole",
        "large",
        "cut",
        "empty",
        "garbage",
        "edited",
        "replaced",
        "recordless",
        "theirs",
    ]
    for name in names:
        origin.route(f"https://{host}/{name}", LARGE if name == "large" else BODY)
    proxy = start_proxy()
    for name in names:
        assert fetch(proxy, f"https://{host}/{name}").cache_status == MISS
    proxy.kill()
    start_anew(cachy_dir)
    folder, kept = cachy_dir / host, records(cachy_dir)
    change(folder / "cut", BODY[:7])
    change(folder / "empty", b"")
    change(folder / "garbage", bytes(len(BODY)))
    (folder / "edited").write_bytes(b"by hand")
    (folder / "new").write_bytes(b"older")
    os.utime(folder / "new", (1, 1))
    (folder / "new").rename(folder / "replaced")
    for name in ("recordless", "theirs"):
        change(folder / name, BODY[:7])
        kept[name].write_bytes(b"")
    (folder / "theirs").write_bytes(b"by hand")

    proxy.start()
    for name in ("whole", "large"):
        reply = fetch(proxy, f"https://{host}/{name}")
        assert reply.cache_status == HIT
        assert "unsettled" not in kept[name].read_text()
    for name in ("edited", "theirs"):
        assert fetch(proxy, f"https://{host}/{name}").body == b"by hand"
    assert fetch(proxy, f"https://{host}/replaced").body == b"older"
    for name in ("cut", "empty", "garbage", "recordless"):
        url = f"https://{host}/{name}"
        reply = fetch(proxy, url)
        assert (reply.body, reply.cache_status) == (BODY, MISS), name
        assert origin.count(url) == 2
        assert (folder / name).read_bytes() == BODY
        assert fetch(proxy, url).cache_status == HIT


def test_known_to_be_on_disk(
    start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str
) -> None:
    """What was stored before the disk was last waited for is not read again."""
    origin.route(f"https://{host}/before", BODY)
    origin.route(f"https://{host}/behind", BODY)
    proxy = start_proxy()
    for name in ("before", "behind"):
        fetch(proxy, f"https://{host}/{name}")
    proxy.kill()
    start_anew(cachy_dir)
    kept = records(cachy_dir)
    at = json.loads(kept["behind"].read_bytes())["records"][0]["unsettled"]["at"]
    record = json.loads(kept["before"].read_bytes())
    record["records"][0]["unsettled"]["at"] = at - 1
    kept["before"].write_text(json.dumps(record))
    (cachy_dir / ".cachy/settled").write_text(json.dumps({"another": at}))
    proxy.start()
    for name in ("before", "behind"):
        assert fetch(proxy, f"https://{host}/{name}").cache_status == HIT
    assert "unsettled" in kept["before"].read_text()
    assert "unsettled" not in kept["behind"].read_text()
