"""The origin's HTTP/2 side."""

import asyncio
import time
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from .message import Headers, HeadersLike, Request, header_list, plain_host
from .origin_h1 import Dispatch, Peer
from .reply import Reply


@dataclass
class _Stream:
    headers: Headers
    body: bytes = b""
    reset: bool = False
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class Http2Connection:
    """One connection; every request is answered in a task of its own."""

    def __init__(self, peer: Peer, dispatch: Dispatch) -> None:
        self._peer = peer
        self._dispatch = dispatch
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="latin-1")
        )
        self.moved = asyncio.Event()
        self.streams: dict[int, _Stream] = {}

    async def flush(self) -> None:
        """Write what h2 has to say; waits while the peer takes nothing."""
        self.push()
        await self._peer.writer.drain()

    def push(self) -> None:
        """Write what h2 has to say."""
        if data := self.h2.data_to_send():
            self._peer.writer.write(data)

    async def serve(self) -> None:
        """Until the peer leaves."""
        self.h2.initiate_connection()
        try:
            await self.flush()
            while data := await self._peer.reader.read(65536):
                for event in self.h2.receive_data(data):
                    self._on(event)
                await self.flush()
        except (ConnectionError, h2.exceptions.ProtocolError):
            pass
        finally:
            for stream in self.streams.values():
                stream.reset = True
                if stream.task:
                    stream.task.cancel()

    def _on(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            pairs = [(str(k), str(v)) for k, v in event.headers or []]
            self.streams[event.stream_id or 0] = _Stream(pairs)
        elif isinstance(event, h2.events.DataReceived):
            self.streams[event.stream_id or 0].body += event.data or b""
            self.h2.acknowledge_received_data(
                event.flow_controlled_length or 0, event.stream_id or 0
            )
        elif isinstance(event, h2.events.StreamEnded):
            self._answer(event.stream_id or 0)
        elif isinstance(event, h2.events.StreamReset):
            self.streams[event.stream_id or 0].reset = True
        elif isinstance(event, h2.events.ConnectionTerminated):
            for stream in self.streams.values():
                stream.reset = True
        self.moved.set()

    def _answer(self, number: int) -> None:
        stream = self.streams[number]
        pseudo = {k: v for k, v in stream.headers if k.startswith(":")}
        request = Request(
            method=pseudo[":method"],
            scheme=pseudo[":scheme"],
            host=plain_host(pseudo.get(":authority", ""), pseudo[":scheme"]),
            target=pseudo[":path"],
            headers=[pair for pair in stream.headers if pair[0] not in pseudo],
            body=stream.body,
            time=time.monotonic(),
            version="2",
            sni=self._peer.sni,
            connection=self._peer.number,
            authority=pseudo.get(":authority", ""),
        )
        reply = Http2Reply(self, number, request.method)
        stream.task = asyncio.create_task(self._run(request, reply))

    async def _run(self, request: Request, reply: "Http2Reply") -> None:
        await self._dispatch(request, reply)
        if not reply.ended:
            reply.abort()


class Http2Reply(Reply):
    """An answer on one stream."""

    def __init__(self, connection: Http2Connection, number: int, method: str) -> None:
        self._connection = connection
        self._number = number
        self._method = method

    def _check(self) -> None:
        if self._connection.streams[self._number].reset:
            raise ConnectionResetError(f"stream {self._number} was reset")

    async def head(
        self,
        status: int = 200,
        headers: HeadersLike | None = None,
        *,
        length: int | None = None,
        chunked: bool = False,
        close: bool = False,
        reason: str | None = None,
    ) -> None:
        """See `Reply.head`; only a length shows, HTTP/2 frames by itself."""
        self._check()
        fields = [(k.lower(), v) for k, v in header_list(headers)]
        if length is not None:
            fields.append(("content-length", str(length)))
        self.started = True
        self._connection.h2.send_headers(self._number, [(":status", str(status)), *fields])
        await self._connection.flush()

    async def send(self, data: bytes | memoryview) -> None:
        """See `Reply.send`."""
        h2 = self._connection.h2
        while len(data):
            self._check()
            room = min(h2.local_flow_control_window(self._number), h2.max_outbound_frame_size)
            if room <= 0:
                self._connection.moved.clear()
                await self._connection.moved.wait()
                continue
            h2.send_data(self._number, bytes(data[:room]))
            self.sent += len(data[:room])
            data = data[room:]
            await self._connection.flush()

    async def end(self) -> None:
        """See `Reply.end`."""
        self._check()
        self.ended = True
        if self.trailers:
            fields = [(k.lower(), v) for k, v in header_list(self.trailers)]
            self._connection.h2.send_headers(self._number, fields, end_stream=True)
        else:
            self._connection.h2.end_stream(self._number)
        await self._connection.flush()

    def abort(self) -> None:
        """See `Reply.abort`: reset the stream."""
        self.ended = True
        stream = self._connection.streams[self._number]
        if not stream.reset:
            stream.reset = True
            self._connection.h2.reset_stream(self._number, h2.errors.ErrorCodes.INTERNAL_ERROR)
            self._connection.push()

    async def raw(self, data: bytes) -> None:
        """See `Reply.raw`."""
        raise NotImplementedError("HTTP/2 has no raw answers")
