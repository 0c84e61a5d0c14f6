"""The recipes: each file's own lines are run, as its system would run them, as far as it can be."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from clients.repo_python import PythonRepository
from clients.run import Run, clean_env, need, run
from support.activator import Manager, Passed
from support.ca import CA
from support.client import fetch
from support.command import Cachy
from support.network import Network
from support.origin import Origin
from support.route_config import configure
from support.served import Served

BIN = Path(sys.executable).parent


def recipe(name: str) -> str:
    """What `cachy recipe` prints."""
    printed = subprocess.run([BIN / "cachy", "recipe", name], capture_output=True, check=True)
    return printed.stdout.decode()


@dataclass
class Runner:
    """A machine of a CI system: empty, but for cachy, and for what was kept from the last run."""

    home: Path
    env: dict[str, str] = field(default_factory=dict)

    def run(self, script: str, shell: tuple[str, ...] = ("bash", "-eo", "pipefail", "-c")) -> Run:
        """One step."""
        return run([*shell, script], self.env, self.home)


@pytest.fixture
def repository(origin: Origin, host: str) -> PythonRepository:
    """An index of this test's own."""
    repository = PythonRepository(host)
    repository.publish(origin)
    return repository


@pytest.fixture
def runner(tmp_path: Path, ca: CA, network: Network, repository: PythonRepository) -> Runner:
    """Where cachy is installed, and `requirements.txt` names the package."""
    home = tmp_path / "home"
    env = clean_env(home) | network.env
    configure(home, ca.pem)
    tools = home / "bin"
    tools.mkdir()
    (tools / "cachy").symlink_to(BIN / "cachy")
    (tools / "pip").symlink_to(BIN / "pip")
    (home / "requirements.txt").write_text("bigpkg\n")
    env |= {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PIP_INDEX_URL": repository.index,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_TARGET": str(home / "site"),
        # What a machine may have preset, to no avail.
        "PIP_CERT": "/nowhere.pem",
        "NO_PROXY": "*",
    }
    return Runner(home, env)


def installed(runner: Runner) -> set[str]:
    """The packages that are there, which go."""
    site = runner.home / "site"
    found = {path.parent.name for path in site.glob("*/__init__.py")}
    shutil.rmtree(site, ignore_errors=True)
    return found


def fetched(repository: PythonRepository, origin: Origin) -> list[str]:
    """What the origin was asked for, but for indexes."""
    urls = [request.url for request in repository.requests(origin)]
    return [url for url in urls if not repository.is_index(url)]


def test_shell(runner: Runner, repository: PythonRepository, origin: Origin) -> None:
    """The second run fetches no file, and the step ends as its command does."""
    script = runner.home / "shell.sh"
    script.write_text(recipe("shell.sh"))
    for _ in range(2):
        runner.run(f"sh {script} pip install -r requirements.txt").ok()
        assert installed(runner) == set(repository.contents)
    assert len(files := fetched(repository, origin)) == len(set(files)) > 0
    assert not (runner.home / ".cache/cachy/.cachy/token").exists()
    assert runner.run(f"sh {script} sh -c 'exit 7'").status == 7


def test_github(runner: Runner, repository: PythonRepository, origin: Origin) -> None:
    """The job's own steps, twice, with what its cache keeps in between, and a summary."""
    job: dict[str, Any] = YAML(typ="safe").load(recipe("github.yml"))["jobs"]["build"]
    kept = next(s for s in job["steps"] if "actions/cache" in s.get("uses", ""))["with"]["path"]
    tree = Path(kept.replace("~", str(runner.home)))
    summary = runner.home / "step_summary_1"
    runner.env["GITHUB_STEP_SUMMARY"] = str(summary)
    for _ in range(2):
        for step in job["steps"]:
            if "run" in step and step["name"] != "Install cachy":
                runner.run(step["run"]).ok()
        assert installed(runner) == set(repository.contents)
        # As the cache does: times to the second, and nothing else of the machine.
        archive = runner.home / "kept.tar"
        subprocess.run(["tar", "-C", tree, "-cf", archive, "."], check=True)
        shutil.rmtree(tree)
        tree.mkdir()
        subprocess.run(["tar", "-C", tree, "-xf", archive], check=True)
    assert len(files := fetched(repository, origin)) == len(set(files)) > 0
    assert not (tree / ".cachy/token").exists()
    assert [
        line.count("100 %") for line in summary.read_text().splitlines() if "requests" in line
    ] == [0, 1]


def test_gitlab(runner: Runner, repository: PythonRepository, origin: Origin) -> None:
    """The job with a tree of its own."""
    job: dict[str, Any] = YAML(typ="safe").load(recipe("gitlab.yml"))["with-a-tree"]
    runner.env["CI_PROJECT_DIR"] = str(runner.home)
    tree = job["variables"]["CACHY_DIR"].replace("$CI_PROJECT_DIR", str(runner.home))
    runner.env["CACHY_DIR"] = tree
    for _ in range(2):
        for line in job["script"] + job["after_script"]:
            runner.run(line).ok()
        assert installed(runner) == set(repository.contents)
    assert len(files := fetched(repository, origin)) == len(set(files)) > 0
    assert Path(tree).is_relative_to(runner.home / job["cache"]["paths"][0])
    assert (runner.home / job["artifacts"]["paths"][0]).exists()


def test_systemd(tmp_path: Path) -> None:
    """systemd has nothing to say against the units, with and without the bridge."""
    need("systemd-analyze")
    unit, listener = tmp_path / "cachy.service", tmp_path / "cachy.socket"
    listener.write_text(recipe("cachy.socket"))
    # Its commands have to exist for the check.
    unit.write_text(recipe("cachy.service").replace("/opt/cachy/bin/cachy", str(BIN / "cachy")))
    folder = tmp_path / "cachy.service.d"
    for bridge in (False, True):
        if bridge:
            folder.mkdir()
            text = recipe("cachy-bridge.conf").replace("/opt/cachy/bin/cachy", str(BIN / "cachy"))
            (folder / "bridge.conf").write_text(text)
        env = {"PATH": os.environ["PATH"], "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
        result = run(["systemd-analyze", "verify", "--man=no", unit, listener], env, tmp_path)
        result.ok()
        assert "cachy" not in result.output, str(result)


def test_the_service_is_run_as_systemd_would(
    command: Cachy, origin: Origin, host: str, tmp_path: Path
) -> None:
    """With the socket of its unit and the watchdog: it says that it is ready, reloads and ends in time."""
    settings = dict(re.findall(r"^(\w+)=(.+)$", recipe("cachy.service"), re.MULTILINE))
    assert settings["Type"] == "notify"
    assert settings["ExecReload"] == "/bin/kill -HUP $MAINPID"
    # A second signal, to the workers, would come from systemd.
    assert settings["KillMode"] == "mixed"
    line = re.fullmatch(r"/opt/cachy/bin/cachy serve (.+)", settings["ExecStart"])
    assert line
    words = line[1].split()
    # Else systemd would kill it before that.
    assert int(settings["TimeoutStopSec"]) > int(words[words.index("--grace") + 1].strip("s"))
    url = f"http://{host}/a"
    origin.route(url, b"body")
    with Manager(tmp_path) as manager, socket.create_server(("127.0.0.1", 0)) as sock:
        env = manager.env(watchdog=int(settings["WatchdogSec"]))
        passed = Passed([sock], ["cachy.socket"])
        with Served(command, tmp_path / "tree", words, env=env, **passed.more) as served:
            manager.wait_for("READY")
            assert fetch(served, url).body == b"body"
            before = served.workers
            served.process.send_signal(signal.SIGHUP)
            manager.wait_for("RELOADING")
            manager.wait_for("READY")
            assert len(served.workers - before) == 2
            assert fetch(served, url).body == b"body"
        manager.wait_for("STOPPING")
        passed.close()


@pytest.mark.parametrize("name", ["cachy.service", "cachy-bridge.conf"])
def test_commands_of_the_units(name: str) -> None:
    """Each command line is one that cachy has."""
    lines = re.findall(r"^Exec\w+=\+?/opt/cachy/bin/cachy (.+)$", recipe(name), re.MULTILINE)
    assert lines
    for line in lines:
        # Its help stands behind its options, which are parsed first.
        command = [BIN / "cachy", *line.split(), "--help"]
        assert subprocess.run(command, check=False, capture_output=True).returncode == 0, line
