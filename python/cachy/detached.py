"""What is fetched without a client: the whole behind a range, a check in the background, what a
redirect leads to. It goes the way of every request, hooks and all, but that nobody is at the other
end.
"""

import asyncio
import logging
import time
from typing import Any

from mitmproxy import ctx, http
from mitmproxy.connection import Client, ConnectionState, Server
from mitmproxy.proxy import commands, events, layers, server
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.layers.http._base import HttpConnection, ReceiveHttp
from mitmproxy.proxy.layers.http._events import RequestEndOfMessage, RequestHeaders
from mitmproxy.proxy.layers.http._hooks import (
    HttpErrorHook,
    HttpRequestHeadersHook,
    HttpResponseHook,
)
from mitmproxy.proxy.mode_specs import ProxyMode, UpstreamMode

from cachy._core import Exchange, Forward
from cachy.layer import make_ours
from cachy.sending import Shared
from cachy.transaction import Transaction

logger = logging.getLogger(__name__)


class Nobody(HttpConnection):
    """In the client's place: asks once and takes nothing."""

    def __init__(self, flow: http.HTTPFlow, context: Context) -> None:
        super().__init__(context, context.client)
        self.flow = flow

    def _handle_event(self, event: events.Event) -> CommandGenerator[None]:
        if isinstance(event, events.Start):
            head = RequestHeaders(1, self.flow.request, end_stream=True, replay_flow=self.flow)
            yield ReceiveHttp(head)
            yield ReceiveHttp(RequestEndOfMessage(1))


class Detached(server.ConnectionHandler):
    """One fetch, on a connection of its own."""

    def __init__(
        self, exchange: Exchange, forward: Forward, mode: ProxyMode, shared: Shared
    ) -> None:
        request = exchange.request
        now = time.time()
        here = ("127.0.0.1", 0)
        client = Client(
            peername=here,
            sockname=here,
            timestamp_start=now,
            proxy_mode=mode,
            state=ConnectionState.OPEN,
        )
        context = Context(client, ctx.options)
        context.server = Server(address=(request.host, request.port))
        if request.scheme == "https":
            context.server.tls = True
            context.server.sni = request.host
        kind = HTTPMode.transparent
        if isinstance(mode, UpstreamMode):
            kind = HTTPMode.upstream
            context.server.via = (mode.scheme, mode.address)
        super().__init__(context)
        flow = http.HTTPFlow(client, context.server, live=True)
        flow.is_replay = "request"
        path = request.path if forward.spelling is None else forward.spelling[1]
        headers = request.headers if forward.headers is None else forward.headers
        flow.request = http.Request(
            host=request.host,
            port=request.port,
            method=b"GET",
            scheme=request.scheme.encode(),
            authority=b"",
            path=path,
            http_version=b"HTTP/1.1",
            headers=http.Headers(headers),
            content=b"",
            trailers=None,
            timestamp_start=now,
            timestamp_end=now,
        )
        shared.transactions[flow] = Transaction(exchange, forward=forward, detached=True)
        self.flow = flow
        self.layer = layers.HttpLayer(context, kind)
        make_ours(self.layer, shared)
        self.layer.connections[client] = Nobody(flow, context.fork())
        self.over = asyncio.Event()

    async def run(self) -> None:
        """Fetches it, and lets go of everything."""
        await self.server_event(events.Start())
        await self.over.wait()
        for timer in self.wakeup_timer:
            timer.cancel()
        handlers = [io.handler for io in self.transports.values() if io.handler]
        for handler in handlers:
            handler.cancel()
        if handlers:
            await asyncio.wait(handlers)

    async def handle_hook(self, hook: commands.StartHook) -> None:
        """Lets the addons see it, but for who asks: nobody does."""
        if not isinstance(hook, HttpRequestHeadersHook):
            await ctx.master.addons.handle_lifecycle(hook)

    async def hook_task(self, hook: commands.StartHook) -> None:
        """As the original; the end is when the layers have done what follows the last hook."""
        await super().hook_task(hook)
        if isinstance(hook, HttpResponseHook | HttpErrorHook):
            self.over.set()

    def log(self, message: str, level: int = logging.INFO, exc_info: Any = None) -> None:
        """As the original, without a client's address. Nothing comes of a fetch behind a crash."""
        logger.log(level, f"[cachy] {message}", exc_info=exc_info)
        if exc_info:
            self.over.set()
