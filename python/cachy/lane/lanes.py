"""The clients in the lane."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from mitmproxy import ctx
from mitmproxy.connection import Address, Client
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import ClientTLSLayer, HttpLayer

from cachy import options
from cachy._core import Cache
from cachy.compat import builtin
from cachy.lane.allowed import MODES, is_allowed
from cachy.lane.client import ClientLane
from cachy.lane.secure import Security
from cachy.runs import Runs

logger = logging.getLogger(__name__)


class Lanes:
    """Lets connections in."""

    def __init__(self) -> None:
        self.by_client: dict[str, ClientLane] = {}
        self.made: Security | None = None
        self.wanted = False
        #: The addons that were there when the lane was found allowed, or not.
        self.seen: list[int] = []
        self.allowed = False

    def configure(self) -> None:
        """Options have changed.

        Raises:
            ValueError: The lane's own is wrong.
        """
        self.wanted = options.lane() != "off"
        self.made = None
        self.seen = []

    def is_open(self) -> bool:
        """Whether connections may take the lane."""
        if not self.wanted:
            return False
        addons = [id(addon) for addon in ctx.master.addons.lookup.values()]
        if addons != self.seen:
            self.seen = addons
            self.allowed = is_allowed()
        return self.allowed

    def security(self) -> Security | None:
        """What TLS needs, made when it is needed; `None` where it can't be made, which closes the lane."""
        if self.made is None:
            try:
                self.made = Security()
            except Exception as error:  # noqa: BLE001
                # Whatever it is, mitmproxy can do without the lane.
                logger.error(f"cachy: the fast lane is closed, TLS can't be set up: {error!r}")
                self.wanted = False
        return self.made

    def enter(
        self,
        client: Client,
        cache: Cache,
        runs: Runs,
        is_own: Callable[[Client, Address | None], bool],
    ) -> None:
        """A client has connected.

        Args:
            client: The client.
            cache: Where its hits come from.
            runs: Which client belongs to which run.
            is_own: Whether a client that wants to go to an address is the proxy itself.
        """
        if client.transport_protocol != "tcp" or not isinstance(client.proxy_mode, MODES):
            return
        handler: Any = builtin("proxyserver").connections.get(client.id)
        io = None if handler is None else handler.transports.get(client)
        if io is None or not isinstance(io.writer, asyncio.StreamWriter) or not self.is_open():
            return
        if io.reader._eof:  # It has left already.
            return
        address = handler.layer.context.server.address
        lane = cache.lane(
            mode=client.proxy_mode.type_name,
            run=runs.default,
            host=address and address[0],
            port=address and address[1],
        )
        self.by_client[client.id] = ClientLane(
            client,
            handler,
            lane,
            self.security,
            partial(is_own, client, address),
            partial(runs.name, client.id),
        )

    def retire(self, cache: Cache) -> None:
        """There is another cache: connections that are in the lane go by the old one no longer."""
        for lane in list(self.by_client.values()):
            lane.retire(cache.lane(own=True))

    def leave(self, client: Client) -> None:
        """A client has left."""
        self.by_client.pop(client.id, None)

    def is_http(self, context: Context) -> bool:
        """Whether what comes next is HTTP, whatever it looks like, since requests were answered before.

        Args:
            context: Of the layer that comes next.
        """
        lane = self.by_client.get(context.client.id)
        within = bool(context.layers) and isinstance(context.layers[-1], ClientTLSLayer)
        return lane is not None and lane.given and lane.served and within

    def note(self, layer: HttpLayer) -> None:
        """The layer that answers a client's requests from now on."""
        if (lane := self.by_client.get(layer.context.client.id)) is not None:
            lane.http = layer

    def hand_over(self, data: Any) -> None:
        """Gives mitmproxy the TLS connection of a client, where the lane has begun it.

        Args:
            data: mitmproxy's `TlsData`.
        """
        lane = self.by_client.get(data.conn.id)
        if lane is None:
            return
        if (handed := lane.give_tls()) is not None:
            data.ssl_conn = handed
