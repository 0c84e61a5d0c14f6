"""The soak notices what is wrong, blames the right thing, and plans the same for the same seed."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from clients.run import need
from soak.content import make, read
from soak.faults import ANSWERS, CONNECTIONS, FaultyOrigin, Kind, Window
from soak.journal import Event, Journal
from soak.ledger import Ledger, Note
from soak.plan import ENDING, Plan, plan
from soak.report import Row, at_most, details, none, table
from soak.rows import rows
from soak.site import File
from soak.soak import Settings, Soak
from soak.volume import volume
from support.ca import CA
from support.client import Incomplete, fetch
from support.tree import wait_until

HOST = "a.soak.tests.example"
BODY = make("h/a", 3, 20_000)
QUIET = Plan(seconds=4, warm_up=1, faults=(), disturbances=())
SHORT = Settings(seconds=4, only=("curl-walk",), plan=QUIET, say=lambda text: None)


def soaked(folder: Path, settings: Settings) -> tuple[Soak, dict[str, Row]]:
    """A soak that is over, and its rows by name."""
    need("curl")
    soak = Soak(settings, folder / "s")
    soak.run()
    return soak, {row.what: row for row in rows(soak)}


def test_body() -> None:
    """A whole body tells what it is."""
    assert read(BODY) == ("h/a", 3, 20_000)
    assert read(make("h/a", 0, 0)) == ("h/a", 0, 0)


@pytest.mark.parametrize(
    "body",
    [
        BODY[:-1],
        BODY + b"x",
        BODY[:9000] + BODY[9001:] + BODY[-1:],
        BODY[:4096] + BODY[8192:12288] + BODY[4096:8192] + BODY[12288:],
        BODY[:-1] + bytes([BODY[-1] ^ 1]),
        b"<html>not ours</html>",
        b"",
    ],
)
def test_torn_body(body: bytes) -> None:
    """A body that lost a byte, has one more, or whose blocks changed places is noticed."""
    with pytest.raises(ValueError):
        read(body)


def test_plan() -> None:
    """The same seed plans the same; all kinds of trouble come, none in the warm-up."""
    families = ["files", "npm"]
    made = plan(1, 3600, families, disk=True)
    assert made == plan(1, 3600, families, disk=True)
    assert made != plan(2, 3600, families, disk=True)
    assert {step.kind for step in made.faults} == {*ANSWERS, *CONNECTIONS}
    assert {step.family for step in made.faults} == set(families)
    assert {step.kind for step in made.disturbances} > {*ENDING, "full", "move"}
    assert all(made.warm_up < step.at < 3600 for step in (*made.faults, *made.disturbances))
    # What grows is measured in processes that have lived for a while.
    assert max(step.at for step in made.disturbances if step.kind in ENDING) < 3600 * 0.6
    assert "full" not in {step.kind for step in plan(1, 3600, families, disk=False).disturbances}


def test_explained() -> None:
    """Only what lasted at that time, and met that family, explains a failure."""
    journal = Journal(epoch=0)
    journal.add(Event("refused", 10, 12, "npm", after=5))
    journal.add(Event("restarted", 30, 31, None, after=2))
    assert journal.why(11, 11.5, "npm") == "refused"
    assert journal.why(5, 40, "npm") == "restarted"
    assert journal.why(16.9, 18, "npm") == "refused"
    assert journal.why(17.1, 18, "npm") is None
    assert journal.why(11, 11.5, "files") is None
    assert journal.why(32.9, 33.5, "files") == "restarted"
    assert journal.why(0, 9.9, "npm") is None


def test_failures() -> None:
    """A failure that nothing explains is told, also where what explains another came later."""
    journal = Journal(epoch=0)
    ledger = Ledger(journal)
    first, second = Note("npm", "npm", 1, 2, "E404"), Note("npm", "npm", 7, 9, "ECONNRESET")
    ledger.failed(first)
    ledger.failed(second)
    journal.add(Event("restarted", 8, 8.5, None))
    failures = ledger.failures()
    assert (failures.open, failures.explained) == ([first], [(second, "restarted")])


def test_mismatches() -> None:
    """Other bytes than those of the index are explained by a body that the origin has cut, and by nothing
    that came before or behind.
    """
    journal = Journal(epoch=0)
    ledger = Ledger(journal)
    first, second = (Note("pip", "pip", at, at + 1, "hashes") for at in (1, 7))
    ledger.mismatched(first)
    ledger.mismatched(second)
    journal.add(Event("short", 7, 8, "pip"))
    assert ledger.mismatches() == [first]


def test_table() -> None:
    """A row that is not as wanted has its mark, and what is behind it."""
    found = [none("wrong bodies", ["a torn one"]), none("zombies", []), at_most("wait", 3, 8, " s")]
    assert table(found).splitlines() == [
        "wrong bodies      1  0      ✗",
        "zombies           0  0      ✓",
        "wait          3.0 s  ≤ 8 s  ✓",
    ]
    assert details(found) == "\n== wrong bodies: 1\n-- a torn one"


@pytest.fixture
def faulty(ca: CA, untrusted_ca: CA) -> Iterator[FaultyOrigin]:
    """An origin that answers one URL, and fails where a window is open."""
    with FaultyOrigin(ca, untrusted_ca, Journal(), seed=1) as origin:
        origin.route(f"http://{HOST}/a", BODY)
        yield origin


def ask(origin: FaultyOrigin) -> str:
    """What a client gets from it: a status with the size of the body, or why there is none."""

    class There:
        host, port, ca_pem = "127.0.0.1", origin.http_port, Path()

    try:
        reply = fetch(There(), f"http://{HOST}/a")
    except (Incomplete, ConnectionError) as error:
        return type(error).__name__
    return f"{reply.status} {len(reply.body)}"


@pytest.mark.parametrize(
    ("kind", "got"),
    [
        ("500", "500 18"),
        ("503", "503 18"),
        ("cut", "Incomplete|ConnectionResetError"),
        ("short", "Incomplete"),
        ("silent", "Incomplete|ConnectionResetError"),
        ("stall", "Incomplete|ConnectionResetError"),
        ("slow", f"200 {len(BODY)}"),
    ],
)
def test_fault(faulty: FaultyOrigin, monkeypatch: pytest.MonkeyPatch, kind: Kind, got: str) -> None:
    """A fault hits the family whose window is open, is noted, and is over with the window."""
    monkeypatch.setattr("soak.faults.SILENCE", 0.1)
    monkeypatch.setattr("soak.faults.SLOWNESS", 0.1)
    whole = f"200 {len(BODY)}"
    window = Window(kind, "soak", 1.0)
    assert ask(faulty) == whole
    faulty.open(window)
    assert ask(faulty) in got.split("|")
    event = wait_until(lambda: faulty.journal.events)[0]
    assert (event.family, event.what) == ("soak", f"origin: {kind} for http://{HOST}/a")
    faulty.close(window)
    assert ask(faulty) == whole
    faulty.open(Window(kind, "other", 1.0))
    assert ask(faulty) == whole


def test_full_disk(tmp_path: Path) -> None:
    """Nothing can be written while the disk is filled, and all can when it is freed."""
    with volume(tmp_path / "disk") as disk:
        if not disk.own:
            pytest.skip("mounting is not allowed here")
        filler = Thread(target=disk.fill, args=(1.0,))
        filler.start()

        def full() -> bool:
            return os.statvfs(disk.place).f_bavail == 0

        wait_until(full, 5, "a full disk")
        with pytest.raises(OSError, match="No space left"):
            (disk.place / "file").write_bytes(bytes(100_000))
        filler.join()
        (disk.place / "file").write_bytes(bytes(100_000))


def test_nothing_wrong(tmp_path: Path) -> None:
    """Where nothing goes wrong each row is as wanted."""
    _, found = soaked(tmp_path, SHORT)
    assert int(found["requests of curl"].value) >= 40
    assert {row.what: row.cases or row.value for row in found.values() if not row.good} == {}


def test_lie(tmp_path: Path) -> None:
    """Bodies that are not the origin's are counted, and nothing else is."""

    def lie(file: File, body: bytes) -> bytes:
        return body[:-1] + b"?" if file.kind == "plain" and file.size else body

    soak, found = soaked(tmp_path, replace(SHORT, lie=lie, workers=1))
    assert soak.ledger.wrong
    assert all("/plain/" in what or "kind='plain'" in what for what in soak.ledger.wrong)
    bad = {row.what for row in found.values() if not row.good}
    assert bad == {"wrong bodies", "files of curl's hosts that are torn"}
