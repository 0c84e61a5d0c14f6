"""Something of the origin that is stored, and checked each time."""

from .either import Asks
from .message import HeadersLike, Request, header_list
from .origin import Origin
from .proxy import Proxy
from .reply import Reply

OLD, NEW = b"old bytes", b"new bytes, and more"
CONFIRMED = "cachy; fwd=stale; fwd-status=304"
STORED = "cachy; fwd=stale; stored"
HIT = "cachy; hit"
CONDITIONS = ("if-none-match", "if-modified-since")


class Checked:
    """One URL of the origin: the whole to who asks plainly, another answer to a condition."""

    def __init__(self, origin: Origin, host: str, path: str, fields: HeadersLike) -> None:
        self.url = f"https://{host}{path}"
        self.origin = origin
        self.fields = header_list(fields)
        self.body = OLD
        self.status = 304
        """The answer to a condition."""
        self.checked: HeadersLike = {}
        """The fields of that."""
        origin.handle(host, path, self, scheme="https")

    async def __call__(self, request: Request, reply: Reply) -> None:
        """Answers one request."""
        if any(request.header(name) for name in CONDITIONS):
            await reply.head(self.status, self.checked)
        else:
            await reply.head(headers=self.fields, length=len(self.body))
            await reply.send(self.body)
        await reply.end()

    @property
    def asked(self) -> list[bool]:
        """Whether each request had a condition."""
        asked = self.origin.asked(self.url)
        return [any(each.header(name) for name in CONDITIONS) for each in asked]


def stale(fetch: Asks, proxy: Proxy, origin: Origin, host: str, **fields: str) -> Checked:
    """Something stored that is checked each time."""
    fields = {name.replace("_", "-"): value for name, value in fields.items()}
    thing = Checked(origin, host, "/a.bin", {"Cache-Control": "no-cache"} | fields)
    assert fetch(proxy, thing.url).body == OLD
    return thing
