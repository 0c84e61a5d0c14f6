"""The words of `NO_PROXY`."""

import pytest

from cachy.no_proxy import is_direct


@pytest.mark.parametrize(
    ("text", "host", "port", "direct"),
    [
        ("", "h.example", 443, False),
        ("h.example", "h.example", 443, True),
        ("h.example", "H.Example.", 443, True),
        ("h.example", "a.b.h.example", 443, True),
        ("h.example", "ah.example", 443, False),
        ("h.example", "example", 443, False),
        (".h.example", "a.h.example", 443, True),
        (".h.example", "h.example", 443, True),
        ("*.h.example", "a.h.example", 443, True),
        ("*.h.example", "ah.example", 443, False),
        ("H.EXAMPLE.", "h.example", 443, True),
        ("a.example, h.example", "h.example", 443, True),
        ("a.example h.example", "h.example", 443, True),
        (",, ,", "h.example", 443, False),
        ("*", "h.example", 443, True),
        ("a.example,*", "192.0.2.1", 80, True),
        ("h.example:8443", "h.example", 8443, True),
        ("h.example:8443", "a.h.example", 8443, True),
        ("h.example:8443", "h.example", 443, False),
        ("192.0.2.1", "192.0.2.1", 80, True),
        ("192.0.2.1", "192.0.2.10", 80, False),
        ("192.0.2.1:80", "192.0.2.1", 80, True),
        ("192.0.2.1:80", "192.0.2.1", 443, False),
        ("192.0.2.0/24", "192.0.2.77", 443, True),
        ("192.0.2.9/24", "192.0.2.77", 443, True),
        ("192.0.2.0/24", "192.0.3.77", 443, False),
        ("192.0.2.0/24", "h.example", 443, False),
        ("192.0.2.0/99", "192.0.2.0", 443, False),
        ("0.2", "192.0.0.2", 443, False),
        ("::1", "::1", 443, True),
        ("[::1]", "[0:0::1]", 443, True),
        ("[::1]:8080", "::1", 8080, True),
        ("[::1]:8080", "::1", 80, False),
        ("2001:db8::/32", "2001:db8::7", 443, True),
        ("192.0.2.1", "::ffff:192.0.2.1", 443, True),
        ("*.", "h.example", 443, False),
    ],
)
def test_is_direct(text: str, host: str, port: int, direct: bool) -> None:
    """As curl, Go, and Python have it, where they agree."""
    assert is_direct(text, host, port) is direct
