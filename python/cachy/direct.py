"""Behind another proxy (``--mode upstream:``): hosts that are asked directly, and the password."""

from typing import Any

from mitmproxy.addons.upstream_auth import parse_upstream_auth
from mitmproxy.connection import Server
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import HttpStream

from cachy.no_proxy import is_direct


class DirectStream(HttpStream):
    """Asks the hosts of ``cachy_no_proxy`` directly."""

    def handle_connect_upstream(self) -> CommandGenerator[None]:
        """As the original, but a tunnel to such a host is one as in regular mode."""
        server = self.context.server
        if server.address is not None and self.is_direct(*server.address[:2]):
            server.via = None
            connect: Any = self.handle_connect_regular
        else:
            connect = super().handle_connect_upstream
        yield from connect()

    def make_server_connection(self) -> CommandGenerator[bool]:
        """As the original, but asks such a host directly. Else the other proxy gets its password:
        mitmproxy adds it before the core rewrites the request, and never without a client.
        """
        request, options = self.flow.request, self.context.options
        if self.flow.server_conn.via:
            if self.is_direct(request.host, request.port):
                # A new one: the client's next requests share the present one.
                self.flow.server_conn = Server(address=(request.host, request.port))
                request.headers.pop("proxy-authorization", None)
                if not request.is_http2:
                    # The form of a request to a server (RFC 9112 section 3.2.1).
                    request.authority = ""
            elif request.scheme == "http" and options.upstream_auth:
                request.headers["Proxy-Authorization"] = parse_upstream_auth(options.upstream_auth)
        return (yield from super().make_server_connection())

    def is_direct(self, host: str, port: int) -> bool:
        """Whether a host is one of them."""
        return is_direct(self.context.options.cachy_no_proxy, host, port)
