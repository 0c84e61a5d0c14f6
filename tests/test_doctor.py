"""`cachy doctor`: what is wrong here, and how to mend it."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cachy.cli import checks
from cachy.cli.commands.doctor import command as doctor_command
from cachy.cli.commands.fetch import command as fetch_command
from cachy.cli.environment import prepare
from cachy.cli.probes import judge
from cachy.cli.through import Proxy as Where
from clients.run import need
from support.command import Cachy, set_environment
from support.confdir import make_confdir
from support.factory import ProxyFactory
from support.origin import Origin
from support.proxy import Proxy


@pytest.fixture
def few(command: Cachy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of clients there are curl and Python alone."""
    need("curl")
    (tmp_path / "bin").mkdir()
    os.symlink(str(shutil.which("curl")), tmp_path / "bin/curl")
    os.symlink(os.path.realpath(sys.executable), tmp_path / "bin/python3")
    set_environment(monkeypatch, command.env | {"PATH": str(tmp_path / "bin")})


def doctor(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    """Its exit code, and what it found by name."""
    result = CliRunner().invoke(doctor_command, [*(str(word) for word in arguments), "--json"])
    return result.exit_code, {each["what"]: each for each in json.loads(result.stdout)}


def test_good_and_bad(
    few: None,
    open_proxy: Proxy,
    origin: Origin,
    host: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Before `cachy env` the clients do not find the proxy, after it they do; then they do not trust."""
    arguments = ("--proxy", open_proxy.url, "--dir", tmp_path / "tree", f"https://{host}/")
    code, found = doctor(*arguments)
    assert code == 1
    assert {name: found[name]["state"] for name in ("proxy", "tree", "room")} == {
        "proxy": "good",
        "tree": "good",
        "room": "good",
    }
    assert found[f"upstream {host}"]["state"] == "good"
    for name in ("curl", "python"):
        assert found[name]["text"] == "does not use the proxy"
        assert found[name]["mend"] == f'eval "$(cachy env --proxy {open_proxy.url})"'
    assert "wget" not in found

    changes = prepare(
        tmp_path, Where.parse(open_proxy.url), open_proxy.ca_pem.read_text(), os.environ
    )
    set_environment(monkeypatch, changes.apply(os.environ))
    code, found = doctor(*arguments)
    clients = ("curl", "python")
    assert {found[name]["state"] for name in clients} == {"good"}, found

    monkeypatch.setenv("CURL_CA_BUNDLE", "/etc/ssl/certs/ca-certificates.crt")
    code, found = doctor(*arguments)
    assert (code, found["curl"]["text"]) == (1, "does not trust the proxy's CA")


def test_upstream(few: None, open_proxy: Proxy, origin: Origin, network: Any, host: str) -> None:
    """A certificate that the proxy does not trust, and a site that is down."""
    origin.untrusted_hosts.add(host)
    ca = open_proxy.ca_pem.read_text()
    where = Where.parse(open_proxy.url)
    found = checks.upstream(where, ca, f"https://{host}/", asked=False)
    assert (found.state, found.text) == ("bad", "the proxy does not trust its certificate")
    network.down(f"down.{host}")
    for asked, state in ((True, "bad"), (False, "unknown")):
        found = checks.upstream(where, ca, f"https://down.{host}/", asked=asked)
        assert (found.state, found.text) == (state, "the proxy does not reach it (502)")


def test_no_proxy(few: None, plain: Proxy, tmp_path: Path) -> None:
    """None there, or one without the addon."""
    code, found = doctor("--proxy", "127.0.0.1:1", "--dir", tmp_path)
    assert (code, found["proxy"]["state"]) == (1, "bad")
    assert found["proxy"]["mend"].startswith("start one: cachy serve --port 1;")
    assert "curl" not in found
    up = checks.up(Where.parse(plain.url))
    assert up.ca and "does not answer as cachy" in up.finding.text


def test_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree that can't be written, and a full disk."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 5000))
    tree, room = checks.tree(tmp_path / "tree")
    assert (tree.state, tree.text) == (
        "bad",
        f"{tmp_path / 'tree'} can't be written; it is of user {tmp_path.stat().st_uid}",
    )
    assert (room.state, room.text) == ("bad", "5.0 kB free on the tree's disk")
    (tmp_path / "file").write_text("")
    (only,) = checks.tree(tmp_path / "file")
    assert only.text.endswith("is no folder")


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("ERROR: HTTP error 404 while getting x", "uses the proxy and trusts its CA"),
        ("SSLError(SSLCertVerificationError: verify failed)", "does not trust the proxy's CA"),
        ("npm error code SELF_SIGNED_CERT_IN_CHAIN self-signed", "does not trust the proxy's CA"),
        ('line 403, in f: "Name or service not known"', "does not use the proxy"),
        ("line 1\nsomething else\n", "something else"),
        (
            "remote: CA and TLS\nfatal: repository 'https://x/' not found",
            "uses the proxy and trusts its CA",
        ),
        ("", "ended with 3"),
    ],
)
def test_judge(said: str, text: str) -> None:
    """What clients say."""
    found = judge("x", 3, said, "mend")
    assert found is not None and found.text == text


def test_lines(few: None, tmp_path: Path) -> None:
    """For people: a mark, and how to mend it."""
    result = CliRunner().invoke(doctor_command, ["--proxy", "127.0.0.1:1", "--dir", str(tmp_path)])
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith(
        "✗ proxy  http://127.0.0.1:1 does not answer: Connection refused  → start"
    )
    assert lines[1] == f"✓ tree   {tmp_path} can be written"


def test_a_client_in_another_language(
    command: Cachy, open_proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Clients are judged by their words, so each is made to speak English."""
    says = '[ "$LC_ALL" = C ] && echo "Could not resolve host" || echo "Unbekannter Name"'
    (tmp_path / "curl").write_text(f"#!/bin/sh\n{says}\nexit 6\n")
    (tmp_path / "curl").chmod(0o755)
    env = {"PATH": str(tmp_path), "LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de", "LANG": "de_DE"}
    set_environment(monkeypatch, command.env | env)
    _, found = doctor("--proxy", open_proxy.url, "--dir", tmp_path)
    assert found["curl"]["text"] == "does not use the proxy"


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({}, None),
        ({"critical": False}, "Basic Constraints of CA cert not marked critical"),
        ({"usage": False}, "CA cert does not include key usage extension"),
        ({"named": False}, "Missing Subject Key Identifier"),
    ],
    ids=["good", "not-critical", "no-usage", "no-identifier"],
)
def test_a_ca_that_strict_clients_refuse(
    few: None,
    start_proxy: ProxyFactory,
    origin: Origin,
    host: str,
    tmp_path: Path,
    settings: dict[str, bool],
    why: str | None,
) -> None:
    """Python does from 3.13 on, whichever runs the doctor; nothing else stumbles over it."""
    proxy = start_proxy(confdir=make_confdir(tmp_path / "confdir", **settings))
    code, found = doctor("--proxy", proxy.url, "--dir", tmp_path, f"https://{host}/")
    assert found[f"upstream {host}"]["state"] == "good"
    if why is None:
        assert found["CA"]["state"] == "good"
    else:
        text = f"Python 3.13 and newer refuse what it issues: {why}"
        assert (code, found["CA"]["state"], found["CA"]["text"]) == (1, "bad", text)
        assert "have mitmproxy make another" in found["CA"]["mend"]
    origin.route(f"https://{host}/a", b"1")
    fetched = CliRunner().invoke(fetch_command, ["--proxy", proxy.url, f"https://{host}/a"])
    assert fetched.exit_code == 0, fetched.output


def test_a_ca_that_all_refuse(few: None, start_proxy: ProxyFactory, tmp_path: Path) -> None:
    """One that has expired."""
    proxy = start_proxy(confdir=make_confdir(tmp_path / "confdir", days=-1))
    _, found = doctor("--proxy", proxy.url, "--dir", tmp_path)
    assert found["CA"]["text"] == "clients refuse what it issues: certificate has expired"


def test_mitmproxys_own_ca(open_proxy: Proxy) -> None:
    """It is good."""
    found = checks.strict(Where.parse(open_proxy.url), open_proxy.ca_pem.read_text())
    assert found.state == "good"
