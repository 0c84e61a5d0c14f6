"""What `cachy serve` tells when it listens."""

from collections.abc import Sequence
from pathlib import Path

from cachy import __version__
from cachy.cli import nearby, through
from cachy.cli.terminal import aside, console
from cachy.listening import Listening

#: Addresses for others that are told.
MOST = 3


def welcome(
    listening: Listening, directory: Path, machine: Sequence[str], remark: str | None
) -> None:
    """Tells where it listens and what to do next.

    Args:
        listening: Where it listens.
        directory: The tree.
        machine: All addresses of this machine.
        remark: What else is to be told.
    """
    host, port = listening.addresses[0]
    open_to_all = [
        f"port {number} of {address or 'all addresses'}"
        for address, number in dict.fromkeys(listening.addresses)
        if not through.is_loopback(address)
    ]
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    url = str(through.Proxy(near, port))
    proxy = "" if url == through.DEFAULT else f" --proxy {url}"
    out = console()
    lines = [
        f"cachy {__version__} listens on {url}",
        "",
        f'  a shell        eval "$(cachy env{proxy})"',
        f"  one command    cachy run --proxy {url} -- CMD",
        f"  what is wrong  cachy doctor{proxy}",
        f"  the tree       {directory}",
        f"  the CA         {listening.ca_pem}",
        *for_others(host, port, machine),
    ]
    for line in lines:
        out.print(line, soft_wrap=True)
    out.file.flush()
    if remark:
        aside().print(f"cachy: {remark}", soft_wrap=True)
    if open_to_all:
        aside().print(
            f"cachy: it listens to the world ({', '.join(open_to_all)}): whoever reaches that fetches by "
            "way of this machine, and has all that is in the tree",
            soft_wrap=True,
        )


def for_others(host: str, port: int, machine: Sequence[str]) -> list[str]:
    """What other machines need, where they reach it."""
    urls = [str(through.Proxy(address, port)) for address in nearby.addresses(host, machine)]
    if not urls:
        return []
    url = urls[0]
    script = f"curl -fsS http://{through.HOST}/setup.sh | sh"
    return [
        "",
        f"  other machines {' or '.join(urls[:MOST])}",
        f'    with cachy   eval "$(cachy env --proxy {url})"',
        f"    without      export http_proxy={url} https_proxy={url}; {script}",
    ]
