"""Which of mitmproxy's modes several processes can share."""

from collections.abc import Sequence


def unshared(arguments: Sequence[str]) -> str | None:
    """A mode among mitmdump's arguments that needs a process of its own, as it isn't TCP alone.

    Args:
        arguments: Those of mitmdump.
    """
    # Takes a while, and is needed here alone.
    from mitmproxy.proxy.mode_specs import ProxyMode

    for option, value in zip(("", *arguments), (*arguments, ""), strict=True):
        spec = value if option in ("-m", "--mode") else option.partition("mode=")[2]
        try:
            if spec and ProxyMode.parse(spec).transport_protocol != "tcp":
                return spec
        except ValueError:
            continue  # mitmproxy says what is wrong with it.
    return None
