"""Many records of TLS at once, by OpenSSL itself and without a copy more than that takes: what pyOpenSSL
puts around each record of a large body takes longer than the record.
"""

from typing import Any

from OpenSSL import SSL

from cachy.intake import SIZE

_lib: Any = SSL._lib  # type: ignore[attr-defined]
_ffi: Any = SSL._ffi  # type: ignore[attr-defined]

#: Bytes that may come out of a piece: what waited for the rest of its record comes out with it.
ROOM = SIZE + 32 * 1024
#: By how many bytes a record may be longer than what it holds (RFC 8446 section 5.2).
ENVELOPE = 256
#: For all connections, one after the other: the event loop has one thread.
_scratch = _ffi.new("char[]", ROOM)
_plain = memoryview(_ffi.buffer(_scratch))
_start = _ffi.new("char **")
_make = _ffi.new_allocator(should_clear_after_alloc=False)


class Bulk:
    """One side's connection, which has memory for its transport."""

    def __init__(self, connection: Any) -> None:
        self.ssl = connection._ssl
        self.incoming, self.outgoing = connection._into_ssl, connection._from_ssl

    def decrypt(self, piece: memoryview) -> tuple[memoryview, bool]:
        """Decrypts what the peer has sent.

        Args:
            piece: As it came, of `SIZE` bytes at most.

        Returns:
            What could be read, good until the next call, and whether that is all there is to it.
        """
        ssl, read, done = self.ssl, _lib.SSL_read, 0
        _lib.BIO_write(self.incoming, _ffi.from_buffer(piece), len(piece))
        while (size := read(ssl, _scratch + done, ROOM - done)) > 0:
            done += size
        waits = _lib.SSL_get_error(ssl, size) == _lib.SSL_ERROR_WANT_READ
        if not waits:
            # It would be taken for the next connection's.
            _lib.ERR_clear_error()
        # What there is to say to it is for mitmproxy to send.
        return _plain[:done], waits and not _lib.BIO_get_mem_data(self.outgoing, _start)

    def encrypt(self, plain: memoryview) -> memoryview:
        """Encrypts what is to be sent.

        Args:
            plain: Not empty.

        Returns:
            What is to be sent, nothing where the peer takes nothing any more.
        """
        ssl, write, start = self.ssl, _lib.SSL_write, _ffi.from_buffer(plain)
        whole, done, most = len(plain), 0, len(plain) + ENVELOPE
        while done < whole:
            # OpenSSL makes one record after the other.
            size = write(ssl, start + done, whole - done)
            if size <= 0:
                _lib.ERR_clear_error()
                return _plain[:0]
            done += size
            most += ENVELOPE
        # Of its own, since the transport may keep it.
        out = _make("char[]", most)
        return memoryview(_ffi.buffer(out, max(_lib.BIO_read(self.outgoing, out, most), 0)))
