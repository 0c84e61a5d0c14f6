"""The files and variables that `cachy run` and `cachy env` share."""

import os
import subprocess
from pathlib import Path

import pytest

from cachy.cli import clients
from cachy.cli.environment import prepare, remember, take_back
from cachy.cli.through import Proxy
from clients.run import need
from support.ca import CA

PROXY = Proxy("127.0.0.1", 3128)
#: No Java is found there.
BARE = {"PATH": "/usr/bin", "JAVA_HOME": "/nonexistent"}


@pytest.fixture
def pem(ca: CA) -> str:
    """The CA of a proxy."""
    return ca.pem.read_text()


def test_every_variable_wins(tmp_path: Path, pem: str) -> None:
    """Whatever was set before."""
    before = {variable.name: "hostile" for variable in clients.VARIABLES}
    before |= BARE | {"NPM_CONFIG_CAFILE": "hostile", "npm_config_https-proxy": "hostile"}
    after = prepare(tmp_path, PROXY, pem, before).apply(before)
    assert "hostile" not in after.values()
    assert after["http_proxy"] == "http://127.0.0.1:3128"
    assert after["NO_PROXY"].startswith(
        "localhost,.localhost,127.0.0.1,::1,0.0.0.0,::,127.0.0.0/8,"
    )


def test_by_no_proxy(tmp_path: Path, pem: str) -> None:
    """Where the way is found without variables, they are about trust alone."""
    before = BARE | {"https_proxy": "hostile"}
    after = prepare(tmp_path, PROXY, pem, before, by_proxy=False).apply(before)
    assert not [name for name, value in after.items() if "3128" in value or "hostile" in value]
    assert not [path for path in tmp_path.iterdir() if "3128" in path.read_text()]
    assert after["GIT_CONFIG_COUNT"] == "1"
    assert Path(after["SSL_CERT_FILE"]).read_text().endswith(pem)


def test_apt(tmp_path: Path, pem: str) -> None:
    """Our settings win over those of its folder, of its file, and of `APT_CONFIG`, which stay."""
    need("apt-config")
    parts, folder = tmp_path / "parts", tmp_path / "ours"
    parts.mkdir()
    hostile = 'Acquire::http::Proxy "http://hostile"; Acquire::http::Proxy::h.example "DIRECT";\n'
    (parts / "99").write_text(hostile + 'Acquire::https::CAInfo "/hostile"; Mine::Part "1";\n')
    (tmp_path / "main").write_text(hostile + 'Mine::Main "1";\n')
    (tmp_path / "before").write_text(
        f'{hostile}Dir::Etc::parts "{parts}";\nDir::Etc::main "{tmp_path}/main";\nMine::Before "1";\n'
    )
    before = BARE | {"APT_CONFIG": str(tmp_path / "before")}
    after = prepare(folder, PROXY, pem, before).apply(before)
    again = prepare(folder, PROXY, pem, after).apply(after)
    assert again == after
    dump = subprocess.run(
        ["apt-config", "dump"], capture_output=True, text=True, env=after, check=True
    )
    said = dump.stdout.splitlines()
    for line in (
        'Acquire::http::Proxy "http://127.0.0.1:3128";',
        'Acquire::https::Proxy "http://127.0.0.1:3128";',
        f'Acquire::https::CAInfo "{folder}/ca-bundle.pem";',
        *('Mine::Part "1";', 'Mine::Before "1";'),
    ):
        assert line in said
    assert "hostile" not in dump.stdout and "DIRECT" not in dump.stdout


def test_java(tmp_path: Path, pem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its options name the proxy and a store, which is made once, and the user's own stay."""
    need("java", "keytool")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    before = {"PATH": os.environ["PATH"], "JAVA_TOOL_OPTIONS": "-Xmx64m"}
    after = prepare(tmp_path / "files", PROXY, pem, before).apply(before)
    options = after["JAVA_TOOL_OPTIONS"].split()
    assert options[:3] == ["-Xmx64m", "-Dhttp.proxyHost=127.0.0.1", "-Dhttp.proxyPort=3128"]
    (store,) = (tmp_path / "cachy/java").iterdir()
    assert f"-Djavax.net.ssl.trustStore={store}" in options
    made = store.stat().st_mtime_ns
    assert prepare(tmp_path / "files", PROXY, pem, after).apply(after) == after
    assert store.stat().st_mtime_ns == made
    listed = subprocess.run(
        ["keytool", "-list", "-keystore", store, "-storepass", "changeit", "-alias", "cachy"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert "trustedCertEntry" in listed.stdout


@pytest.mark.parametrize(
    ("settings", "before", "in_project", "named"),
    [
        ("", {}, True, []),
        ("httpsCaFilePath: /theirs", {}, True, ["YARN_HTTPS_CA_FILE_PATH"]),
        ("a: 1\ncaFilePath: /theirs", {}, True, ["YARN_CA_FILE_PATH"]),
        # Another folder's Yarn may be another one.
        ("httpsCaFilePath: /theirs", {}, False, []),
        ("networkSettings:\n  h:\n    caFilePath: /theirs", {}, True, []),
        ("", {"YARN_CA_FILE_PATH": "/theirs"}, False, ["YARN_CA_FILE_PATH"]),
    ],
)
def test_yarn(
    tmp_path: Path,
    pem: str,
    monkeypatch: pytest.MonkeyPatch,
    settings: str,
    before: dict[str, str],
    in_project: bool,
    named: list[str],
) -> None:
    """Its setting for roots, which another version stops at, is there only where it was before."""
    (tmp_path / "below").mkdir()
    (tmp_path / ".yarnrc.yml").write_text(f"{settings}\n")
    monkeypatch.chdir(tmp_path / "below")
    changes = prepare(tmp_path / "ours", PROXY, pem, BARE | before, in_project=in_project)
    after = changes.apply(BARE | before)
    assert [name for name in after if "CA_FILE" in name] == named
    assert {after[name] for name in named} <= {str(tmp_path / "ours/ca-bundle.pem")}
    remember(changes, before)
    back = take_back(changes.apply(before)).apply(changes.apply(before))
    assert {name: value for name, value in back.items() if "YARN" in name} == before
