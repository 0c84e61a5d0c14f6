"""Prints characters that the encoding of standard output does not have."""

import codecs
import io
import sys

#: Replacements. Other characters are printed as escapes, such as ``\xfc``.
LIKE = {"✓": "+", "✗": "x", "–": "-", "→": "->", "…": "..."}
#: The name of the handler (`codecs.register_error`).
HANDLER = "cachy"


def stand_in(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replaces the first character that can't be encoded (an error handler of `codecs`).

    Returns:
        The replacement, and the index at which to continue.

    Raises:
        UnicodeError: The error is not about encoding.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    if "\udc80" <= character <= "\udcff":
        # A byte of a file name that is not text (PEP 383).
        return bytes([ord(character) - 0xDC00]), error.start + 1
    return LIKE.get(character) or character.encode("unicode_escape").decode(), error.start + 1


def spare() -> None:
    """Makes standard output and error accept every character, in any locale."""
    codecs.register_error(HANDLER, stand_in)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)


def has_all() -> bool:
    """Whether standard output can encode every character."""
    return codecs.lookup(getattr(sys.stdout, "encoding", None) or "ascii").name.startswith("utf")
