"""`cachy run`: the command's downloads are cached, and else it runs as if alone."""

import json
import os
import pty
import re
import signal
import socket
from pathlib import Path

import pytest

from clients.run import need
from support.command import Cachy
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy
from support.tree import wait_until

#: What a machine may have set for its clients, all of it wrong here.
HOSTILE = dict.fromkeys(
    (
        *("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS", "npm_config_cafile", "NPM_CONFIG_CAFILE"),
    ),
    "/nonexistent",
) | {"NO_PROXY": "*", "no_proxy": "*"}


def listening(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_cold_and_offline(
    command: Cachy, network: Network, origin: Origin, host: str, tmp_path: Path
) -> None:
    """What was fetched is there when nobody can be asked; the reports tell both."""
    need("curl")
    url = f"https://{host}/a-1.0.tar.gz"
    origin.route(url, b"x" * 1000)
    own: list[str | Path] = ["--dir", tmp_path / "tree", *command.settings]
    curl = ["--", "curl", "-sS", "-o", "got", "-w", "%{http_code}", url]
    done = command.run("run", *own, "--report", tmp_path / "cold.json", *curl, env=HOSTILE).ok()
    assert done.output.startswith("200")
    assert (tmp_path / f"tree/{host}/a-1.0.tar.gz").read_bytes() == b"x" * 1000
    assert "cachy: 1 request, 0 from the tree (0 %); 0 B from the tree, 1.0 kB from" in done.output
    assert re.search(rf"was not in the tree +{re.escape(url)}$", done.output, re.MULTILINE)
    cold = json.loads((tmp_path / "cold.json").read_text())
    assert (cold["requests"], cold["hits"], cold["misses"][0]["url"]) == (1, 0, url)
    assert (cold["command"], cold["exit_code"]) == ("curl", 0)

    network.down()
    own += ["--offline", "-q", "--report", tmp_path / "summary"]
    (tmp_path / "summary").write_text("before\n")
    assert command.run("run", *own, *curl).ok().output == "200"
    assert command.run("run", *own, *curl[:-1], f"{url}x").output.startswith("403")
    summary = (tmp_path / "summary").read_text()
    assert summary.startswith("before\n### cachy: `curl`")
    assert "1 request, 1 from the tree (100 %)" in summary
    assert f"| offline, and not in the tree; 403 | `{url}x` |" in summary
    assert list(command.home.glob("cachy-run-*")) == []


def test_clients_of_a_hostile_environment(
    command: Cachy, open_proxy: Proxy, origin: Origin, host: str, tmp_path: Path
) -> None:
    """Every client goes by a proxy that runs and trusts it, whatever the machine had set."""
    need("curl", "wget", "git", "npm", "node")
    origin.handle(host, "*", origin.route(f"https://{host}/file-1.0.tar.gz", b"1"))
    origin.route(f"https://{host}/pkg", b'{"name": "pkg", "versions": {"1.0.0": {}}}')
    origin.route(f"https://{host}/r/info/refs?service=git-upload-pack", b"", 404)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".npmrc").write_text("cafile=/nonexistent\nhttps-proxy=http://127.0.0.1:1\n")
    (home / ".wgetrc").write_text("ca_certificate=/nonexistent\nhttps_proxy=http://127.0.0.1:1\n")
    (home / ".curlrc").write_text("proxy=http://127.0.0.1:1\ncacert = /nonexistent\nsilent\n")
    (home / ".gitconfig").write_text("[http]\nproxy=http://127.0.0.1:1\nsslCAInfo=/nonexistent\n")
    script = f"""
        curl -fsS https://{host}/curl-1.0.tar.gz || echo curl fails
        wget -nv -O wget https://{host}/wget-1.0.tar.gz || echo wget fails
        git ls-remote https://{host}/r 2>&1 | grep -q 'not found' || echo git fails
        python3 -c 'from urllib.request import urlopen as u; u("https://{host}/py")' || echo py fails
        npm view --registry https://{host}/ pkg name || echo npm fails
    """
    before = {"HOME": str(home), "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "a.b"}
    before |= {"GIT_CONFIG_VALUE_0": "c", **HOSTILE}
    before["npm_config_update_notifier"] = "false"
    done = command.run(
        *("run", "--proxy", open_proxy.url, "--report", tmp_path / "r.md", "--"),
        *("sh", "-c", script),
        env=before,
    ).ok()
    assert "fails" not in done.output
    paths = {request.target for request in origin.requests if request.host == host}
    assert {"/curl-1.0.tar.gz", "/wget-1.0.tar.gz", "/py", "/pkg"} <= paths
    assert not [r for r in origin.requests if "cachy-run" in str(r.headers).lower()]
    assert "5 requests, 0 from the tree" in (tmp_path / "r.md").read_text()


def test_runs_are_counted_apart(
    command: Cachy, open_proxy: Proxy, origin: Origin, host: str, tmp_path: Path
) -> None:
    """Two runs by one proxy, which it can tell from each other and from everybody else."""
    need("curl")
    urls = [f"https://{host}/{number}-1.0.tar.gz" for number in range(3)]
    for url in urls:
        origin.route(url, b"1")
    own = ["run", "-q", "--proxy", open_proxy.url]
    curl = ["--", "curl", "-sS", "-o", os.devnull]
    first = command.start(*own, "--report", tmp_path / "1.json", *curl, *urls[:2])
    second = command.start(*own, "--report", tmp_path / "2.json", *curl, urls[2])
    assert [each.communicate()[1] for each in (first, second)] == ["", ""]
    asked = [
        sorted(miss["url"] for miss in json.loads((tmp_path / name).read_text())["misses"])
        for name in ("1.json", "2.json")
    ]
    assert asked == [urls[:2], urls[2:]]


def test_a_signal_is_the_commands(command: Cachy, open_proxy: Proxy) -> None:
    """SIGTERM reaches it, its exit code is ours, and the report still comes."""
    script = """trap 'exit 9' TERM
        for task in /proc/$PPID/task/*; do
            [ ${task##*/} = $PPID ] || sed -n 's/^SigBlk://p' $task/status
        done
        echo ready
        while :; do sleep 0.05; done"""
    with command.start("run", "--proxy", open_proxy.url, "--", "sh", "-c", script) as process:
        try:
            assert process.stdout
            (mask,) = iter(process.stdout.readline, "ready\n")
            # A thread that would take it would take it from the one that waits.
            assert int(mask, 16) & (1 << (signal.SIGTERM - 1))
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=10)
        finally:
            process.kill()
    assert process.returncode == 9
    assert said.startswith("cachy: 0 requests")


def test_interrupted_at_a_terminal(command: Cachy, tmp_path: Path) -> None:
    """^C reaches the command once, though it is also ours; our proxy outlives it for the report."""
    script = "import signal, sys, time\ncount = 0\ndef note(*_):\n global count\n count += 1\n"
    script += "signal.signal(signal.SIGINT, note)\nprint('ready', sys.stdin.isatty(), flush=True)\n"
    script += "end = time.time() + 0.5\nwhile time.time() < end or not count: time.sleep(0.05)\n"
    script += "print('count', count, flush=True)\nsys.exit(5)\n"
    own = ["run", "--dir", str(tmp_path / "tree"), *command.settings]
    words = command.words(*own, "--", "python3", "-c", script)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(words[0], words, command.env)
    said = b""
    while b"ready True" not in said:
        said += os.read(terminal, 4096)
    os.write(terminal, b"\x03")
    while b"0 requests" not in said:
        said += os.read(terminal, 4096)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    os.close(terminal)
    assert b"count 1" in said


def test_killed(command: Cachy, tmp_path: Path) -> None:
    """Even `kill -9` leaves no proxy."""
    own: list[str | Path] = ["run", "--dir", tmp_path / "tree", *command.settings]
    script = "echo $$ ${https_proxy##*:}; exec sleep 60"
    with command.start(*own, "--", "sh", "-c", script) as process:
        assert process.stdout
        child, port = (int(word) for word in process.stdout.readline().split())
        try:
            assert listening(port)
            process.kill()
            wait_until(lambda: not listening(port), 10, "the end of the proxy")
        finally:
            os.kill(child, signal.SIGKILL)


def test_by_way_of_the_proxy_that_the_environment_names(
    command: Cachy, open_proxy: Proxy, origin: Origin, host: str, tmp_path: Path
) -> None:
    """Ours asks that one, and says so; hosts that were asked directly still are."""
    need("curl")
    url = f"https://{host}/a-1.0.tar.gz"
    origin.route(url, b"1")
    settings = [f"confdir={command.confdir}"]
    settings += [f"ssl_verify_upstream_trusted_ca={open_proxy.ca_pem}"]
    own = [word for each in settings for word in ("--set", each)]
    script = f"curl -fsS {url}; echo; echo $no_proxy"
    done = command.run(
        *("run", "--dir", str(tmp_path / "tree"), *own, "--", "sh", "-c", script),
        env={
            "HTTPS_PROXY": f"http://user:secret@127.0.0.1:{open_proxy.port}",
            "NO_PROXY": ".inside.example",
        },
    ).ok()
    assert re.search(r"^1\nlocalhost,\S+,.inside\.example$", done.output, re.MULTILINE)
    assert f"by way of {open_proxy.url} (HTTPS_PROXY)" in done.output
    assert "secret" not in done.output
    assert origin.count(url) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--proxy", "http://127.0.0.1:1"],
            "http://127.0.0.1:1 does not answer: Connection refused",
        ),
        (["--proxy", "ftp://x"], "'ftp://x' is no proxy"),
        (
            ["--dir", "/dev/null/x"],
            "cannot make /dev/null/x: Not a directory; name another by --dir",
        ),
        (["--set", "cachy_mode=ofline"], "use one of normal, offline, refresh, off"),
    ],
)
def test_not_run(command: Cachy, tmp_path: Path, words: list[str], said: str) -> None:
    """Where there is no proxy, the command does not run: 125, and one line says why."""
    if words[0] == "--set":
        words = [*words, "--dir", str(tmp_path), *command.settings]
    done = command.run("run", *words, "--", "touch", tmp_path / "made")
    assert done.status == 125
    assert said in done.output and done.output.endswith("; the command was not run\n")
    assert "Traceback" not in done.output
    assert not (tmp_path / "made").exists()


def test_a_proxy_that_is_no_cachy(command: Cachy, plain: Proxy) -> None:
    """The command runs; there is no report, which is said before."""
    done = command.run("run", "--proxy", plain.url, "--", "sh", "-c", "echo done; exit 3")
    assert done.status == 3
    remark, rest = done.output.split("\n", 1)
    assert "does not answer as cachy" in remark and rest == "done\n"


def test_transparent(
    command: Cachy, open_proxy: Proxy, origin: Origin, host: str, tmp_path: Path
) -> None:
    """No variable leads there, and it is counted all the same."""
    need("curl")
    origin.route(f"https://{host}/a-1.0.tar.gz", b"1")
    script = f"curl -fsS https://{host}/a-1.0.tar.gz; env | grep -i '_proxy='; kill -TERM $$"
    report = tmp_path / "r.json"
    own = ("run", "--transparent", "--proxy", open_proxy.url, "--report", report)
    done = command.run(*own, "--", "sh", "-c", script)
    if "--transparent is not possible here" in done.output:
        pytest.skip(done.output)
    assert done.status == 128 + signal.SIGTERM
    assert done.output.startswith("1cachy: 1 request, ")
    assert json.loads(report.read_text())["requests"] == 1


def test_subprocesses_leave_nothing(command: Cachy) -> None:
    """No temporary folder of all those runs is left."""
    assert [path.name for path in command.home.glob("cachy*")] == []
