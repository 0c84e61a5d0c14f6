"""WebSockets, and other switches of protocols, pass untouched."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    Request,
    TextMessage,
)
from wsproto.extensions import PerMessageDeflate

from support.ca import CA
from support.client import fetch
from support.listener import Listener
from support.message import Url
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy
from support.tree import tree
from support.wire import Wire


def events(sock: socket.socket, connection: WSConnection) -> Iterator[Event]:
    """What comes, until the peer leaves."""
    while data := sock.recv(65536):
        connection.receive_data(data)
        yield from connection.events()


def echo(sock: socket.socket) -> None:
    """Greets by a message of its own, then sends back what comes."""
    connection = WSConnection(ConnectionType.SERVER)
    for event in events(sock, connection):
        if isinstance(event, Request):
            accept = AcceptConnection(subprotocol="chat", extensions=[PerMessageDeflate()])
            sock.sendall(connection.send(accept) + connection.send(TextMessage("welcome")))
        elif isinstance(event, TextMessage | BytesMessage):
            sock.sendall(connection.send(event))
        elif isinstance(event, Ping | CloseConnection):
            sock.sendall(connection.send(event.response()))


def text(stream: Iterator[Event]) -> str:
    """The next whole message, which is text."""
    whole = ""
    for event in stream:
        assert isinstance(event, TextMessage)
        whole += event.data
        if event.message_finished:
            return whole
    raise AssertionError("the peer left")


def binary(stream: Iterator[Event]) -> bytes:
    """The next whole message, which is bytes."""
    whole = b""
    for event in stream:
        assert isinstance(event, BytesMessage)
        whole += event.data
        if event.message_finished:
            return whole
    raise AssertionError("the peer left")


@pytest.mark.parametrize(("scheme", "tunnel"), [("http", False), ("http", True), ("https", True)])
def test_websocket(
    shared_proxy: Proxy,
    shared_dir: Path,
    network: Network,
    ca: CA,
    host: str,
    scheme: str,
    tunnel: bool,
) -> None:
    """Messages go both ways, and nothing is stored."""
    url = Url(scheme, host, "/chat")
    tls: ssl.SSLContext | None = ca.context(host, ("http/1.1",)) if scheme == "https" else None
    with Listener(echo, tls) as server:
        network.send(f"{host}:{url.port}", server.port)
        wire = Wire(shared_proxy, url, tunnel=tunnel)
        client = WSConnection(ConnectionType.CLIENT)
        target = "/chat" if tunnel else f"http://{host}/chat"
        wire.sock.sendall(
            client.send(
                Request(
                    host=host,
                    target=target,
                    subprotocols=["chat"],
                    extensions=[PerMessageDeflate()],
                )
            )
        )
        stream = events(wire.sock, client)
        accepted = next(stream)
        assert isinstance(accepted, AcceptConnection)
        assert accepted.subprotocol == "chat"
        assert text(stream) == "welcome"
        large = bytes(range(256)) * 2000
        for message in ("hello", "", "ä€😀" * 1000):
            wire.sock.sendall(client.send(TextMessage(message)))
            assert text(stream) == message
        wire.sock.sendall(client.send(BytesMessage(large)))
        assert binary(stream) == large
        wire.sock.sendall(client.send(Ping(b"are you there")))
        pong = next(stream)
        assert isinstance(pong, Pong)
        assert pong.payload == b"are you there"
        wire.sock.sendall(client.send(CloseConnection(1000, "bye")))
        closed = next(stream)
        assert isinstance(closed, CloseConnection)
        assert (closed.code, closed.reason) == (1000, "bye")
        wire.close()
    assert not [path for path in tree(shared_dir) if path.startswith(f"{host}/")]


def test_refused_websocket(shared_proxy: Proxy, origin: Origin, host: str) -> None:
    """An origin that doesn't switch just answers; nothing of it is stored."""
    url = f"http://{host}/chat"
    origin.route(url, b"no", 400)
    fields = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    for _ in range(2):
        reply = fetch(shared_proxy, url, headers=fields | {"Sec-WebSocket-Key": "eA=="})
        assert (reply.status, reply.body) == (400, b"no")
    assert origin.count(url) == 2


def test_other_protocol(shared_proxy: Proxy, network: Network, host: str) -> None:
    """A switch to what nobody here knows is a raw tunnel from then on."""

    def parrot(sock: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(65536)
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        switch = (
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: parrot\r\n\r\n"
        )
        sock.sendall(hints + switch + b"first words")
        while data := sock.recv(65536):
            sock.sendall(data.upper())

    with Listener(parrot) as server:
        network.send(f"{host}:80", server.port)
        wire = Wire(shared_proxy, Url("http", host, "/"))
        head = f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n"
        wire.sock.sendall(f"{head}Connection: Upgrade\r\nUpgrade: parrot\r\n\r\n".encode())
        status, _, headers = wire.read_head()
        assert (status, dict(headers)["Upgrade"]) == (101, "parrot")
        assert wire.read_until(b"words") == b"first words"
        wire.sock.sendall(b"pretty polly")
        assert wire.read_until(b"POLLY") == b"PRETTY POLLY"
        wire.close()
