"""The records of an established TLS connection, by OpenSSL itself: what pyOpenSSL puts around each call
takes as long as the calls, and half of what is asked of it for a small hit is an exception.
"""

from typing import Any

from OpenSSL import SSL

_lib: Any = SSL._lib  # type: ignore[attr-defined]
_ffi: Any = SSL._ffi  # type: ignore[attr-defined]

#: Bytes taken from OpenSSL at once.
SIZE = 288 * 1024
#: For all connections, one after the other: the event loop has one thread.
_scratch = _ffi.new("char[]", SIZE)
_view = _ffi.buffer(_scratch)


class Ended(Exception):
    """The client has ended TLS, or has broken it; pyOpenSSL tells which."""


class Records:
    """Both directions of one connection, which has memory for its transport."""

    def __init__(self, connection: SSL.Connection) -> None:
        of: Any = connection
        self.ssl, self.incoming, self.outgoing = of._ssl, of._into_ssl, of._from_ssl
        #: The client has said that it sends no more (RFC 8446 section 6.1).
        self.ended = False

    def decrypt(self, data: bytes) -> bytes:
        """What the client has sent.

        Args:
            data: As it came, perhaps nothing.

        Returns:
            What could be read, empty where no record is whole.

        Raises:
            Ended: There is nothing more to read.
        """
        if data:
            _lib.BIO_write(self.incoming, data, len(data))
        plain = b""
        while (size := _lib.SSL_read(self.ssl, _scratch, SIZE)) > 0:
            plain = plain + _view[:size] if plain else _view[:size]
        self.ended = size == 0
        if not plain and _lib.SSL_get_error(self.ssl, size) != _lib.SSL_ERROR_WANT_READ:
            # It would be taken for the next connection's.
            _lib.ERR_clear_error()
            raise Ended
        return plain

    def encrypt(self, plain: bytes) -> bytes:
        """What is to be sent, nothing where the client takes nothing any more.

        Args:
            plain: Not empty.
        """
        done, whole = _lib.SSL_write(self.ssl, plain, len(plain)), len(plain)
        if 0 < done < whole:
            # OpenSSL takes one record after the other.
            start = _ffi.from_buffer(plain)
            while 0 < done < whole:
                more = _lib.SSL_write(self.ssl, start + done, whole - done)
                done = done + more if more > 0 else 0
        if done <= 0:
            _lib.ERR_clear_error()
            return b""
        size = _lib.BIO_read(self.outgoing, _scratch, SIZE)
        out: bytes = _view[:size]
        while size == SIZE:
            size = _lib.BIO_read(self.outgoing, _scratch, SIZE)
            if size > 0:
                out += _view[:size]
        return out
