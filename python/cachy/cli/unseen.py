"""What to try where the proxy saw nothing of a command that may have used the network."""

from pathlib import Path

#: Connections that were opened, and packets of UDP that were sent, by the table that counts them.
COUNTERS = (("Tcp", "ActiveOpens"), ("Udp", "OutDatagrams"))

SAID = "no request reached the proxy"
CACHE = "if it has a cache of its own, turn that off (pip --no-cache-dir, uv --no-cache)"


def used(file: Path = Path("/proc/net/snmp")) -> int | None:
    """How often programs in this network namespace have used the network, this machine itself included;
    ``None`` where the system does not tell.
    """
    try:
        rows = [line.split() for line in file.read_text().splitlines()]
        # Two lines for each table: the names, and the numbers.
        tables = {names[0]: dict(zip(names, row, strict=True)) for names, row in pairs(rows)}
        return sum(int(tables[f"{table}:"][name]) for table, name in COUNTERS)
    except (OSError, ValueError, LookupError):
        return None


def pairs(rows: list[list[str]]) -> list[tuple[list[str], list[str]]]:
    """Each first line with its second."""
    return list(zip(rows[::2], rows[1::2], strict=True))


def hint(
    before: int | None, after: int | None, *, transparent: bool, offline: bool, spared: str = ""
) -> str | None:
    """What to try, where no request was seen. ``None``: nobody used the network meanwhile, and so not the
    command.

    Args:
        before: What `used` said when the command began.
        after: And when it had ended.
        transparent: It ran with ``--transparent``.
        offline: It ran with ``--offline``.
        spared: The hosts of the caller's ``NO_PROXY``.
    """
    if before is not None and before == after:
        return None
    if transparent:
        first = "only ports 80 and 443 lead there, and the command has to trust the proxy's CA"
    else:
        first = "if the command ignores proxy variables, try --transparent"
    own = f"; hosts of NO_PROXY ({spared}) are asked past the proxy" if spared else ""
    last = "; --offline holds only for requests that reach the proxy" if offline else ""
    return f"{SAID}. If the command used the network: {first}; {CACHE}{own}{last}"
