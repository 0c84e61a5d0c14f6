"""Characters that a terminal, or a file that we print to, does not have."""

import codecs
import io
import sys

#: What stands for them. Others are written as Python writes them: ``\\xfc``.
LIKE = {"✓": "+", "✗": "x", "–": "-", "→": "->", "…": "..."}
#: The name of the handler (`codecs.register_error`).
HANDLER = "cachy"


def stand_in(error: UnicodeError) -> tuple[str | bytes, int]:
    """Gives what takes the place of the first character that can't be encoded, and where to go on.

    Raises:
        UnicodeError: It is about something else than encoding.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    if "\udc80" <= character <= "\udcff":
        # A byte of a file's name, which was no character in the first place (PEP 383).
        return bytes([ord(character) - 0xDC00]), error.start + 1
    return LIKE.get(character) or character.encode("unicode_escape").decode(), error.start + 1


def spare() -> None:
    """Has standard output and error take every character, whatever the locale and the variables say."""
    codecs.register_error(HANDLER, stand_in)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)


def has_all() -> bool:
    """Whether standard output has all characters there are."""
    return codecs.lookup(getattr(sys.stdout, "encoding", None) or "ascii").name.startswith("utf")
