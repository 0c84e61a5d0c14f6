"""The hooks: each carries a question to the core and its answer to mitmproxy."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Set as AbstractSet
from weakref import WeakKeyDictionary

from mitmproxy import ctx, exceptions, http
from mitmproxy.addonmanager import Loader
from mitmproxy.proxy import layer, server_hooks

from cachy import options, room
from cachy._core import Answer, Cache, Forward, Pause, Streamed
from cachy.layer import take_over
from cachy.transaction import Transaction, request_of

logger = logging.getLogger(__name__)

#: Seconds after which a request no longer waits for another one's check.
PATIENCE = 10.0


class Cachy:
    """The addon."""

    cache: Cache | None = None
    started = False

    def __init__(self) -> None:
        self.transactions: WeakKeyDictionary[http.HTTPFlow, Transaction] = WeakKeyDictionary()
        self.over = asyncio.Event()

    def load(self, loader: Loader) -> None:
        """Declares the options."""
        options.declare(loader)
        try:
            # Values from the command line, which may not be of the option's type.
            ctx.options.process_deferred()
        except exceptions.OptionsError as error:
            self.refuse(exceptions.OptionsError(f"{options.given()}: {error}"))
        if (wrong := options.unknown()) is not None:
            self.refuse(exceptions.OptionsError(wrong))
        options.suit_mitmproxy()

    def running(self) -> None:
        """The start is over."""
        self.started = True

    def refuse(self, error: Exception) -> None:
        """Refuses an option.

        Raises:
            OptionsError: While mitmproxy runs, so that the change doesn't take place.
        """
        if self.started:
            raise exceptions.OptionsError(str(error)) from error
        # Raised at the start, it would be lost or buried with the task that loads scripts; an error
        # in the log ends the start.
        logger.error(f"cachy: {error}")

    def configure(self, updated: AbstractSet[str]) -> None:
        """Opens the cache with the options as they are.

        Raises:
            OptionsError: With what is wrong and how to mend it.
        """
        if not options.NAMES & updated:
            return
        try:
            self.cache = Cache(
                os.path.expanduser(ctx.options.cachy_dir),
                mode=ctx.options.cachy_mode,
                freshness=ctx.options.cachy_freshness,
                private=ctx.options.cachy_private,
            )
        except ValueError as error:
            self.refuse(error)

    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        """Puts our layers in the place of mitmproxy's for HTTP."""
        if nextlayer.layer is None:
            take_over(nextlayer, self.transactions)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Lets uploads stream: what isn't GET or HEAD passes through."""
        if flow.request.method in ("GET", "HEAD") or flow.response or self.cache is None:
            return
        transaction = self.begin(flow, self.cache)
        step = transaction.exchange.decide()
        if isinstance(step, Answer):
            transaction.answer(flow, step)
        # HTTP/1.1 upstream needs the length or chunks to be told.
        elif any(name in flow.request.headers for name in ("content-length", "transfer-encoding")):
            flow.request.stream = True

    async def request(self, flow: http.HTTPFlow) -> None:
        """Answers from the tree, or sends upstream."""
        if flow.response or flow.error or not flow.live or self.cache is None:
            return
        if flow in self.transactions:
            return
        transaction = self.begin(flow, self.cache)
        step = transaction.exchange.decide()
        while isinstance(step, Pause):
            if step == Pause.Wait:
                await self.somebody()
                step = transaction.exchange.decide()
            else:
                step = await asyncio.to_thread(transaction.exchange.decide, patient=True)
        if isinstance(step, Forward):
            transaction.forward = step
            if step.headers is not None:
                flow.request.headers = http.Headers(step.headers)
        else:
            transaction.answer(flow, step)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Decides what becomes of upstream's answer."""
        transaction = self.transactions.get(flow)
        response = flow.response
        if transaction is None or transaction.answered or response is None:
            return
        if not transaction.upstream:
            return  # Another addon's answer is neither stored nor changed.
        reply = transaction.exchange.response(response.status_code, list(response.headers.fields))
        if isinstance(reply, Streamed):
            transaction.streamed = reply
            response.headers = http.Headers(reply.headers)
        else:
            transaction.answer(flow, reply)

    async def response(self, flow: http.HTTPFlow) -> None:
        """Stores what has arrived whole; nothing else is ever stored."""
        if (transaction := self.transactions.get(flow)) is not None:
            if transaction.exchange.has_news:
                await asyncio.to_thread(transaction.exchange.commit)
            else:
                transaction.exchange.commit()
            self.wake()

    def error(self, flow: http.HTTPFlow) -> None:
        """Drops what has arrived."""
        if (transaction := self.transactions.get(flow)) is not None:
            transaction.exchange.close(whole=False)
            self.wake()

    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Keeps everything at home while offline, also what isn't HTTP."""
        if self.cache is not None and self.cache.offline:
            data.server.error = "cachy is offline (cachy_mode=offline)"

    def server_connected(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Makes the new connection one that can be held, see `room`."""
        room.make_holdable(data.client, data.server)

    async def cachy_room(self, data: room.Room) -> None:
        """Waits until a client takes more, see `room`."""
        await room.wait(data)

    def begin(self, flow: http.HTTPFlow, cache: Cache) -> Transaction:
        """A new transaction for a flow."""
        transaction = Transaction(cache.exchange(request_of(flow)))
        self.transactions[flow] = transaction
        return transaction

    async def somebody(self) -> None:
        """Waits until some transaction is over."""
        over = self.over
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), PATIENCE)

    def wake(self) -> None:
        """Tells that a transaction is over."""
        self.over.set()
        self.over = asyncio.Event()
