"""The options: what is wrong with them is said at the start, and the user's own win."""

import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from support.client import Connection, fetch
from support.factory import ProxyFactory
from support.origin import Origin
from support.proxy import Proxy
from support.tree import wait_until

NAMES = (
    "cachy_dir",
    "cachy_mode",
    "cachy_freshness",
    "cachy_private",
    "cachy_max_size",
    "cachy_host",
    "cachy_lane",
    "cachy_no_proxy",
)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("cachy_mode", "ofline", ["cachy_mode", "ofline", "offline", "normal", "refresh", "off"]),
        ("cachy_freshness", "http", ["cachy_freshness", "http", "auto", "forever"]),
        ("cachy_private", "maybe", ["cachy_private", "maybe"]),
        ("cachy_max_size", "much", ['cachy_max_size is "much", which is no size: use', "unset"]),
        ("cachy_max_size", "0", ["cachy_max_size", "no limit", "cachy_mode=off"]),
        ("cachy_host", "cachy.internal:80", ["cachy_host", "cachy.internal:80", "without a port"]),
        ("cachy_host", "127.0.0.1", ["cachy_host", "127.0.0.1", "host name"]),
        ("cachy_lane", "fast", ["cachy_lane", "fast", "auto", "off"]),
        ("cachy_dirr", "/x", ["cachy_dirr", "no such option", "cachy_dir", "cachy_mode"]),
        ("cachy_dir", "", ["cachy_dir", '""', "folder"]),
        ("cachy_dir", "{file}", ["cachy_dir", "{file}", "folder"]),
        ("cachy_dir", "{file}/below", ["cachy_dir", "{file}", "folder"]),
        ("cachy_dir", "{future}", ["{future}/.cachy/format", "99", "cachy_dir"]),
    ],
)
def test_bad_option_stops_the_start(
    start_proxy: ProxyFactory, tmp_path: Path, option: str, value: str, words: list[str]
) -> None:
    """With a message that names option and value, and how to mend it."""
    places = {"file": str(tmp_path / "file"), "future": str(tmp_path / "future")}
    Path(places["file"]).write_text("mine")
    (tmp_path / "future/.cachy").mkdir(parents=True)
    (tmp_path / "future/.cachy/format").write_text("99\n")
    value = value.format(**places)
    proxy = start_proxy(options={option: value}, start=False)
    with suppress(RuntimeError):
        proxy.start()
    wait_until(lambda: not proxy.running, 3, "the end of a start with a bad option")
    assert proxy.returncode not in (0, None)
    for word in words:
        assert word.format(**places) in proxy.log()
    assert Path(places["file"]).read_text() == "mine"
    assert [p.name for p in (tmp_path / "future/.cachy").iterdir()] == ["format"]


def test_options_are_shown(start_proxy: ProxyFactory, tmp_path: Path) -> None:
    """`mitmdump --options` shows every option, its default and its help.

    mitmproxy 11 loads scripts after that, so there the running proxy is asked.
    """
    script = tmp_path / "show.py"
    script.write_text(
        "import sys\n"
        "from mitmproxy import ctx, optmanager\n"
        "def running():\n"
        "    optmanager.dump_defaults(ctx.options, sys.stdout)\n"
        "    print('THE END', flush=True)\n"
    )
    proxy = start_proxy(args=["-s", str(script)])
    wait_until(lambda: "THE END" in proxy.log())
    log = proxy.log()
    for name in NAMES:
        above = log[: log.index(f"\n{name}:")].rpartition("\n\n")[2]
        assert above.startswith("# ") and len(above) > 40, name
    for line in ("cachy_mode: normal", "cachy_freshness: auto", "cachy_private: false"):
        assert f"\n{line}\n" in log
    assert "\ncachy_max_size:\n" in log
    for mode in ("normal", "offline", "refresh", "off"):
        assert f"{mode}: " in log


def test_default_folder(
    start_proxy: ProxyFactory, tmp_path: Path, origin: Origin, host: str
) -> None:
    """$XDG_CACHE_HOME/cachy where $CACHY_DIR is empty."""
    env = {"HOME": str(tmp_path / "h"), "CACHY_DIR": "", "XDG_CACHE_HOME": str(tmp_path / "x")}
    proxy = start_proxy(start=False, env=env)
    assert isinstance(proxy.settings.options, dict)
    del proxy.settings.options["cachy_dir"]
    origin.route(f"https://{host}/a", b"1")
    fetch(proxy.start(), f"https://{host}/a")
    assert (tmp_path / "x/cachy" / host / "a").read_bytes() == b"1"


def test_a_hit_opens_no_connection(
    shared_proxy: Proxy, shared_dir: Path, origin: Origin, host: str
) -> None:
    """By default CONNECT goes nowhere: no name, no connection, no certificate of the origin."""
    (shared_dir / host).mkdir(parents=True)
    (shared_dir / host / "a").write_bytes(b"mine")
    assert fetch(shared_proxy, f"https://{host}/a").body == b"mine"
    assert origin.accepted == 0


@pytest.mark.parametrize("where", ["--set", "config.yaml"])
def test_users_own_settings_win(
    start_proxy: ProxyFactory,
    cachy_dir: Path,
    tmp_path: Path,
    ca_files: list[Path],
    origin: Origin,
    host: str,
    where: str,
) -> None:
    """A user who sets connection_strategy=eager, mitmproxy's default, gets it."""
    (cachy_dir / host).mkdir(parents=True)
    (cachy_dir / host / "a").write_bytes(b"mine")
    if where == "--set":
        proxy = start_proxy(options={"connection_strategy": "eager", "upstream_cert": True})
    else:
        confdir = tmp_path / "confdir"
        confdir.mkdir()
        for file in ca_files:
            (confdir / file.name).write_bytes(file.read_bytes())
        (confdir / "config.yaml").write_text("connection_strategy: eager\n")
        proxy = start_proxy(confdir=confdir)
    with Connection(proxy, f"https://{host}/a") as client:
        wait_until(lambda: origin.accepted == 1)
        assert client.fetch().body == b"mine"


@pytest.fixture
def ca_files(shared_proxy: Proxy) -> list[Path]:
    """mitmproxy's own CA, which is slow to make."""
    return list(shared_proxy.ca_pem.parent.glob("mitmproxy-*"))


def test_users_ca_wins(start_proxy: ProxyFactory, origin: Origin, host: str) -> None:
    """The CA that the user names for upstream is the one that counts; else the system's."""
    origin.route(f"https://{host}/a", b"1")
    assert fetch(start_proxy(), f"https://{host}/a").status == 200
    stranger = start_proxy(trust_origin=False)
    assert fetch(stranger, f"https://{host}/b").status == 502
    assert origin.count(f"https://{host}/b") == 0


def test_a_ca_of_ones_own(
    start_proxy: ProxyFactory, ca_files: list[Path], tmp_path: Path, origin: Origin, host: str
) -> None:
    """One file with key and certificate, as mitmproxy's manual says: the certificate is served, and not
    the key.
    """
    folder = tmp_path / "confdir"
    folder.mkdir()
    whole = next(each for each in ca_files if each.name == "mitmproxy-ca.pem")
    shutil.copy(whole, folder)
    proxy = start_proxy(confdir=folder)
    served = fetch(proxy, "http://cachy.internal/ca.pem")
    assert served.status == 200 and served.body.startswith(b"-----BEGIN CERTIFICATE-----")
    made = folder / "mitmproxy-ca-cert.pem"
    assert served.body == made.read_bytes()
    assert b"PRIVATE" not in made.read_bytes()
