"""A repository of which each publication changes every file at once."""

from .answer import Answer
from .message import HeadersLike, Request, header_list
from .origin import Origin
from .reply import Handler, Reply


class Published:
    """A host all of whose URLs answer with their own name and the version that is published."""

    def __init__(self, origin: Origin, host: str) -> None:
        self.origin = origin
        self.host = host
        self.version = 1
        self.validators = True
        self._fields: dict[str, HeadersLike] = {}
        self._instead: dict[str, Handler] = {}
        origin.handle(host, "*", self, scheme="https")

    def url(self, path: str) -> str:
        """Where a path is."""
        return f"https://{self.host}{path}"

    def count(self, path: str) -> int:
        """How often it was asked for."""
        return self.origin.count(self.url(path))

    def asked(self) -> list[Request]:
        """What was asked for."""
        return [request for request in self.origin.requests if request.host == self.host]

    def publish(self) -> int:
        """The next version."""
        self.version += 1
        return self.version

    def states(self, path: str, value: str | None) -> None:
        """What `Cache-Control` of a path says."""
        self._fields[path] = {} if value is None else {"Cache-Control": value}

    def instead(self, path: str, handler: Handler | None) -> None:
        """Something else answers for a path; None: nothing else does."""
        if handler is None:
            self._instead.pop(path, None)
        else:
            self._instead[path] = handler

    def answer(self, path: str) -> Answer:
        """What is published there now."""
        etag = f'"{self.version}"' if self.validators else None
        body = f"{path} {self.version}".encode()
        return Answer(body, headers=header_list(self._fields.get(path, {})), etag=etag)

    async def __call__(self, request: Request, reply: Reply) -> None:
        """As an origin does."""
        handler = self._instead.get(request.target) or self.answer(request.target)
        await handler(request, reply)
