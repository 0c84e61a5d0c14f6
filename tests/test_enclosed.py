"""Commands in a network of their own: as root, and as an ordinary user."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from support import commoner
from support.client import fetch
from support.enclosing import UNSUPPORTED
from support.origin import Origin
from support.proxy import Proxy
from support.tree import wait_until

DRIVER = Path(__file__).parent / "support/enclosing.py"
STORED = "cachy; fwd=uri-miss; stored"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")


class Enclosing:
    """Runs commands through a proxy, as one kind of user."""

    def __init__(self, prefix: Sequence[str], proxy: Proxy, bundle: Path) -> None:
        self.prefix = list(prefix)
        self.bundle = bundle
        self.begin = [*prefix, sys.executable, str(DRIVER), proxy.url, str(bundle)]
        self.env = {"PATH": os.environ["PATH"], "HTTPS_PROXY": "http://192.0.2.1:1"}

    def __call__(self, *command: str, **env: str) -> "subprocess.CompletedProcess[str]":
        """Runs a command to its end."""
        return subprocess.run(
            [*self.begin, *command],
            env=self.env | env,
            capture_output=True,
            text=True,
            check=False,
            timeout=40,
        )

    def start(self, *command: str, **env: str) -> "subprocess.Popen[str]":
        """Starts one."""
        return subprocess.Popen(
            [*self.begin, *command], env=self.env | env, stdout=subprocess.PIPE, text=True
        )

    def everybodys(self) -> Path:
        """A folder for temporary files that everybody may write."""
        folder = self.bundle.parent / "tmp"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
        return folder


@pytest.fixture(scope="module")
def enclosed(shared_proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Enclosing:
    """Commands of an ordinary user."""
    folder = tmp_path_factory.mktemp("everybodys")
    bundle = Path(shutil.copy(shared_proxy.ca_pem, folder / "bundle.pem"))
    for path in (folder, bundle):
        path.chmod(0o755)
    prefix = commoner.prefix(tmp_path_factory.mktemp("holds"), [folder])
    probe = [*prefix, "unshare", "--user", "--net", "--mount", "true"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no namespaces for ordinary users here: {done.stderr.strip()}")
    return Enclosing(prefix, shared_proxy, bundle)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(enclosed: Enclosing, shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """With an empty environment; what it stores is what a proxy in regular mode stores."""
    for scheme in ("http", "https"):
        url = f"{scheme}://{host}/{scheme}.bin"
        origin.route(url, b"curl's")
        for status in (STORED, "cachy; hit"):
            done = enclosed("env", "-i", shutil.which("curl") or "", "-sS", "-i", url)
            assert done.returncode == 0, done.stderr
            assert done.stdout.endswith("curl's")
            assert f"cache-status: {status}\n" in done.stdout.lower().replace("\r", "")
        assert fetch(shared_proxy, url).cache_status == "cachy; hit"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_fetch_of_node(enclosed: Enclosing, origin: Origin, host: str) -> None:
    """Reads no proxy variables; its roots are its own."""
    url = f"https://{host}/a"
    origin.route(url, b"node's")
    script = f"fetch('{url}').then(async r => console.log(r.status, await r.text()))"
    done = enclosed("node", "-e", script, NODE_EXTRA_CA_CERTS=str(enclosed.bundle))
    assert (done.stdout, origin.count(url)) == ("200 node's\n", 1), done.stderr


def test_root(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """Root needs no user namespace, and keeps all that it may."""
    if os.geteuid() != 0:
        pytest.skip("not root")
    url = f"https://{host}/a"
    origin.route(url, b"root's")
    script = f"curl -sS {url} && cat /proc/self/uid_map"
    done = Enclosing([], shared_proxy, shared_proxy.ca_pem)(
        "unshare", "--mount", "sh", "-c", script
    )
    assert done.stdout.split() == ["root's", "0", "0", str(2**32 - 1)], done.stderr


def test_inside(enclosed: Enclosing, shared_proxy: Proxy, origin: Origin) -> None:
    """An address without a name goes to the proxy as it is; other ports refuse; it's who it was."""
    origin.route("http://203.0.113.5/a", b"four")
    origin.route("http://[2001:db8::5]/a", b"six")
    script = """
import os, socket, sys, urllib.error, urllib.request
for url in ("http://203.0.113.5/a", "http://[2001:db8::5]/a"):
    print(urllib.request.urlopen(url).read().decode())
try:
    print(socket.create_connection(("127.0.0.1", 80), 5).recv(1))
except ConnectionError:
    print("not the proxy's loopback")
for address in (("203.0.113.5", 81), ("name.example", 8443)):
    try:
        socket.create_connection(address, 5)
    except ConnectionRefusedError:
        print("refused")
print(os.getuid(), [name for name in os.environ if "PROXY" in name])
print(socket.gethostbyname("localhost"), len(socket.getaddrinfo("a.example", 1, proto=6)))
"""
    done = enclosed(sys.executable, "-c", script)
    uid = commoner.NOBODY if enclosed.prefix else os.getuid()
    expected = f"four\nsix\nb''\nrefused\nrefused\n{uid} []\n127.0.0.1 1\n"
    assert done.stdout == expected, done.stderr


def test_end(enclosed: Enclosing) -> None:
    """Its code is the command's, or tells the signal."""
    for script, code in (("exit 7", 7), ("kill -KILL $$", 137), ("kill -TERM $$", 143)):
        assert enclosed("sh", "-c", script).returncode == code
    file = enclosed.bundle.parent / "script"
    file.write_text("exit 6\n")
    file.chmod(0o755)
    assert enclosed(str(file)).returncode == 6
    done = enclosed("/nonexistent/command")
    assert "FileNotFoundError: [Errno 2] No such file or directory: '/nonexistent" in done.stderr


def pids(mark: str) -> list[int]:
    """The processes whose command line ends so."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes()
        except OSError:
            continue
        if line.endswith(f"\0{mark}\0".encode()):
            found.append(int(entry.parent.name))
    return found


def test_nothing_is_left(enclosed: Enclosing, tmp_path: Path) -> None:
    """Neither what it started in the background nor files."""
    mark = f"3{os.getpid()}.1"
    folder = enclosed.everybodys()
    script = f"(setsid sleep {mark} &) ; sleep {mark} & sleep 0.2; echo done"
    done = enclosed("sh", "-c", script, TMPDIR=str(folder))
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
    assert pids(mark) == []
    assert list(folder.iterdir()) == []


def test_signals(enclosed: Enclosing) -> None:
    """What is sent to it is the command's; and it doesn't outlive who has started it."""
    mark = f"3{os.getpid()}.2"
    folder = enclosed.everybodys()
    for number, code in ((signal.SIGTERM, 9), (signal.SIGINT, 9), (signal.SIGKILL, -9)):
        script = (
            f"trap 'exit 9' TERM INT; echo ready; (setsid sleep {mark}) & while :; do wait; done"
        )
        process = enclosed.start("sh", "-c", script, TMPDIR=str(folder))
        assert process.stdout and process.stdout.readline() == "ready\n"
        wait_until(lambda: len(pids(mark)) > 0)
        # Not even where it is killed.
        wait_until(lambda: list(folder.iterdir()) == [])
        process.send_signal(number)
        assert process.wait(10) == code
        wait_until(lambda: pids(mark) == [])
        process.stdout.close()


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
def test_forbidden(enclosed: Enclosing) -> None:
    """Where the kernel lends no namespaces, it says so, and the command has not run."""
    limit = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    wrap = ["unshare", "--user", "--map-root-user", "sh", "-c", limit, "sh"]
    wrap += ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    begin = enclosed.begin
    command = [*enclosed.prefix, *wrap, *begin[len(enclosed.prefix) :], "echo", "ran"]
    done = subprocess.run(command, env=enclosed.env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (UNSUPPORTED, "")
    assert "sysctl user.max_user_namespaces" in done.stderr
