"""Sockets to a proxy: the tunnel, TLS, and reading without losing a byte."""

import socket
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from .message import Headers, Url


class Target(Protocol):
    """What a client must know of a proxy."""

    host: str
    port: int

    @property
    def ca_pem(self) -> Path:
        """The CA to trust."""


class Incomplete(Exception):
    """The peer closed before the message was whole; `partial` came."""

    def __init__(self, what: str, partial: bytes = b"") -> None:
        super().__init__(f"{what}, after {len(partial)} bytes")
        self.partial = partial


class Wire:
    """One connection through a proxy, with a buffer for what came."""

    def __init__(
        self,
        proxy: Target,
        url: Url,
        *,
        timeout: float = 10,
        rcvbuf: int | None = None,
        connect: str | None = None,
        connect_headers: Mapping[str, str] | None = None,
        sni: str | None = None,
        verify: bool = True,
        alpn: tuple[str, ...] = (),
        tunnel: bool | None = None,
        pause: float = 0,
        tls: bool | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.buffer = bytearray()
        self.sock = socket.socket()
        if rcvbuf is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect((proxy.host, proxy.port))
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tunnel if tunnel is not None else url.scheme == "https":
                authority = connect or f"{url.authority_host}:{url.port}"
                self._connect(authority, connect_headers or {})
            time.sleep(pause)
            if tls if tls is not None else url.scheme == "https":
                context = context or self._context(proxy, verify)
                if alpn:
                    context.set_alpn_protocols(list(alpn))
                name = url.host if sni is None else sni
                self.sock = context.wrap_socket(self.sock, server_hostname=name or None)
        except BaseException:
            self.sock.close()
            raise

    def _connect(self, authority: str, headers: Mapping[str, str]) -> None:
        lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode())
        status, reason, _ = self.read_head()
        if status != 200:
            raise ConnectionRefusedError(f"CONNECT: {status} {reason}")

    def _context(self, proxy: Target, verify: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if verify:
            context.load_verify_locations(proxy.ca_pem)
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def fill(self, deadline: float | None = None) -> bool:
        """Wait for more bytes; False at the end of the stream."""
        if deadline is not None:
            self.sock.settimeout(max(0.001, deadline - time.monotonic()))
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)

    def take(self, size: int) -> bytes:
        """Up to `size` bytes out of the buffer."""
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def read_until(self, mark: bytes) -> bytes:
        """Everything up to and with `mark`."""
        while (end := self.buffer.find(mark)) < 0:
            if not self.fill():
                raise Incomplete("the connection ended", bytes(self.buffer))
        return self.take(end + len(mark))

    def read_head(self) -> tuple[int, str, Headers]:
        """Status, reason and headers of an answer; 1xx are skipped."""
        while True:
            head = self.read_until(b"\r\n\r\n").decode("latin-1")
            first, *lines = head[:-4].split("\r\n")
            _, status, reason = (first + " ").split(" ", 2)
            if not status.startswith("1") or status == "101":
                break
        pairs = (line.partition(":") for line in lines)
        return int(status), reason.strip(), [(k, v.strip()) for k, _, v in pairs]

    def close(self) -> None:
        """Leave."""
        self.sock.close()
