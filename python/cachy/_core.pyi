"""The core in Rust: every decision, and the store.

Header fields are lists of pairs of bytes, in the order of the wire. Methods that may wait for the
disk or a lock release the interpreter; those that may take long are marked and belong in a thread.
"""

from os import PathLike
from typing import TypeAlias, final

__all__ = [
    "Answer",
    "Body",
    "Cache",
    "Exchange",
    "Forward",
    "Pause",
    "Request",
    "Streamed",
    "__version__",
    "adopt_orphans",
    "cover",
    "default_directory",
    "end_with_parent",
    "enter_namespaces",
    "system_ca_bundle",
]

__version__: str

_Fields: TypeAlias = list[tuple[bytes, bytes]]

@final
class Cache:
    """An open cache folder with its options."""

    def __new__(
        cls,
        directory: str | PathLike[str],
        *,
        mode: str,
        freshness: str,
        private: bool,
    ) -> Cache:
        """Opens the folder, and makes it where it is missing.

        Args:
            directory: The folder, ``cachy_dir``.
            mode: ``cachy_mode``.
            freshness: ``cachy_freshness``.
            private: ``cachy_private``.

        Raises:
            ValueError: An option is wrong; the message says how to mend it. A folder that can't be
                made or written is not an error: it is logged, and requests pass through.
        """

    @property
    def offline(self) -> bool:
        """Whether nothing may go upstream."""

    def exchange(self, request: Request) -> Exchange:
        """Begins with a request."""

@final
class Request:
    """A request as it came in (RFC 9110 section 3.4)."""

    def __new__(
        cls,
        *,
        method: str,
        scheme: str,
        host: str,
        port: int,
        path: bytes,
        headers: _Fields,
        authority: bytes | None = None,
        sni: str | None = None,
        mode: str = "regular",
        own: bool = False,
        special: bool = False,
        multiplexed: bool = False,
        old: bool = False,
    ) -> Request:
        """Takes it as mitmproxy has it.

        Args:
            method: As sent.
            scheme: ``http`` or ``https``.
            host: The host that the proxy connects to.
            port: Its port.
            path: The origin-form of the target, as sent (RFC 9112 section 3.2.1).
            headers: Its fields.
            authority: ``:authority``, or that of an absolute-form that goes upstream as such.
            sni: The name that goes upstream as TLS server name, where the client chose it.
            mode: The type of mitmproxy's mode, such as ``transparent``.
            own: It came on a connection that the proxy itself opened.
            special: It has a body, or asks to change the protocol.
            multiplexed: The client speaks HTTP/2 or later.
            old: The client speaks HTTP/1.0.

        Raises:
            ValueError: The scheme is another one.
        """

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""

    @property
    def host(self) -> str:
        """The host to connect to."""

    @property
    def port(self) -> int:
        """Its port."""

    @property
    def path(self) -> bytes:
        """The origin-form of the target."""

    @property
    def headers(self) -> _Fields:
        """Its fields."""

@final
class Exchange:
    """One request and its response."""

    @property
    def request(self) -> Request:
        """The request that it is about."""

    def decide(self, *, patient: bool = False) -> Answer | Forward | Pause:
        """What to do with the request.

        Args:
            patient: Large files may be read; belongs in a thread.
        """

    @property
    def host(self) -> str:
        """The host to connect to, once `decide` sends the request upstream."""

    def response(
        self, status: int, headers: _Fields, *, multiplexed: bool = False
    ) -> Answer | Streamed | Pause:
        """What to do with the head of upstream's response; ``Pause`` where it leads to the thing
        itself, which is being fetched: then `decide` tells what to answer.

        Args:
            status: Its status code.
            headers: Its fields.
            multiplexed: It came by HTTP/2 or later, which tells the end of every body.
        """

    @property
    def number(self) -> int | None:
        """The number of the flight that this exchange leads, or waits for (``collapsed`` in
        RFC 9211), or did last.
        """

    @property
    def leading(self) -> bool:
        """Whether it fetches for everybody."""

    @property
    def wanted(self) -> bool:
        """Whether anybody but its own client wants what is being fetched."""

    def work(self) -> Exchange | None:
        """What is to be fetched without a client; each such exchange comes out once."""

    @property
    def flows(self) -> bool:
        """Whether enough of the body has come for a head that was held back to be sent."""

    def look(self) -> Answer | float | None:
        """What to do with a head that was held back: send it, look again after so many seconds, or
        answer this in its place, since the body stalls.
        """

    def give_back(self, reason: str) -> Answer | None:
        """What is stored, in the place of a body whose head was held back and that ends badly.

        Args:
            reason: For people.
        """

    def failed(self, reason: str) -> Answer:
        """What to answer when upstream can't be reached or doesn't answer.

        Args:
            reason: For people.
        """

    def write(self, data: bytes) -> None:
        """Takes bytes of upstream's body.

        Raises:
            OSError: They can't be decoded. A full disk is no error here.
        """

    @property
    def backlog(self) -> int:
        """Bytes that wait in memory for the slowest client."""

    def end(self, *, clean: bool) -> bool:
        """Upstream is done; returns whether its body is whole.

        Args:
            clean: If the closing of the connection was the end, it closed in good order
                (RFC 9112 section 8).
        """

    @property
    def has_news(self) -> bool:
        """Whether `commit` has something to write."""

    def commit(self) -> None:
        """Stores what is whole. Waits for the disk: belongs in a thread. Never fails."""

    def close(self, *, whole: bool) -> None:
        """Lets the client see the end of the body.

        Args:
            whole: All of it was there; else what has arrived is dropped.
        """

@final
class Pause:
    """What to do before deciding again."""

    Read: Pause
    """Decide with ``patient``, in a thread."""
    Wait: Pause
    """Wait for news of the flight whose number the exchange has."""

    def __int__(self) -> int: ...

@final
class Forward:
    """The request goes upstream."""

    @property
    def headers(self) -> _Fields | None:
        """The fields to send; ``None`` for the client's own."""

    @property
    def deadlines(self) -> tuple[float, float | None] | None:
        """Seconds for the connection, and for the head where there is something to fall back to."""

@final
class Answer:
    """The answer in place of upstream's."""

    @property
    def status(self) -> int:
        """Its status code."""

    @property
    def headers(self) -> _Fields:
        """Its fields."""

    def take_body(self) -> Body:
        """Its body.

        Raises:
            ValueError: It was taken before.
        """

@final
class Streamed:
    """Upstream's body on its way to the client."""

    @property
    def headers(self) -> _Fields:
        """The fields to send to the client."""

    @property
    def body(self) -> Body:
        """The client's end."""

    @property
    def hold(self) -> float | None:
        """Seconds for which the head is held back, then `Exchange.look`."""

@final
class Body:
    """A body, read piece by piece."""

    @property
    def remaining(self) -> int | None:
        """Bytes still to be read, where that is known."""

    @property
    def flight(self) -> int | None:
        """The number of the flight in which it is still arriving."""

    def read(self, most: int) -> bytes | None:
        """The next bytes; ``b""`` at the end, ``None`` where none have arrived yet.

        Args:
            most: How many at most.

        Raises:
            EOFError: Somebody cut the file short, or upstream broke off.
            OSError: It can't be read.
        """

def default_directory() -> str:
    """The folder where the user named none: ``$CACHY_DIR``, ``$XDG_CACHE_HOME/cachy`` or
    ``~/.cache/cachy`` (XDG Base Directory Specification).
    """

def system_ca_bundle() -> str | None:
    """The system's bundle of root certificates, where one is found."""

def enter_namespaces(user: bool) -> None:
    """Moves this process, which must have one thread, to a network and a mount namespace of its own.

    Linux only, like the three below.

    Args:
        user: To a user namespace too, which gives the right to the others.

    Raises:
        OSError: The kernel forbids it.
    """

def cover(target: str | PathLike[str], source: str | PathLike[str]) -> None:
    """Lets a file or folder be seen in another's place, in this mount namespace.

    Args:
        target: What is covered.
        source: What is seen there.

    Raises:
        OSError: One of them isn't there, or the kernel forbids it.
    """

def adopt_orphans() -> None:
    """Makes orphans of this process's descendants its own children.

    Raises:
        OSError: The kernel can't.
    """

def end_with_parent(kill: bool) -> None:
    """Sends this process a signal when its parent ends.

    Args:
        kill: SIGKILL; else SIGTERM.

    Raises:
        OSError: The kernel can't.
    """
