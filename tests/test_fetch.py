"""`cachy fetch`: what is named is in the tree afterwards, or it is said why not."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cachy.cli.commands.fetch import command as fetch_command
from support import client
from support.command import Cachy, set_environment
from support.factory import ProxyFactory
from support.origin import Origin
from support.past import a_while_ago
from support.proxy import Proxy


def fetch(*arguments: str | Path, text: str = "") -> Result:
    """Runs it in this process."""
    return CliRunner().invoke(fetch_command, [str(word) for word in arguments], input=text)


def test_own_proxy(
    command: Cachy, monkeypatch: pytest.MonkeyPatch, origin: Origin, host: str, tmp_path: Path
) -> None:
    """It needs none that runs."""
    set_environment(monkeypatch, command.env)
    origin.route(f"https://{host}/a-1.0.tar.gz", b"1")
    result = fetch("--dir", tmp_path, *command.settings, f"https://{host}/a-1.0.tar.gz")
    assert result.exit_code == 0, result.output
    assert result.stderr == "cachy: 1 fetched, 1 B\n"
    assert (tmp_path / host / "a-1.0.tar.gz").read_bytes() == b"1"


def test_failures(open_proxy: Proxy, origin: Origin, host: str) -> None:
    """A line for each; the others are fetched. Redirects are followed, and a short body is none."""
    site = f"https://{host}"
    origin.route(f"{site}/a-1.0.tar.gz", b"1")
    origin.route(f"{site}/b", status=301, headers={"Location": f"{site}/a-1.0.tar.gz"})
    origin.route(f"{site}/none", b"", 404)
    cut = [("Content-Length", "10"), ("Connection", "close")]
    origin.route(f"{site}/cut", b"123", headers=cut, framing="close")
    origin.route(f"{site}/secret", b"1", headers={"Cache-Control": "no-store"})
    lines = f"# all of them\n\n{site}/b\n  {site}/none  \n{site}/cut\n{site}/secret\n"
    result = fetch("--proxy", open_proxy.url, "--json", f"{site}/a-1.0.tar.gz", "-", text=lines)
    assert result.exit_code == 1
    told = {each["url"]: each["failure"] for each in json.loads(result.stdout)}
    assert told[f"{site}/a-1.0.tar.gz"] is None and told[f"{site}/b"] is None
    assert told[f"{site}/none"] == "404 Not Found"
    assert told[f"{site}/cut"] == "the body was cut short"
    assert f"cachy: {site}/none: 404 Not Found\n" in result.stderr
    assert told[f"{site}/secret"] == "not stored: the origin forbids to store it"
    assert "3 of 5 could not be fetched" in result.stderr


def test_refresh(open_proxy: Proxy, origin: Origin, host: str) -> None:
    """What is there is checked upstream, where it may have changed."""
    url = f"https://{host}/page"
    origin.route(url, b"1", headers={"Cache-Control": "max-age=9999"}, etag='"1"')
    for arguments, count in ((), 1), ((), 1), (("--refresh",), 2):
        # What was just fetched would be left alone.
        a_while_ago(Path(str(open_proxy.settings.options["cachy_dir"])))
        assert fetch("--proxy", open_proxy.url, *arguments, url).exit_code == 0
        assert origin.count(url) == count, arguments


def test_misses(start_proxy: ProxyFactory, cachy_dir: Path, origin: Origin, host: str) -> None:
    """What was asked for offline is fetched as it was asked for, and then it is there."""
    index, file = f"https://{host}/simple/x/", f"https://{host}/x.whl"
    offline = start_proxy(options={"cachy_mode": "offline"})
    accept = {"Accept": "application/json"}
    assert client.fetch(offline, index, headers=accept).status == 403
    assert client.fetch(offline, file).status == 403
    origin.route(index, b"{}", headers={"Vary": "Accept"})
    origin.route(file, b"1")
    words = ("--proxy", start_proxy().url, "--dir", cachy_dir, "--misses")
    assert fetch(*words).exit_code == 0
    asked = {each.url: each.header("accept") for each in origin.requests}
    assert asked == {index: "application/json", file: None}
    assert client.fetch(offline, index, headers=accept).body == b"{}"
    assert client.fetch(offline, file).body == b"1"
    result = fetch(*words)
    assert (result.exit_code, result.stderr) == (0, "cachy: nothing is missing\n")


@pytest.mark.parametrize(
    "words", [(), ("nonsense",), ("--proxy", "x", "--set", "a=b", "http://h/")]
)
def test_usage(words: Sequence[str]) -> None:
    """The command line is wrong."""
    assert fetch(*words).exit_code == 2
