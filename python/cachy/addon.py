"""The hooks: each carries a question to the core and its answer to mitmproxy."""

import asyncio
import gc
import logging
import os
from collections.abc import Awaitable
from collections.abc import Set as AbstractSet
from weakref import WeakKeyDictionary

from mitmproxy import ctx, exceptions, http, tls
from mitmproxy.addonmanager import Loader
from mitmproxy.connection import Address, Client
from mitmproxy.proxy import layer, server_hooks
from mitmproxy.proxy.mode_specs import ProxyMode

from cachy import alarm, at_once, evicting, keeping, memory, news, options, room, tidying, walk
from cachy._core import Answer, Cache, Exchange, Forward, Pause, Streamed, Ticket, parse_max_size
from cachy.detached import Detached
from cachy.door import door
from cachy.home import Home
from cachy.lane.lanes import Lanes
from cachy.layer import take_over
from cachy.leads import Leads
from cachy.receiving import receive
from cachy.runs import Runs
from cachy.sending import Shared
from cachy.straight import asks_itself, is_straight
from cachy.transaction import Transaction, is_multiplexed, request_of

logger = logging.getLogger(__name__)

#: Who connects, and whereto.
Ends = tuple[tuple[str | int, ...], ...]


class Cachy:
    """The addon."""

    cache: Cache | None = None
    started = False

    def __init__(self) -> None:
        self.transactions: WeakKeyDictionary[http.HTTPFlow, Transaction] = WeakKeyDictionary()
        self.news = news.News()
        self.leads = Leads()
        self.shared = Shared(self.transactions, self.news, self.leads)
        self.work: set[asyncio.Task[None]] = set()
        #: Our own connections, by both ends: one port may serve several.
        self.own: set[Ends] = set()
        self.runs = Runs()
        self.home = Home()
        self.lanes = Lanes()
        self.ended = asyncio.Event()
        #: They go on as long as the proxy does.
        self.keepers: list[asyncio.Task[None]] = []

    def load(self, loader: Loader) -> None:
        """Declares the options, and keeps clients waiting until the start is over."""
        door(ctx.master)
        options.declare(loader)
        try:
            # Values from the command line, which may not be of the option's type.
            ctx.options.process_deferred()
        except exceptions.OptionsError as error:
            self.refuse(exceptions.OptionsError(f"{options.given()}: {error}"))
        if (wrong := options.unknown()) is not None:
            self.refuse(exceptions.OptionsError(wrong))
        options.suit_mitmproxy()
        walk.shorten(ctx.master.addons)

    def running(self) -> None:
        """The start is over."""
        self.started = True
        # What is there now stays: some 100,000 objects that each full collection would go through.
        gc.freeze()
        # A request leaves hardly a cycle behind, and makes more objects than Python takes for a sign of some.
        gc.set_threshold(20_000, 20, 20)
        memory.keep()
        keepers = keeping.keep(lambda: self.cache), tidying.tidy(self.ended)
        self.keepers = [asyncio.create_task(keeper) for keeper in keepers]

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
        try:
            self.lanes.configure()
        except ValueError as error:
            self.refuse(error)
        if self.cache is not None and self.lanes.by_client and not self.lanes.is_open():
            self.lanes.retire(self.cache)
        if not (options.NAMES | {"confdir", "mode"}) & updated:
            return
        try:
            cache = Cache(
                os.path.expanduser(ctx.options.cachy_dir),
                mode=ctx.options.cachy_mode,
                freshness=ctx.options.cachy_freshness,
                private=ctx.options.cachy_private,
                max_size=parse_max_size(ctx.options.cachy_max_size or ""),
                host=ctx.options.cachy_host,
                certificate=options.certificate(),
                setup=options.SETUP,
                chained=options.is_chained(),
            )
        except ValueError as error:
            self.refuse(error)
        else:
            if self.cache is not None:
                # What it has counted belongs to the tree that it had.
                self.cache.save_stats()
                self.cache.end()
                self.lanes.retire(cache)
            self.cache = cache

    def client_connected(self, client: Client) -> None:
        """Lets a connection begin in the fast lane, and its hooks run without tasks."""
        at_once.take_over(client)
        if self.cache is not None:
            self.lanes.enter(client, self.cache, self.runs, self.is_own)

    def tls_start_client(self, data: tls.TlsData) -> None:
        """Hands over TLS that has begun in the fast lane."""
        self.lanes.hand_over(data)

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """A tunnel to the proxy itself needs no connection."""
        self.runs.note(flow)
        if self.cache is not None:
            self.home.accept(flow, self.cache)

    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        """Puts our layers in the place of mitmproxy's for HTTP."""
        if nextlayer.layer is None:
            take_over(nextlayer, self.shared, self.lanes)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Lets uploads stream: what isn't GET or HEAD passes through, or is for the proxy itself."""
        self.runs.note(flow)
        if flow.request.data.method in (b"GET", b"HEAD") or flow.response or self.cache is None:
            return
        if not is_web(flow.request):
            return
        transaction = self.begin(flow, self.cache)
        if transaction.exchange.internal:
            receive(flow, transaction)
            return
        step = transaction.exchange.decide()
        if isinstance(step, Answer):
            transaction.answer(flow, step)
        # HTTP/1.1 upstream needs the length or chunks to be told.
        elif any(name in flow.request.headers for name in ("content-length", "transfer-encoding")):
            flow.request.stream = True

    def request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Answers from the tree, or sends upstream. Returns what has to be waited for, if anything has."""
        if flow.response or flow.error or not flow.live or self.cache is None:
            return None
        if not is_web(flow.request):
            return None
        transaction = self.transactions.get(flow)
        if transaction is None:
            transaction = self.begin(flow, self.cache)
        elif not transaction.exchange.internal:
            return None
        if transaction.exchange.internal:
            transaction.exchange.end(clean=True)
        step = transaction.exchange.decide()
        if isinstance(step, Pause | Ticket):
            return self.go_on_later(flow, transaction, step)
        self.begin_work(transaction.exchange, flow.client_conn.proxy_mode)
        self.go_on(flow, transaction, step)
        return None

    async def go_on_later(
        self, flow: http.HTTPFlow, transaction: Transaction, step: Pause | Ticket
    ) -> None:
        """Goes on with a request when the core knows what to do."""
        settled = await self.settle(transaction, flow.client_conn.proxy_mode, step)
        if settled is not None:
            self.go_on(flow, transaction, settled)

    def go_on(self, flow: http.HTTPFlow, transaction: Transaction, step: Answer | Forward) -> None:
        """Does with a request what the core says."""
        if isinstance(step, Answer):
            transaction.answer(flow, step)
            return
        transaction.forward = step
        # Past the setter, which would rewrite the Host field.
        flow.request.data.host = transaction.exchange.host
        if step.headers is not None:
            flow.request.headers = http.Headers(step.headers)
        if step.spelling is not None:
            spell(flow.request, *step.spelling)

    async def settle(
        self, transaction: Transaction, mode: ProxyMode, step: Answer | Forward | Pause | Ticket
    ) -> Answer | Forward | None:
        """Asks the core until it knows what to do, and lets work begin that has no client. `None`:
        the client has left.

        Args:
            transaction: What it is about.
            mode: Of the client.
            step: What the core has said.
        """
        exchange = transaction.exchange
        while True:
            self.begin_work(exchange, mode)
            if isinstance(step, Ticket):
                if not transaction.left:
                    transaction.waiting = self.news.future(step)
                    await transaction.waiting
                if transaction.left:
                    return None
                ticket, step = step, exchange.decide()
                if not (isinstance(step, Ticket) or ticket.has_rung):
                    news.rescued("a request that waited for another one's fetch")
            elif step == Pause.Read:
                step = await asyncio.to_thread(exchange.decide, patient=True)
            elif isinstance(step, Pause):
                step = exchange.decide()
            else:
                return step

    def begin_work(self, exchange: Exchange, mode: ProxyMode) -> None:
        """Lets begin what an exchange wants to have fetched without a client."""
        if (work := exchange.work()) is not None:
            task = asyncio.create_task(self.fetch(work, mode))
            self.work.add(task)
            task.add_done_callback(self.work.discard)

    async def fetch(self, work: Exchange, mode: ProxyMode) -> None:
        """Fetches without a client."""
        try:
            step = await self.settle(Transaction(work, detached=True), mode, work.decide())
            # What an origin redirects to the proxy itself is for the client to follow.
            home = self.cache is not None and self.cache.is_host(work.request.host)
            if isinstance(step, Forward) and not home:
                await Detached(work, step, mode, self.shared).run()
        finally:
            work.close(whole=False)

    def begin_room(self, cache: Cache) -> None:
        """Lets begin what makes room in the tree, see `evicting`."""
        task = asyncio.create_task(evicting.make_room(cache))
        self.work.add(task)
        task.add_done_callback(self.work.discard)

    def responseheaders(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Decides what becomes of upstream's answer. Returns what has to be waited for, if anything has."""
        transaction = self.transactions.get(flow)
        response = flow.response
        if transaction is None or transaction.answered or response is None:
            return None
        if not transaction.upstream:
            return None  # Another addon's answer is neither stored nor changed.
        exchange = transaction.exchange
        reply = exchange.response(
            response.status_code,
            list(response.headers.fields),
            multiplexed=response.is_http2 or response.is_http3,
        )
        if isinstance(reply, Ticket):
            return self.follow(flow, transaction, reply)
        self.begin_work(exchange, flow.client_conn.proxy_mode)
        if isinstance(reply, Forward):
            transaction.again = True
            self.go_on(flow, transaction, reply)
        elif isinstance(reply, Streamed):
            transaction.streamed = reply
            response.headers = http.Headers(reply.headers)
        else:
            transaction.answer(flow, reply)
        return None

    async def follow(self, flow: http.HTTPFlow, transaction: Transaction, ticket: Ticket) -> None:
        """Answers a client with what upstream's answer leads to."""
        settled = await self.settle(transaction, flow.client_conn.proxy_mode, ticket)
        if isinstance(settled, Answer):
            transaction.answer(flow, settled)

    def response(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Stores what has arrived whole; nothing else is ever stored. Returns what has to be waited for,
        if anything has.
        """
        if (transaction := self.transactions.get(flow)) is None:
            return None
        self.ended.set()
        if not transaction.exchange.commit_at_once():
            return self.commit(transaction.exchange)
        self.committed()
        return None

    async def commit(self, exchange: Exchange) -> None:
        """Stores what takes its time."""
        await asyncio.to_thread(exchange.commit)
        self.committed()

    def committed(self) -> None:
        """Something has been stored, or nothing was to be."""
        if self.cache is not None and self.cache.crowded:
            self.begin_room(self.cache)

    def error(self, flow: http.HTTPFlow) -> None:
        """Drops what has arrived."""
        self.ended.set()
        if (transaction := self.transactions.get(flow)) is not None:
            transaction.exchange.close(whole=False)

    async def client_disconnected(self, client: Client) -> None:
        """Lets others finish what a client has left behind."""
        self.ended.set()
        self.runs.forget(client.id)
        self.home.forget(client)
        self.lanes.leave(client)
        await self.leads.finished(client.id)

    def done(self) -> None:
        """The proxy ends, or goes on without this addon."""
        walk.restore(ctx.master.addons)
        self.leads.give_up()
        self.news.close()
        if self.cache is not None:
            self.cache.end()
        for task in self.work:
            task.cancel()
        for keeper in self.keepers:
            keeper.cancel()
        if self.cache is not None:
            self.cache.save_stats()

    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Keeps everything at home while offline, also what isn't HTTP."""
        if is_straight(data.client, data.server.address):
            data.server.error = "this is the proxy itself, to which nobody was led"
        if self.cache is not None:
            self.home.keep(data, self.cache)
            if self.cache.offline:
                data.server.error = "cachy is offline (cachy_mode=offline)"

    def server_connected(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Makes the new connection one that can be held, see `room`, and known as ours."""
        room.make_holdable(data.client, data.server)
        self.own.add(ends(data.server.sockname, data.server.peername))

    def server_disconnected(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Forgets a connection."""
        self.own.discard(ends(data.server.sockname, data.server.peername))

    def cachy_news(self, ticket: Ticket) -> Awaitable[None]:
        """Waits for news of a flight, see `news`."""
        return self.news.future(ticket)

    async def cachy_alarm(self, data: alarm.Alarm) -> None:
        """Waits for the time to come, see `alarm`."""
        await alarm.ring(data)

    async def cachy_room(self, data: room.Room) -> None:
        """Waits until a client takes more, see `room`."""
        await room.wait(data)

    def begin(self, flow: http.HTTPFlow, cache: Cache) -> Transaction:
        """A new transaction for a flow."""
        client = flow.client_conn
        own = self.is_own(client, flow.server_conn.address)
        request = request_of(flow, own=own, straight=asks_itself(flow))
        transaction = Transaction(cache.exchange(request, run=self.runs.of(flow)))
        if transaction.exchange.internal:
            # The token is for the core alone, not for a log, nor for a file of flows.
            flow.request.headers.pop("authorization", None)
        self.transactions[flow] = transaction
        return transaction

    def is_own(self, client: Client, destination: Address | None) -> bool:
        """Whether a client is the proxy itself, or wants nothing but the proxy.

        Args:
            client: The client.
            destination: Where it wants to go, where the connection says so.
        """
        return ends(client.peername, client.sockname) in self.own or is_straight(
            client, destination
        )


def spell(request: http.Request, authority: bytes, path: bytes) -> None:
    """Has a request ask for what it asks for in one spelling, and in one form.

    Args:
        request: The request.
        authority: Host and port.
        path: The origin-form.
    """
    request.data.path = path
    # Else the Host field says it. Absolute-form is for proxies (RFC 9112 section 3.2.2).
    told = is_multiplexed(request) or request.scheme == "http"
    request.data.authority = authority if told and request.data.authority else b""


def is_web(request: http.Request) -> bool:
    """Whether it is for a web site, and no CONNECT where there is nothing to connect."""
    return request.scheme in ("http", "https")


def ends(*addresses: Address | None) -> Ends:
    """Both ends of a connection, without what only IPv6 has and the system doesn't always tell."""
    return tuple(address[:2] if address else () for address in addresses)
