"""The core in Rust: every decision, and the store.

Header fields are lists of pairs of bytes, in the order of the wire. Methods that may wait for the
disk or a lock release the interpreter; those that may take long are marked and belong in a thread.
"""

from os import PathLike
from pathlib import Path
from typing import TypeAlias, final

__all__ = [
    "Answer",
    "Bell",
    "Body",
    "Cache",
    "Counts",
    "Entry",
    "Exchange",
    "Forecast",
    "Forward",
    "Lane",
    "Miss",
    "Multiplex",
    "Pause",
    "Pruned",
    "Removed",
    "Request",
    "Shown",
    "Stats",
    "Streamed",
    "Ticket",
    "Tree",
    "Turn",
    "Upload",
    "Verified",
    "__version__",
    "adopt_orphans",
    "cover",
    "default_directory",
    "end_with_parent",
    "enter_namespaces",
    "is_private_host",
    "join_siblings",
    "parse_max_size",
    "parse_size",
    "parse_span",
    "system_ca_bundle",
    "this_machine",
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
        max_size: int | None = None,
        host: str = ...,
        certificate: str | PathLike[str] | None = None,
        setup: str | PathLike[str] | None = None,
        chained: bool = False,
    ) -> Cache:
        """Opens the folder, and makes it where it is missing.

        Args:
            directory: The folder, ``cachy_dir``.
            mode: ``cachy_mode``.
            freshness: ``cachy_freshness``.
            private: ``cachy_private``.
            max_size: ``cachy_max_size``, bytes; ``None`` is unlimited.
            host: ``cachy_host``; without it, ``cachy.internal``.
            certificate: The certificate that clients have to trust, PEM.
            setup: The template of the script that installs it: a line ``@CA@`` stands for the
                certificate, ``@HOST@`` and ``@VERSION@`` for what they say.
            chained: Upstream is asked by way of another proxy on this machine, which may be on the same
                tree: what is fetched is not claimed from other processes.

        Raises:
            ValueError: An option is wrong; the message says how to mend it. A folder that can't be
                made or written is not an error: it is logged, and requests pass through.
        """

    @property
    def offline(self) -> bool:
        """Whether nothing may go upstream."""

    def exchange(self, request: Request, *, run: str | None = None) -> Exchange:
        """Begins with a request.

        Args:
            request: The request.
            run: The run that it is counted for, 32 hex digits; anything else is no run.
        """

    def lane(
        self,
        *,
        mode: str = "regular",
        own: bool = False,
        run: str | None = None,
        scheme: str | None = None,
        host: str | None = None,
        port: int | None = None,
        sni: str | None = None,
        connect: bool = True,
    ) -> Lane:
        """Begins with a client's connection in the fast lane.

        Args:
            mode: The type of mitmproxy's mode. Of ``reverse``, nothing is for the lane.
            own: The client is the proxy itself, which the lane is not for.
            run: The run of requests that name none, as for `exchange`.
            scheme: ``http``, which is meant without, or ``https``.
            host: Whereto the client has connected. Without host and port it speaks to a proxy: CONNECT,
                or the absolute-form.
            port: Its port.
            sni: The name that the client gave TLS.
            connect: CONNECT is for the lane.

        Raises:
            ValueError: The scheme is another one.
        """

    def is_host(self, name: str) -> bool:
        """Whether a host name is ``cachy_host``, however it is spelt."""

    def save_stats(self) -> None:
        """Adds what this process has counted to ``.cachy/stats.json``. Waits for the disk: belongs in
        a thread. Never fails.
        """

    def settle(self) -> None:
        """Waits until what was stored is on disk, and writes that down; what isn't is read once, after
        the system has been started anew. Belongs in a thread. Never fails.
        """

    def look_around(self) -> None:
        """Learns this machine's names and addresses anew, and forgets what was remembered of the tree
        where they are others. Belongs in a thread. Never fails.
        """

    @property
    def crowded(self) -> bool:
        """Whether `make_room` has something to do: the tree is larger than ``max_size``, or was
        not counted yet. Asked after a store.
        """

    def make_room(self) -> Pruned | None:
        """Counts what is in the tree, and evicts where it is too much, down to nine tenths of
        ``max_size``. Takes long: belongs in a thread. ``None``: another thread is at it.

        Raises:
            OSError: The tree can't be read or written.
        """

    def end(self) -> None:
        """The process ends: `make_room` stops soon."""

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
        straight: bool = False,
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
            straight: It is for the proxy itself, by whatever name.
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

    @property
    def internal(self) -> bool:
        """Whether it is for the proxy itself: `decide` never sends it upstream."""

    def decide(self, *, patient: bool = False) -> Answer | Forward | Pause | Ticket:
        """What to do with the request. A ticket: decide again when it rings.

        Args:
            patient: Large files may be read; belongs in a thread.
        """

    @property
    def host(self) -> str:
        """The host to connect to, once `decide` sends the request upstream."""

    def response(
        self, status: int, headers: _Fields, *, multiplexed: bool = False
    ) -> Answer | Forward | Streamed | Ticket:
        """What to do with the head of upstream's response. A `Forward`: it is none, and upstream is to be
        asked once more, on the same way. A ticket: it leads to the thing itself, which is
        being fetched; `decide` tells what to answer when it rings.

        Args:
            status: Its status code.
            headers: Its fields.
            multiplexed: It came by HTTP/2 or later, which tells the end of every body.
        """

    @property
    def leading(self) -> bool:
        """Whether it fetches for everybody."""

    def wanted(self) -> Ticket | None:
        """Whether anybody but its own client wants what is being fetched: ``None`` where nobody does.
        The ticket rings when that may have changed in this process.
        """

    def pace(self, held: bool) -> Ticket | None:
        """Whether too much waits in memory for slow clients: then nothing is to be read from upstream until
        the ticket rings.

        Args:
            held: Nothing is being read already.
        """

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

    def refused(self) -> Answer | None:
        """What is stored, for a client of which the head was held back: what came is not what its name
        says. None otherwise, and where nothing is stored.
        """

    @property
    def restated(self) -> str | None:
        """What `Cache-Status` is to say, where the body has shown that it isn't what the head says."""

    def failed(self, reason: str, *, connected: bool) -> Answer:
        """What to answer when upstream can't be reached or doesn't answer.

        Args:
            reason: For people.
            connected: There was a connection, so that nothing is said of the origin as a whole.
        """

    def write(self, data: bytes | memoryview) -> None:
        """Takes bytes of upstream's body, or of an upload.

        Raises:
            OSError: They can't be decoded; a full disk is no error here. Or an upload can't be written:
                `decide` tells what to answer.
        """

    def trailers(self, fields: _Fields) -> _Fields:
        """Upstream's trailers, without what tells of coded bytes where the body is decoded."""

    @property
    def backlog(self) -> int:
        """Bytes that wait in memory for the slowest client."""

    def end(self, *, clean: bool) -> bool:
        """Upstream, or an upload, is done; returns whether the body is whole.

        Args:
            clean: If the closing of the connection was the end, it closed in good order
                (RFC 9112 section 8).
        """

    def commit_at_once(self) -> bool:
        """Stores what is whole where that takes no longer than to write it, or nothing is to be stored.
        Returns whether it did; else `commit` does. Never fails.
        """

    def commit(self) -> None:
        """Stores what is whole. Waits for the disk: belongs in a thread. Never fails."""

    def close(self, *, whole: bool) -> None:
        """Lets the client see the end of the body.

        Args:
            whole: All of it was there; else what has arrived is dropped.
        """

@final
class Ticket:
    """The right to be woken by one change. It was taken before that was looked at which changes."""

    @staticmethod
    def rung() -> Ticket:
        """A ticket that has rung already."""

    @property
    def has_rung(self) -> bool:
        """Whether it has rung."""

@final
class Bell:
    """Makes a descriptor readable when tickets have rung, in whatever thread.

    Raises:
        OSError: No descriptors are left.
    """

    def __new__(cls) -> Bell: ...
    def fileno(self) -> int:
        """The descriptor, for an event loop."""

    def listen(self, ticket: Ticket) -> int | None:
        """Listens to a ticket as long as that lives. Returns the number that `take` will give, or ``None``
        where it has rung already.
        """

    def take(self) -> list[int]:
        """The numbers of the tickets that have rung since the last call."""

@final
class Pause:
    """What to do before deciding again."""

    Read: Pause
    """Decide with ``patient``, in a thread."""
    Take: Pause
    """It is an upload: pass its body to `Exchange.write`, then `Exchange.end`."""

    def __int__(self) -> int: ...

@final
class Forward:
    """The request goes upstream."""

    @property
    def headers(self) -> _Fields | None:
        """The fields to send; ``None`` for the client's own."""

    @property
    def spelling(self) -> tuple[bytes, bytes] | None:
        """Authority and origin-form of what is asked for, where they aren't the client's own."""

    @property
    def stores(self) -> bool:
        """Whether what comes may be stored."""

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
    def reason(self) -> str | None:
        """Its reason phrase, where that isn't the usual one (RFC 9112 section 4)."""

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
    def instead(self) -> Answer | None:
        """What the client gets at once in the place of it: the body is for the tree alone."""

    @property
    def hold(self) -> float | None:
        """Seconds for which the head is held back, then `Exchange.look`; infinite: until the body begins."""

@final
class Body:
    """A body, read piece by piece."""

    @property
    def remaining(self) -> int | None:
        """Bytes still to be read, where that is known."""

    @property
    def growing(self) -> bool:
        """Whether it is still arriving."""

    @property
    def behind(self) -> bool:
        """Whether bytes of it have arrived that were not read."""

    def pass_on(self, bytes: int) -> bool:
        """Whether the next bytes that arrive are the very next of this body. Then they count as read,
        and whoever has them passes them on. Never the last of a body whose length was announced.

        Args:
            bytes: How many.
        """

    def read(self, most: int) -> bytes | Ticket:
        """The next bytes; ``b""`` at the end. A ticket where none have arrived yet: it rings when there are
        more.

        Args:
            most: How many at most.

        Raises:
            EOFError: Somebody cut the file short, or upstream broke off.
            OSError: It can't be read.
        """

@final
class Turn:
    """What comes next on a connection in the fast lane."""

    More: Turn
    """All bytes are taken: send what is to be sent, and wait for more of the client."""
    Again: Turn
    """Enough is to be sent: send it, then take ``b""``, for there is more to answer."""
    Body: Turn
    """Send what is to be sent, then all of the body, then take ``b""``."""
    Slow: Turn
    """Send what is to be sent; then the request that begins with the rest is mitmproxy's, and all that
    follows. It has had no effect. The lane may have the connection again, between two requests.
    """
    Close: Turn
    """Send what is to be sent, then close: the client asked for it."""
    Connect: Turn
    """Send what is to be sent. The rest begins with a CONNECT to the lane's host and port: open the tunnel
    and call `Lane.tunnel`, or leave it to mitmproxy.
    """

    def __int__(self) -> int: ...

@final
class Lane:
    """One client's connection in the fast lane: GET and HEAD over HTTP/1.1 that the tree answers right
    now are answered as mitmproxy would send it, byte for byte, and counted; anything else is left alone.
    """

    def take(self, data: bytes) -> tuple[Turn, bytes, Body | None, bytes]:
        """Takes bytes of the client. Waits for the disk as a hit does.

        Args:
            data: What the client sent; empty where the turn before said so.

        Returns:
            What comes next, what is to be sent first, the body for ``Turn.Body``, and for ``Turn.Slow``
            and ``Turn.Connect`` all bytes from the beginning of that request.
        """

    def tunnel(self, sni: str | None, scheme: str = "https") -> None:
        """A tunnel is open: what follows is for the CONNECT's host and port, or for those of the
        connection.

        Args:
            sni: The name that the client gave TLS.
            scheme: ``http`` where there is no TLS.

        Raises:
            ValueError: The scheme is another one.
        """

    @property
    def host(self) -> str:
        """The host of the CONNECT, or of the connection."""

    @property
    def port(self) -> int:
        """Its port."""

    @property
    def brief(self) -> bool:
        """Whether the client of the last CONNECT is known to ask for little and to leave: HTTP/2 is of no
        use to it.
        """

    @property
    def run(self) -> str | None:
        """The run that the client named in the lane, as it did."""

    @property
    def pending(self) -> bytes:
        """What the lane holds of a request: its head isn't whole, or it waits to be answered."""

    def drain(self) -> bytes:
        """Gives up what is pending."""

    def multiplex(self) -> Multiplex:
        """Begins HTTP/2 on a connection of which nothing has been read."""

@final
class Multiplex:
    """One client's HTTP/2 connection in the fast lane: the lane's hits are answered and counted, all
    other requests go to mitmproxy, over an HTTP/2 connection in memory (RFC 9113).
    """

    def take(self, data: bytes, room: bool) -> tuple[bytes, bytes, bool, bool]:
        """Takes bytes of the client. Waits for the disk as a hit does.

        Args:
            data: What the client sent; empty, to go on.
            room: Whether the client takes more bytes of bodies now.

        Returns:
            Bytes for the client, bytes for mitmproxy, whether there is more to send right now, and
            whether the connection ends when all is sent.
        """

    def answer(self, data: bytes, room: bool) -> tuple[bytes, bytes, bool, bool]:
        """Takes bytes of mitmproxy.

        Args:
            data: What mitmproxy sent.
            room: Whether the client takes more bytes of bodies now.

        Returns:
            As `take`.
        """

    def end(self, room: bool) -> tuple[bytes, bytes, bool, bool]:
        """Ends the connection of a client that waits for nothing (RFC 9113 section 6.8): it may ask
        again, elsewhere, for what it is just asking.

        Args:
            room: Whether the client takes more bytes of bodies now.

        Returns:
            As `take`.
        """

    @property
    def is_idle(self) -> bool:
        """Whether all requests are answered."""

    def retire(self) -> None:
        """From now on, all requests are mitmproxy's."""

@final
class Tree:
    """A tree as a whole, in use or at rest. Nothing is made or swept by looking at it.

    Paths are relative to the tree, with ``/``, unless said. Times are milliseconds since 1970.
    Everything but `directory` waits for the disk, and releases the interpreter meanwhile.
    """

    def __new__(cls, directory: str | PathLike[str]) -> Tree:
        """Opens a folder, which need not be there.

        Args:
            directory: The folder, ``cachy_dir``.

        Raises:
            ValueError: It was made by a cachy that this one doesn't know.
            OSError: It can't be read.
        """

    @property
    def directory(self) -> Path:
        """The folder."""

    @property
    def exists(self) -> bool:
        """Whether it is there."""

    def path(self, url: str) -> Path:
        """Where the file of a URL lies, or would: the whole path.

        Args:
            url: Absolute, ``http`` or ``https``.

        Raises:
            ValueError: Nothing is stored for such a URL.
        """

    def url(self, path: str) -> str:
        """The URL of a path.

        Args:
            path: Relative to the tree, or a real path that leads into it.

        Raises:
            ValueError: No request would find it; the message says which name would do.
        """

    def ls(self, pattern: str | None = None) -> list[Entry]:
        """What lies in the tree, by path.

        Args:
            pattern: A URL, a path or a folder, or a glob over paths and URLs in which ``*`` means
                any text, slashes as well. ``None`` is all.

        Raises:
            ValueError: The glob is none.
            OSError: The tree can't be read.
        """

    def show(
        self,
        url: str,
        *,
        headers: _Fields = ...,
        mode: str = "normal",
        freshness: str = "auto",
        private: bool = False,
    ) -> Shown:
        """What is known of a URL, and what a request would get, without a trace of the question.

        Args:
            url: Absolute, ``http`` or ``https``.
            headers: Fields of the request; ``Host`` is added.
            mode: ``cachy_mode``.
            freshness: ``cachy_freshness``.
            private: ``cachy_private``.

        Raises:
            ValueError: Nothing is stored for such a URL, something in the way is barred, or an
                option is wrong.
            OSError: It can't be read.
        """

    def upload(self, url: str, *, force: bool = False) -> Upload:
        """Begins to put a person's file under a URL; makes the tree where it is missing.

        Args:
            url: Absolute, ``http`` or ``https``.
            force: Replace a person's file too.

        Raises:
            FileExistsError: A person's file lies there.
            ValueError: Nothing is stored for such a URL, or something in the way is barred.
            OSError: The tree can't be written.
        """

    def put(self, url: str, file: str | PathLike[str], *, force: bool = False) -> Path:
        """Puts a copy of a file under a URL, whole or not at all, as `upload`; returns the whole
        path.

        Args:
            url: Absolute, ``http`` or ``https``.
            file: What to copy.
            force: Replace a person's file too.

        Raises:
            FileExistsError: A person's file lies there.
            ValueError: Nothing is stored for such a URL, or something in the way is barred.
            OSError: The file can't be read, or the tree can't be written.
        """

    def remove(self, pattern: str, *, force: bool = False, dry_run: bool = False) -> Removed:
        """Removes entries with their metadata, and folders that are empty then; variants go with
        their URL.

        Args:
            pattern: A URL, a path, or a glob as in `ls`; a folder is none.
            force: People's files too.
            dry_run: Only tell what would go.

        Raises:
            ValueError: The glob is none.
            OSError: The tree can't be read or written.
        """

    def verify(self, path: str, *, drop: bool = False) -> Verified:
        """Compares the bytes of one file with its record. Takes as long as reading it.

        Args:
            path: Its path, as in `Entry.path`.
            drop: Remove it if it is broken, so that it is fetched again.

        Raises:
            ValueError: It is no path of the tree.
            OSError: It can't be read or removed.
        """

    def stats(self) -> Stats:
        """Counts what lies in the tree.

        Raises:
            OSError: The tree can't be read.
        """

    def prune(
        self,
        *,
        max_size: int | None = None,
        unused_since: int | None = None,
        dry_run: bool = False,
    ) -> Pruned:
        """Removes entries, the least recently used first; records of files that are gone; and
        folders that are empty then. Never a person's file, nor one that is being read or fetched.

        Args:
            max_size: Down to so many bytes.
            unused_since: All that was last used before this time.
            dry_run: Only tell what would go.

        Raises:
            OSError: The tree can't be read or written.
        """

    def misses(self) -> list[Miss]:
        """What was asked for in vain, offline or because upstream could not be reached, and still
        isn't there; oldest first.

        Raises:
            OSError: The journal can't be read.
        """

    def forget_misses(self, urls: list[str] | None = None) -> int:
        """Takes lines out of the journal; returns how many.

        Args:
            urls: Those of these URLs; ``None`` is all.

        Raises:
            OSError: The journal can't be written.
        """

@final
class Upload:
    """A person's file on its way into the tree; without `commit` nothing is left of it."""

    def write(self, data: bytes) -> None:
        """Takes the next bytes.

        Raises:
            ValueError: It is in place already, or given up.
            OSError: The disk is full.
        """

    def commit(self) -> Path:
        """Puts it into place, durable; returns the whole path.

        Raises:
            FileExistsError: A person's file lies there meanwhile.
            ValueError: It is in place already, or given up.
            OSError: The tree can't be written.
        """

    def close(self) -> None:
        """Gives it up, unless it is in place."""

@final
class Entry:
    """One file or link of the tree. Times are milliseconds since 1970."""

    @property
    def path(self) -> str:
        """Where it lies, relative to the tree."""

    @property
    def url(self) -> str | None:
        """Its URL; ``None`` where no request finds it."""

    @property
    def problem(self) -> str | None:
        """Why no request finds it."""

    @property
    def status(self) -> int | None:
        """The status code that it is answered with; ``None`` for a person's link to a file."""

    @property
    def size(self) -> int:
        """Bytes of its body in the tree."""

    @property
    def meta_size(self) -> int:
        """Bytes of its metadata."""

    @property
    def whose(self) -> str:
        """``cachy``, ``person``, or ``undecided``: only its digest would tell."""

    @property
    def variant(self) -> str | None:
        """The hash that tells it from other variants of its URL (Vary)."""

    @property
    def selecting(self) -> list[tuple[str, str]]:
        """The fields of requests that it answers, and their values (RFC 9111 section 4.1)."""

    @property
    def fetched_at(self) -> int | None:
        """When it was fetched, or confirmed by a 304."""

    @property
    def checked_at(self) -> int | None:
        """When the origin was last asked about it."""

    @property
    def modified_at(self) -> int | None:
        """When the file last changed."""

    @property
    def used_at(self) -> int | None:
        """When it last answered a request, to the minute; ``None`` for people's files."""

    @property
    def age(self) -> int | None:
        """Current age in seconds (RFC 9111 section 4.2.3); of a person's file, since it changed."""

    @property
    def freshness(self) -> str | None:
        """For how long it is fresh, or why it isn't, for people."""

    @property
    def location(self) -> str | None:
        """Where a redirect leads."""

    @property
    def media_type(self) -> str | None:
        """Its stored Content-Type."""

    @property
    def sha256(self) -> str | None:
        """The digest of its record, lower-case hex."""

    @property
    def headers(self) -> _Fields:
        """Its stored fields."""

@final
class Shown:
    """All that is known of a URL."""

    @property
    def url(self) -> str:
        """The canonical URL."""

    @property
    def path(self) -> Path:
        """Where its file lies, or would: the whole path."""

    @property
    def entry(self) -> Entry | None:
        """What lies there."""

    @property
    def variants(self) -> list[Entry]:
        """Further variants of it."""

    @property
    def forecast(self) -> Forecast:
        """What a request would get."""

@final
class Forecast:
    """What a request would get now, and why."""

    @property
    def hit(self) -> bool:
        """Whether the tree answers it, without upstream."""

    @property
    def status(self) -> int | None:
        """The status code; ``None`` where upstream is asked first."""

    @property
    def cache_status(self) -> str:
        """``Cache-Status`` (RFC 9211), as far as it is known before upstream is asked."""

    @property
    def words(self) -> str:
        """The same for people."""

@final
class Removed:
    """What was removed, or would be."""

    @property
    def gone(self) -> list[Entry]:
        """Those that went."""

    @property
    def kept(self) -> list[Entry]:
        """People's files, which stay without ``force``."""

    @property
    def forgotten(self) -> bool:
        """Whether it was known that the origin only adds a slash there, which is forgotten now."""

@final
class Verified:
    """What the comparison of a file with its record came to."""

    @property
    def result(self) -> str:
        """``whole``, ``broken``, ``person`` (an edit or a file of theirs), ``status`` (has no bytes
        of its own), or ``gone`` (removed or replaced meanwhile).
        """

    @property
    def found(self) -> str | None:
        """SHA-256 of what is broken, lower-case hex."""

    @property
    def recorded(self) -> str | None:
        """SHA-256 of its record."""

    @property
    def dropped(self) -> bool:
        """Whether it was removed."""

@final
class Counts:
    """Counts of one host, or of all. Times are milliseconds since 1970."""

    @property
    def entries(self) -> int:
        """Bodies and statuses of cachy's, variants included."""

    @property
    def bytes(self) -> int:
        """Bytes of their bodies."""

    @property
    def meta_bytes(self) -> int:
        """Bytes of their metadata."""

    @property
    def statuses(self) -> int:
        """Those among them that are 404s, 410s or redirects."""

    @property
    def variants(self) -> int:
        """Those among them that are further variants of a URL."""

    @property
    def people(self) -> int:
        """People's files."""

    @property
    def people_bytes(self) -> int:
        """Their bytes."""

    @property
    def undecided(self) -> int:
        """Files of which only the digest would tell whose they are."""

    @property
    def oldest(self) -> int | None:
        """When the oldest entry was fetched or confirmed."""

    @property
    def least_used(self) -> int | None:
        """When the least recently used entry was used."""

    @property
    def last_used(self) -> int | None:
        """When the most recently used entry was used."""

@final
class Stats:
    """The tree in numbers."""

    @property
    def all(self) -> Counts:
        """Of everything."""

    @property
    def hosts(self) -> dict[str, Counts]:
        """By host, with its port where it isn't the scheme's own."""

@final
class Pruned:
    """What was evicted, or would be."""

    @property
    def entries(self) -> int:
        """How many URLs."""

    @property
    def bytes(self) -> int:
        """Their bytes, metadata included."""

    @property
    def urls(self) -> list[str]:
        """Which, in the order in which they went."""

    @property
    def busy(self) -> int:
        """How many should have gone and are being read, fetched or used again."""

    @property
    def orphans(self) -> int:
        """Records of files that were gone."""

    @property
    def left_entries(self) -> int:
        """URLs that are left, people's files apart."""

    @property
    def left_bytes(self) -> int:
        """Their bytes, metadata included."""

    @property
    def elsewhere(self) -> bool:
        """Another process is at it, and nothing was done."""

@final
class Miss:
    """A URL that was asked for in vain."""

    @property
    def url(self) -> str:
        """The canonical URL."""

    @property
    def when(self) -> int:
        """When it was first asked for, milliseconds since 1970."""

    @property
    def accept(self) -> str | None:
        """The request's Accept field, where it had one."""

def join_siblings(folder: str | PathLike[str], number: int, all: int) -> None:
    """Lets this process count together with others: what one tells of runs and statistics is the sum.

    Args:
        folder: Where they find each other; for their user alone.
        number: Which of them this is.
        all: How many there are.

    Raises:
        OSError: Nobody can reach it there.
    """

def parse_size(text: str) -> int:
    """A size in bytes.

    Args:
        text: Such as ``10GB``, ``500MB``, ``1.5GiB`` or ``4096``.

    Raises:
        ValueError: It is none.
    """

def parse_max_size(text: str) -> int | None:
    """``cachy_max_size`` in bytes; ``None`` where it is empty, which is unlimited.

    Args:
        text: As for `parse_size`.

    Raises:
        ValueError: It is no size, or 0; the message names the option.
    """

def parse_span(text: str) -> int:
    """A time span in seconds.

    Args:
        text: Such as ``30d``, ``12h`` or ``1h 30m``.

    Raises:
        ValueError: It is none.
    """

def default_directory() -> str:
    """The folder where the user named none: ``$CACHY_DIR``, ``$XDG_CACHE_HOME/cachy`` or
    ``~/.cache/cachy`` (XDG Base Directory Specification).
    """

def system_ca_bundle() -> str | None:
    """The system's bundle of root certificates, where one is found."""

def is_private_host(host: str) -> bool:
    """Whether a host belongs to a private network, by its name or address alone."""

def this_machine() -> tuple[list[str], list[str]]:
    """This machine's names, its own before others that mean loopback here, and the addresses of its
    interfaces.
    """

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
