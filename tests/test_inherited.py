"""Sockets that systemd listens on: `cachy serve` takes clients from them, and restarts without a gap."""

import shutil
import signal
import socket
import threading
from pathlib import Path

import pytest

from cachy.inherited import inherit
from support.activator import Passed
from support.at import At
from support.client import Connection, fetch
from support.command import Cachy
from support.gated import before_head
from support.origin import Origin
from support.served import Served
from support.tree import wait_until

COUNTS = pytest.mark.parametrize("count", ["1", "2"])


def listener() -> socket.socket:
    """As systemd's."""
    return socket.create_server(("127.0.0.1", 0), backlog=128)


@COUNTS
def test_a_restart_without_a_gap(
    command: Cachy, origin: Origin, host: str, tmp_path: Path, count: str
) -> None:
    """Clients that come by while nobody is there are served by the next one; nobody is refused."""
    url = f"http://{host}/a"
    origin.route(url, b"body")
    stop, failed, answered = threading.Event(), list[BaseException](), list[bytes]()

    with listener() as sock:
        port = sock.getsockname()[1]

        at = At(port, command.confdir / "mitmproxy-ca-cert.pem")

        def load() -> None:
            while not stop.is_set():
                try:
                    answered.append(fetch(at, url, timeout=40).body)
                except Exception as error:  # noqa: BLE001
                    failed.append(error)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for each in threads:
            each.start()
        try:
            for _ in range(2):
                passed = Passed([sock], ["cachy.socket"])
                with Served(command, tmp_path, ["--workers", count], **passed.more) as served:
                    assert served.port == port
                    answered.clear()
                    wait_until(lambda: len(answered) > 20, 30)
                passed.close()
        finally:
            stop.set()
            # For who still waits.
            passed = Passed([sock], ["cachy.socket"])
            with Served(command, tmp_path, **passed.more):
                for each in threads:
                    each.join()
            passed.close()
    assert failed == []
    assert set(answered) == {b"body"}


def test_the_old_one_drains(command: Cachy, origin: Origin, host: str, tmp_path: Path) -> None:
    """It finishes what it does; who connects meanwhile waits for the next one."""
    url, other = f"http://{host}/a", f"http://{host}/b"
    handler, go_on = before_head(origin, origin.route(url, b"body"))
    origin.handle(host, "/a", handler, scheme="http")
    origin.route(other, b"other")
    with listener() as sock:
        passed = Passed([sock], ["cachy.socket"])
        with (
            Served(command, tmp_path, **passed.more) as served,
            Connection(served, url) as client,
        ):
            client.send_request()
            wait_until(lambda: origin.count(url))
            served.process.send_signal(signal.SIGTERM)
            served.wait_for_line("ends when 1 transfers are over", log=True)
            late = Connection(served, other, timeout=30)
            late.send_request()
            go_on()
            assert client.read_head().status == 200
            assert client.read_to_end() == b"body"
        assert origin.count(other) == 0
        with Served(command, tmp_path, **passed.more), late:
            assert late.read_head().status == 200
            assert late.read_to_end() == b"other"
        passed.close()


@COUNTS
def test_a_socket_for_each_mode(command: Cachy, tmp_path: Path, count: str) -> None:
    """By its name."""
    with listener() as regular, listener() as transparent:
        passed = Passed([transparent, regular], ["transparent", "cachy.socket"])
        with Served(command, tmp_path, ["--workers", count], **passed.more) as served:
            assert served.port == regular.getsockname()[1]
            answers = [ask_for_the_ca(each.getsockname()) for each in (regular, transparent)]
            # The other is for clients that don't know of a proxy, and were led there.
            assert [b" 200 " in answer for answer in answers] == [True, False]
        passed.close()


def ask_for_the_ca(address: tuple[str, int]) -> bytes:
    """As a client of a proxy; gives the first line of the answer, or nothing where it is closed."""
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(b"GET http://cachy.internal/ca.pem HTTP/1.1\r\nHost: cachy.internal\r\n\r\n")
        try:
            return client.makefile("rb").readline()
        except ConnectionResetError:
            return b""  # It was closed with the request unread.


def test_what_is_no_listening_socket(command: Cachy, tmp_path: Path) -> None:
    """It says which."""
    with socket.socket() as sock:
        passed = Passed([sock], ["web"])
        with command.start("serve", "--dir", str(tmp_path), **passed.more) as process:
            out, err = process.communicate(timeout=20)
        passed.close()
    assert process.returncode == 3
    assert err == (
        "Error: the proxy did not start: the socket web that was passed (LISTEN_FDS) is no listening "
        "TCP socket\n"
    )
    assert out == ""


def test_those_of_another_process() -> None:
    """They are none of ours, and the variables are for nobody who is started from here."""
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b", "HOME": "/"}
    assert inherit(environ).all == []
    assert environ == {"HOME": "/"}


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="no systemd")
def test_systemd_itself(command: Cachy, origin: Origin, host: str, tmp_path: Path) -> None:
    """Its own activator: the first client starts the service."""
    url = f"http://{host}/a"
    origin.route(url, b"body")
    with listener() as sock:
        port = sock.getsockname()[1]
    activator = ["systemd-socket-activate", "--listen", f"127.0.0.1:{port}"]
    for name in command.env:
        activator += ["--setenv", name]
    own = ["serve", "--port", str(port), "--dir", str(tmp_path)]
    with command.start(*own, "--", *command.arguments, prefix=activator) as process:
        try:
            wait_until(lambda: listens(port), 20)

            at = At(port, command.confdir / "mitmproxy-ca-cert.pem")
            assert fetch(at, url, timeout=30).body == b"body"
        finally:
            process.terminate()
            out, err = process.communicate(timeout=20)
    assert process.returncode == 0, (out, err)


def listens(port: int) -> bool:
    """Whether somebody does, who is not asked by this."""
    state = f":{port:04X} 00000000:0000 0A"
    return state in Path("/proc/net/tcp").read_text()
