"""`cachy env`: the variables, in the words of shells."""

import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from cachy.cli.commands.env import command as env_command
from cachy.cli.environment import folder_of
from cachy.cli.through import Proxy as Where
from clients.run import need
from support.command import Cachy, set_environment
from support.origin import Origin
from support.proxy import Proxy


@pytest.fixture
def here(command: Cachy, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has the command's environment."""
    set_environment(monkeypatch, command.env)


def printed(*arguments: str) -> str:
    """What it prints."""
    result = CliRunner().invoke(env_command, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def bash(script: str, env: dict[str, str]) -> dict[str, str]:
    """The environment after a script."""
    done = subprocess.run(
        ["bash", "-euc", f"{script}\nenv -0"], check=True, capture_output=True, text=True, env=env
    )
    pairs = (line.partition("=") for line in done.stdout.split("\0") if line)
    return {name: value for name, _, value in pairs}


def test_bash(
    here: None,
    command: Cachy,
    open_proxy: Proxy,
    origin: Origin,
    host: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A real one takes them, and its curl then trusts the proxy; taken back, all is as it was."""
    need("curl")
    origin.route(f"https://{host}/a-1.0.tar.gz", b"1")
    before = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "a.b",
        "GIT_CONFIG_VALUE_0": "it's $HOME",
    }
    before |= {"SSL_CERT_DIR": "/x", "JAVA_TOOL_OPTIONS": "-Da='b c' -Dhttp.proxyHost=old"}
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    lines = printed("--proxy", open_proxy.url)
    after = bash(lines, command.env | before)
    assert after["https_proxy"] == after["YARN_HTTPS_PROXY"] == open_proxy.url
    assert "SSL_CERT_DIR" not in after
    git = {name: value for name, value in after.items() if name.startswith("GIT_CONFIG_")}
    assert git == {
        "GIT_CONFIG_COUNT": "3",
        "GIT_CONFIG_KEY_0": "a.b",
        "GIT_CONFIG_VALUE_0": "it's $HOME",
        "GIT_CONFIG_KEY_1": "http.proxy",
        "GIT_CONFIG_VALUE_1": open_proxy.url,
        "GIT_CONFIG_KEY_2": "http.sslCAInfo",
        "GIT_CONFIG_VALUE_2": after["SSL_CERT_FILE"],
    }
    fetched = f"{lines}\nexport GOT=$(curl -fsS https://{host}/a-1.0.tar.gz)"
    assert bash(fetched, command.env | before)["GOT"] == "1"

    for name, value in after.items():
        monkeypatch.setenv(name, value)
    # Again, it changes nothing; for the files are made anew of the same.
    assert bash(printed("--proxy", open_proxy.url), after) == after
    without = bash(printed("--unset"), after)
    before["JAVA_TOOL_OPTIONS"] = before["JAVA_TOOL_OPTIONS"].partition(" -Dhttp")[0]
    for name in ("_", "SHLVL", "PWD", "OLDPWD"):
        without.pop(name, None)
    assert {n: v for n, v in without.items() if n not in command.env} == before


def test_files(here: None, command: Cachy, open_proxy: Proxy) -> None:
    """They lie in a folder of this proxy, for all to read but for wget's, which may hold passwords."""
    (command.home / ".wgetrc").write_text("http_password = secret\n")
    printed("--proxy", open_proxy.url)
    (command.home / ".wgetrc").unlink()
    folder = folder_of(Where.parse(open_proxy.url))
    assert folder == Path(os.environ["XDG_STATE_HOME"]) / f"cachy/127.0.0.1_{open_proxy.port}"
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == {
        "apt-last.conf": 0o644,
        "apt.conf": 0o644,
        "ca-bundle.pem": 0o644,
        "wgetrc": 0o600,
    }
    assert folder.stat().st_mode & 0o777 == 0o755
    assert (folder / "wgetrc").read_text().startswith("http_password = secret\n\n# cachy\n")
    bundle = (folder / "ca-bundle.pem").read_text()
    assert "PRIVATE KEY" not in bundle
    assert open_proxy.ca_pem.read_text().strip() in bundle


@pytest.mark.parametrize("shell", ["docker", "docker-build", "github", "gitlab"])
def test_nothing_to_take_back(shell: str) -> None:
    """An empty variable is another thing than none, and clients trip over it."""
    result = CliRunner().invoke(env_command, ["--unset", "--shell", shell])
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize(
    ("shell", "said"),
    [
        ("fish", "set -gx https_proxy '{url}'\n"),
        ("fish", "set -e SSL_CERT_DIR\n"),
        ("docker", "-v {folder}:{folder}:ro -e http_proxy={url} "),
        ("docker-build", "--build-arg https_proxy={url} "),
        ("github", "https_proxy={url}\n"),
        ("github", "\nSSL_CERT_DIR=\n"),
        ("gitlab", 'variables:\n  http_proxy: "{url}"\n'),
        ("gitlab", "setup.sh) | sh"),
    ],
)
def test_shells(here: None, open_proxy: Proxy, shell: str, said: str) -> None:
    """The same for others."""
    folder = folder_of(Where.parse(open_proxy.url))
    told = printed("--proxy", open_proxy.url, "--shell", shell)
    assert said.format(url=open_proxy.url, folder=folder) in told


def test_no_proxy_there(here: None) -> None:
    """Nothing is printed that a shell would take."""
    result = CliRunner().invoke(env_command, ["--proxy", "127.0.0.1:1"])
    assert (result.exit_code, result.stdout) == (3, "")
    assert "127.0.0.1:1 does not answer: Connection refused" in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_a_folder_of_another_user(
    here: None, open_proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who owns the files that clients go by would rule the clients."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "cachy").mkdir()
    os.chown(tmp_path / "cachy", 65534, 65534)
    result = CliRunner().invoke(env_command, ["--proxy", open_proxy.url])
    assert (result.exit_code, result.stdout) == (3, "")
    assert f"another user's, who would rule our clients: '{tmp_path}/cachy'" in result.stderr
