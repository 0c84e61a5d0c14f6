"""What the origin answers, and what it was asked."""

import threading
from collections.abc import Collection

from .answer import Answer
from .message import HeadersLike, Request, header_list, plain_host, split_url
from .pattern import Pattern
from .reply import Framing, Handler, Reply

NO_ROUTE = Answer(b"the test gave the origin no route for this\n", status=418)


class Routes:
    """Answers by scheme, host and target; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handlers: dict[tuple[str, str, str], Handler] = {}
        self._requests: list[Request] = []
        self._left: list[Request] = []

    def route(
        self,
        url: str,
        body: bytes | Pattern = b"",
        status: int = 200,
        headers: HeadersLike | None = None,
        *,
        etag: str | None = None,
        last_modified: str | None = None,
        ranges: bool = False,
        framing: Framing = "length",
    ) -> Answer:
        """Answer `url` like this from now on.

        Conditions and ranges are ignored unless asked for. What comes back may
        be changed later: `answer.body = b"new"`.
        """
        answer = Answer(body, status, header_list(headers), etag, last_modified, ranges, framing)
        scheme, authority, target = split_url(url)
        self.handle(plain_host(authority, scheme), target, answer, scheme=scheme)
        return answer

    def handle(self, host: str, target: str, handler: Handler, *, scheme: str = "*") -> None:
        """Answer by `handler`; target and scheme "*" stand for all.

        `host` is as in the Host header: with the port unless it is the default.
        """
        with self._lock:
            self._handlers[scheme, host, target] = handler

    @property
    def requests(self) -> list[Request]:
        """All requests since the last `clear()`, recorded before being answered."""
        with self._lock:
            return list(self._requests)

    @property
    def left(self) -> list[Request]:
        """Requests whose asker was gone before the answer was whole."""
        with self._lock:
            return list(self._left)

    def asked(self, url: str, method: str | None = None) -> list[Request]:
        """The requests for one URL, compared byte by byte."""
        scheme, authority, target = split_url(url)
        wanted = (scheme, plain_host(authority, scheme), target)
        return [
            request
            for request in self.requests
            if (request.scheme, request.host, request.target) == wanted
            and method in (None, request.method)
        ]

    def count(self, url: str, method: str | None = None) -> int:
        """How many times one URL was asked for."""
        return len(self.asked(url, method))

    def forget(self) -> None:
        """Drop all routes and records."""
        with self._lock:
            self._handlers.clear()
            self._requests.clear()
            self._left.clear()

    def forget_requests(self) -> None:
        """Drop the records, and keep the routes."""
        with self._lock:
            self._requests.clear()
            self._left.clear()

    def forget_hosts(self, hosts: Collection[str]) -> None:
        """Drop the routes of some hosts."""
        with self._lock:
            for key in [key for key in self._handlers if key[1] in hosts]:
                del self._handlers[key]

    async def answer(self, request: Request, reply: Reply) -> None:
        """Record and answer one request."""
        with self._lock:
            self._requests.append(request)
            handler = self._find(request)
        try:
            await handler(request, reply)
        except ConnectionError:
            with self._lock:
                self._left.append(request)

    def _find(self, request: Request) -> Handler:
        for target in (request.target, "*"):
            for scheme in (request.scheme, "*"):
                if found := self._handlers.get((scheme, request.host, target)):
                    return found
        return NO_ROUTE
