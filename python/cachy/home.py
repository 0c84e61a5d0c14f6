"""What goes to the proxy itself goes nowhere else: neither a name is asked for nor a connection opened
for ``cachy_host``, whatever a client says and mitmproxy's options are.
"""

from mitmproxy import http
from mitmproxy.connection import Client
from mitmproxy.proxy import server_hooks

from cachy._core import Cache
from cachy.straight import asks_itself


class Home:
    """Clients with a tunnel to the proxy itself."""

    def __init__(self) -> None:
        self.clients: set[str] = set()

    def accept(self, flow: http.HTTPFlow, cache: Cache) -> None:
        """Lets a CONNECT to the proxy itself succeed without a connection."""
        if cache.is_host(flow.request.host) or asks_itself(flow):
            self.clients.add(flow.client_conn.id)
            # With an answer of ours mitmproxy doesn't connect first, as connection_strategy=eager has it.
            flow.response = http.Response.make(200)
            flow.response.headers.clear()
            flow.response.reason = "Connection established"

    def keep(self, data: server_hooks.ServerConnectionHookData, cache: Cache) -> None:
        """Stops what is about to connect after all, such as bytes that aren't HTTP."""
        host = data.server.address[0] if data.server.address else ""
        if data.client.id in self.clients or cache.is_host(host):
            data.server.error = "this is cachy itself, which speaks nothing but HTTP"

    def forget(self, client: Client) -> None:
        """A client has left."""
        self.clients.discard(client.id)
