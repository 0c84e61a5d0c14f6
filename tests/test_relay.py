"""The relay of `cachy run --proxy`."""

import socket
from contextlib import ExitStack

import pytest

from cachy.cli.relay import Relay
from cachy.cli.through import Proxy

REQUEST = b"GET http://h.example/ HTTP/1.1\r\n"


def test_it_ends_in_the_middle(caplog: pytest.LogCaptureFixture) -> None:
    """Connections that are still open when the command has ended are nothing to talk about."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        proxy = Proxy("127.0.0.1", server.getsockname()[1])
        with Relay(proxy, "Cachy-Run: 1") as relay:
            here = (relay.proxy_here.host, relay.proxy_here.port)
            client = stack.enter_context(socket.create_connection(here, timeout=10))
            client.sendall(REQUEST)
            taken = stack.enter_context(server.accept()[0])
            came = stack.enter_context(taken.makefile("rb"))
            assert [came.readline(), came.readline()] == [REQUEST, b"Cachy-Run: 1\r\n"]
    assert caplog.records == []
