"""Clients that nobody led to the proxy: what they ask it for is the proxy itself."""

import ipaddress
import socket
from weakref import WeakSet

from mitmproxy import ctx, http
from mitmproxy.connection import Address, Client
from mitmproxy.net.http import url
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import HTTPMode, HttpStream
from mitmproxy.proxy.layers.http._events import RequestHeaders

from cachy.compat import builtin

#: Modes whose clients name the proxy.
NAMED = ("regular", "upstream")
#: Requests in origin-form where a proxy is spoken to (RFC 9112 section 3.2.1).
straight: "WeakSet[http.HTTPFlow]" = WeakSet()


class StraightStream(HttpStream):
    """Notes which requests take the proxy for the site: no hook can tell it any more."""

    def state_wait_for_request_headers(self, event: RequestHeaders) -> CommandGenerator[None]:
        """As the original, which refuses those that name no site."""
        request = event.request
        named = request.data.host or request.method == "CONNECT"
        if self.mode is not HTTPMode.transparent and not named and event.replay_flow is None:
            event.replay_flow = http.HTTPFlow(self.context.client, self.context.server)
            straight.add(event.replay_flow)
            if not names_site(request):
                here = self.context.client.sockname
                request.data.host, request.data.port = here[0], here[1]
                request.scheme = "https" if self.context.client.tls else "http"
        yield from super().state_wait_for_request_headers(event)


def names_site(request: http.Request) -> bool:
    """Whether the Host field can be one."""
    try:
        url.parse_authority(request.host_header or "", check=True)
    except ValueError:
        return False
    return True


def asks_itself(flow: http.HTTPFlow) -> bool:
    """Whether a request is for the proxy itself."""
    request = flow.request
    return flow in straight or is_itself(flow.client_conn, (request.host, request.port))


def is_itself(client: Client, destination: Address) -> bool:
    """Whether a client of the proxy names the very address on which the proxy listens.

    Args:
        client: The client.
        destination: What it names: host and port.
    """
    host, port = destination[:2]
    if client.proxy_mode.type_name not in NAMED or port != client.sockname[1]:
        return False
    listening = {each[0] for each in builtin("proxyserver").listen_addrs() if each[1] == port}
    everywhere = bool(listening & {"", "0.0.0.0", "::"})
    try:
        address = str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host))
    except ValueError:
        return everywhere and host.lower() == socket.gethostname().lower()
    return address in listening or (everywhere and is_here(address))


def is_straight(client: Client, destination: Address | None) -> bool:
    """Whether a client came to the proxy's own port of transparent mode by itself.

    Args:
        client: The client.
        destination: Where it wanted to go.
    """
    mode = client.proxy_mode
    if mode.type_name != "transparent" or destination is None:
        return False
    own = mode.listen_port(ctx.options.listen_port)
    return destination[1] == own and is_here(destination[0])


def is_here(host: str) -> bool:
    """Whether an address is one of this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True
