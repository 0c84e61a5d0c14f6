"""Clients that connect while the proxy starts wait until it is set up, and don't end it."""

import socket
import threading
import time
from pathlib import Path

import pytest

from cachy import addon_path
from support import early
from support.at import At
from support.client import fetch
from support.command import Cachy
from support.factory import ProxyFactory
from support.origin import Origin
from support.served import Served

SCRIPT = Path(early.__file__)


def free_port() -> int:
    """One that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def connect(port: int) -> socket.socket:
    """A connection, as soon as there is anybody."""

    deadline = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=20)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "nobody listens"
            time.sleep(0.01)


def ask(sock: socket.socket, url: str) -> None:
    """Sends a plain request."""
    name = url.split("/")[2]
    sock.sendall(f"GET {url} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())


def answer(sock: socket.socket) -> bytes:
    """All that comes."""
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """The start is over when it is removed."""
    path = tmp_path / "gate"
    path.touch()
    return path


def early_clients(port: int, origin: Origin, host: str, gate: Path) -> None:
    """Some ask, one says nothing and one leaves before the start is over; who asks is answered behind it."""
    url = f"http://{host}/a"
    origin.route(url, b"body")
    connect(port).close()
    silent = connect(port)
    asking = [connect(port) for _ in range(4)]
    for each in asking:
        ask(each, url)
    # What is served is served within a moment.
    asking[0].settimeout(0.5)
    with pytest.raises(TimeoutError):
        asking[0].recv(1)
    gate.unlink()
    for each in asking:
        each.settimeout(20)
        assert answer(each).endswith(b"\r\n\r\nbody")
        each.close()
    ask(silent, url)
    assert answer(silent).endswith(b"\r\n\r\nbody")
    silent.close()


@pytest.mark.parametrize("options", [[], ["--workers", "2"]], ids=["one", "two"])
def test_before_it_is_set_up(
    command: Cachy, origin: Origin, host: str, tmp_path: Path, gate: Path, options: list[str]
) -> None:
    """Whoever connects waits until the start is over, and is served."""
    port = free_port()
    own = ["serve", "--port", str(port), "--dir", str(tmp_path / "tree"), *options]
    env = {early.VARIABLE: str(gate)}
    with command.start(*own, "--", *command.arguments, "-s", str(SCRIPT), env=env) as process:
        try:
            early_clients(port, origin, host, gate)
        finally:
            gate.unlink(missing_ok=True)
            process.terminate()
            out, err = process.communicate(timeout=20)
        assert process.returncode == 0, (out, err)
        assert "served before" not in err


def test_before_mitmdump_is_set_up(
    start_proxy: ProxyFactory, origin: Origin, host: str, gate: Path
) -> None:
    """The same for a mitmdump of the user's, with the addon."""
    env = {early.VARIABLE: str(gate)}
    proxy = start_proxy(scripts=[addon_path(), SCRIPT], env=env)
    early_clients(proxy.port, origin, host, gate)
    assert proxy.running
    assert "served before" not in proxy.log()


@pytest.mark.parametrize("options", [[], ["--workers", "2"]], ids=["one", "two"])
def test_under_load(
    command: Cachy, origin: Origin, host: str, tmp_path: Path, options: list[str]
) -> None:
    """TLS and plain requests from the first moment on: it starts, and all that are accepted are answered."""
    url, port = f"https://{host}/a", free_port()
    origin.route(url, b"body")
    at = At(port, command.confdir / "mitmproxy-ca-cert.pem")
    with Served(command, tmp_path, options):
        pass  # There is a CA.
    stop, failed = threading.Event(), []

    def load() -> None:
        while not stop.is_set():
            try:
                assert fetch(at, url, timeout=30).body == b"body"
            except ConnectionRefusedError:
                continue
            except Exception as error:  # noqa: BLE001
                failed.append(error)

    own = ["serve", "--port", str(port), "--dir", str(tmp_path), *options]
    threads = [threading.Thread(target=load) for _ in range(4)]
    for each in threads:
        each.start()
    try:
        with command.start(*own, "--", *command.arguments) as process:
            assert process.stdout
            # It ends, or tells where it listens.
            line = process.stdout.readline()
            fetch(at, url)
            stop.set()
            for each in threads:
                each.join()
            process.terminate()
            out, err = process.communicate(timeout=20)
    finally:
        stop.set()
    assert "listens on" in line, err
    assert process.returncode == 0, (out, err)
    assert failed == []
