"""TLS towards clients in the lane, as mitmproxy is set up for it."""

from typing import Any

from mitmproxy import ctx
from mitmproxy.connection import Client
from mitmproxy.net import tls as net_tls
from mitmproxy.proxy.context import Context
from mitmproxy.tls import TlsData
from OpenSSL import SSL

from cachy.compat import builtin
from cachy.lane.certificates import Certificates
from cachy.lane.handshake import Handshake, Hello

#: What the lane speaks.
PROTOCOL = b"http/1.1"
#: What who offers it gets, unless it is known to ask for little.
MULTIPLEXED = b"h2"


class Security:
    """Makes the connections: one context, so that tickets are good for all of them."""

    def __init__(self) -> None:
        config = builtin("tlsconfig")
        self.multiplexes: bool = ctx.options.http2
        self.certificates = Certificates(config.certstore)
        self.context = context_of(config)
        # Tickets need no memory here.
        self.context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        self.context.set_tlsext_servername_callback(choose_certificate)

    def accept(self, host: str, *, brief: bool) -> Handshake:
        """A handshake with a client that is about to say hello.

        Args:
            host: Whereto it is connected: a name, or an address.
            brief: It is known to ask for little.

        Raises:
            ValueError: That can't be the name of a server.
        """
        hello = Hello(self.certificates, host, multiplexes=self.multiplexes and not brief)
        connection = SSL.Connection(self.context)
        connection.use_certificate(self.certificates.of(host))
        connection.use_privatekey(self.certificates.private)
        connection.set_app_data(hello)
        connection.set_accept_state()
        return Handshake(connection, hello)


def context_of(config: Any) -> SSL.Context:
    """A context of our own with mitmproxy's versions, ciphers, curves and chain.

    Args:
        config: mitmproxy's addon for TLS.
    """
    here = ("127.0.0.1", 0)
    client = Client(peername=here, sockname=here, timestamp_start=0, sni="cachy")
    data = TlsData(client, Context(client, ctx.options), is_dtls=False)
    made: Any = net_tls.create_client_proxy_context
    wanted: dict[str, Any] = {}

    def note(**arguments: Any) -> Any:
        wanted.update(arguments)
        return made(**arguments)

    # mitmproxy alone knows what it asks for, and shares what it gets among its connections.
    net_tls.create_client_proxy_context = note  # type: ignore[assignment]
    try:
        config.tls_start_client(data)
    finally:
        net_tls.create_client_proxy_context = made
    wanted["alpn_select_callback"] = choose_protocol
    context: SSL.Context = made.__wrapped__(**wanted)
    return context


def choose_protocol(connection: SSL.Connection, offered: list[bytes]) -> Any:
    """Takes the first that the lane speaks of what a client offers (RFC 7301 section 3.2), as mitmproxy
    does.
    """
    hello: Hello = connection.get_app_data()
    spoken = (MULTIPLEXED, PROTOCOL) if hello.multiplexes else (PROTOCOL,)
    for protocol in offered:
        if protocol in spoken:
            return protocol
    hello.unsuited = True
    return SSL.NO_OVERLAPPING_PROTOCOLS


def choose_certificate(connection: SSL.Connection) -> None:
    """Takes the certificate for the name that a client asks for (RFC 6066 section 3)."""
    hello: Hello = connection.get_app_data()
    name = connection.get_servername()
    if not name:
        return
    try:
        hello.sni = name.decode("ascii")
        if hello.sni != hello.host:
            connection.use_certificate(hello.certificates.of(hello.sni, hello.host))
    except ValueError:
        # No name that mitmproxy would know what to do with, either.
        hello.unsuited = True
