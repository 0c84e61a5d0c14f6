"""Behind another proxy (``--mode upstream:``): which hosts are asked directly, and what that proxy is told."""

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
            connect: CommandGenerator[None] = self.handle_connect_regular()  # type: ignore[no-untyped-call]
            yield from connect
        else:
            connect = super().handle_connect_upstream()  # type: ignore[no-untyped-call]
            yield from connect

    def make_server_connection(self) -> CommandGenerator[bool]:
        """As the original, past the other proxy where the host is one of them; else with its password,
        which mitmproxy gives a request before the core makes it anew, and only where there is a client.
        """
        request, options = self.flow.request, self.context.options
        if self.flow.server_conn.via:
            if self.is_direct(request.host, request.port):
                # Not this one, which the client's next request has as well.
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
