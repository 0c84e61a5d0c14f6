"""HTTP/2 connections to an origin that end with requests under way."""

import socket

import h2.config
import h2.connection
import h2.events
import h2.settings

from support.ca import CA
from support.client_h2 import H2Client
from support.listener import Listener
from support.network import Network
from support.proxy import Proxy


class FewStreams:
    """Answers only so many requests on each connection, one at a time, and closes in the next."""

    def __init__(self, answers: int) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, sock: socket.socket) -> None:
        """Serves one connection."""
        server = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="latin-1")
        )
        limit = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1}
        server.local_settings = h2.settings.Settings(client=False, initial_values=limit)
        server.initiate_connection()
        sock.sendall(server.data_to_send())
        left = self.answers
        while data := sock.recv(65536):
            for event in server.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    fields = {str(k): str(v) for k, v in event.headers or []}
                    self.asked.append(f"{fields[':method']} {fields[':path']}")
                    if left == 0:
                        return
                elif isinstance(event, h2.events.StreamEnded):
                    left -= 1
                    number = event.stream_id or 0
                    server.send_headers(number, [(":status", "200"), ("content-length", "2")])
                    server.send_data(number, b"ok", end_stream=True)
            sock.sendall(server.data_to_send())


def test_asked_again(shared_proxy: Proxy, network: Network, ca: CA, host: str) -> None:
    """Requests that were under way, and those that waited for their turn, get their answers."""
    origin = FewStreams(2)
    with Listener(origin, ca.context(host, ("h2",))) as server:
        network.send(f"{host}:443", server.port)
        with H2Client(shared_proxy, f"https://{host}/") as client:
            assert client.fetch(f"https://{host}/0").body == b"ok"
            numbers = [client.send_request(f"https://{host}/{n}") for n in range(1, 4)]
            for number in numbers:
                assert client.read_head(number).status == 200
                assert client.read_to_end(number) == b"ok"
        assert origin.asked[:2] == ["GET /0", "GET /1"]
        assert sorted(origin.asked[2:]) == ["GET /2", "GET /2", "GET /3"]


def test_not_asked_again(shared_proxy: Proxy, network: Network, ca: CA, host: str) -> None:
    """An upload isn't sent again, but its client is told so, and the one behind it isn't forgotten."""
    origin = FewStreams(1)
    with Listener(origin, ca.context(host, ("h2",))) as server:
        network.send(f"{host}:443", server.port)
        with H2Client(shared_proxy, f"https://{host}/") as client:
            assert client.fetch(f"https://{host}/0").body == b"ok"
            numbers = [
                client.send_request(f"https://{host}/{n}", "POST", body=b"x") for n in range(2)
            ]
            first, second = [client.read_head(number).status for number in numbers]
            assert first == 502
            # It waits for its turn on the connection that ends, or came late enough for the next.
            assert second == (200 if "POST /1" in origin.asked else 502)
        assert origin.asked.count("POST /0") == 1
