"""The options of the addon. Their help is the manual that ``mitmdump --options`` prints."""

import os
import re
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Optional, Protocol

from mitmproxy import ctx
from mitmproxy.options import CONF_BASENAME
from mitmproxy.optmanager import unset
from mitmproxy.proxy.mode_specs import ProxyMode, UpstreamMode

from cachy import _core
from cachy.straight import is_here

NAMES = frozenset(
    {
        "cachy_dir",
        "cachy_mode",
        "cachy_freshness",
        "cachy_private",
        "cachy_max_size",
        "cachy_host",
        "cachy_lane",
        "cachy_no_proxy",
    }
)
#: One in a PEM file.
CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----\n.*?-----END CERTIFICATE-----\n", re.DOTALL)
LANES = ("auto", "off")
#: The template of the script that installs the CA.
SETUP = Path(__file__).with_name("setup.sh")


class Taker(Protocol):
    """Mitmproxy's loader, or one of its sets of options."""

    def add_option(
        self, name: str, typespec: Any, default: Any, help: str, choices: Any = ...
    ) -> None:
        """Adds one option."""


def declare(loader: Taker) -> None:
    """Adds the options to mitmproxy's."""
    loader.add_option(
        "cachy_dir",
        str,
        str(_core.default_directory()),
        "The folder of the cache: a plain tree of what was fetched, one folder per host.",
    )
    loader.add_option(
        "cachy_mode",
        str,
        "normal",
        "normal: serve what is stored, fetch the rest. offline: never go upstream; what isn't "
        "stored is answered 403 with the path to fill. refresh: ask upstream first and fall back "
        "to what is stored. off: pass everything through.",
        choices=("normal", "offline", "refresh", "off"),
    )
    loader.add_option(
        "cachy_freshness",
        str,
        "auto",
        "When to ask upstream about what is stored. auto: never for a URL that names one version "
        "or a digest; for the rest when the origin's stated freshness is over; where it states "
        "none, each time for an index, a tag, a branch or what is newest, after a tenth of its "
        "age for other files; and when the client asks. forever: never, only removing the file "
        "refreshes.",
        choices=("auto", "forever"),
    )
    loader.add_option(
        "cachy_private",
        bool,
        False,
        "Also store answers to requests that carry Authorization or Cookie, and serve them to "
        "everybody.",
    )
    loader.add_option(
        "cachy_max_size",
        Optional[str],  # noqa: UP045  mitmproxy knows this spelling alone
        None,
        "How large the tree may grow, such as 10GB, 500MB or a number of bytes; unlimited where "
        "unset. What was not used for longest goes first, in the background; never what people "
        "placed, which doesn't count, nor what is being read.",
    )
    loader.add_option(
        "cachy_host",
        str,
        "cachy.internal",
        "The name under which the proxy answers for itself, and which never reaches another host: "
        "http://cachy.internal/ tells what is there.",
    )
    loader.add_option(
        "cachy_lane",
        str,
        "auto",
        "auto: what is stored goes to HTTP/1.1 clients past mitmproxy's flows, many times as fast, "
        "unless another addon or an option of mitmproxy wants to see or change requests. off: "
        "every request is a flow.",
        choices=LANES,
    )
    loader.add_option(
        "cachy_no_proxy",
        str,
        "",
        "Hosts that are asked directly although mitmproxy uses another proxy (--mode upstream:), "
        "spelled as in NO_PROXY: names with their subdomains, addresses, networks such as "
        "10.0.0.0/8, each with or without a :port; * for all.",
    )


def lane() -> str:
    """``cachy_lane``.

    Raises:
        ValueError: It is something else; the message says how to mend it.
    """
    value: str = ctx.options.cachy_lane
    if value not in LANES:
        raise ValueError(f'cachy_lane is "{value}": use {" or ".join(LANES)}')
    return value


def certificate() -> Path:
    """The certificate of mitmproxy's CA, which clients have to trust; not its key. Made where somebody has
    given mitmproxy a CA of his own, which is one file with both.
    """
    folder = Path(ctx.options.confdir).expanduser().absolute()
    found, whole = (folder / f"{CONF_BASENAME}-{name}.pem" for name in ("ca-cert", "ca"))
    if not found.exists():
        # Where it is not to be written, the certificate is not served, and says why.
        with suppress(OSError):
            write(found, b"".join(CERTIFICATE.findall(whole.read_bytes())))
    return found


def write(path: Path, text: bytes) -> None:
    """Makes a file that all may read, whole or not at all. Nothing makes none."""
    if text:
        with NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(text)
        os.chmod(file.name, 0o644)
        os.replace(file.name, path)


def is_chained() -> bool:
    """Whether upstream is asked by way of another proxy on this machine, such as another cachy."""
    modes = [ProxyMode.parse(spec) for spec in ctx.options.mode]
    hosts = [mode.address[0] for mode in modes if isinstance(mode, UpstreamMode)]
    return any(host == "localhost" or is_here(host) for host in hosts)


def given() -> str:
    """What of our options was given at the start and isn't set yet, which mitmproxy doesn't say."""
    waiting = sorted(NAMES & ctx.options.deferred.keys())
    values = [getattr(ctx.options.deferred[name], "val", []) for name in waiting]
    return ", ".join(f"{n}={', '.join(v)}" for n, v in zip(waiting, values, strict=True))


def unknown() -> str | None:
    """What is wrong with the names of options that were given, where something is."""
    names = [n for n in ctx.options.deferred if n.startswith("cachy_") and n not in NAMES]
    if not names:
        return None
    return f"no such option: {', '.join(names)}; there are {', '.join(sorted(NAMES))}"


def suit_mitmproxy() -> None:
    """Sets what a cache needs of mitmproxy's own options, unless the user set it.

    With mitmproxy's defaults every CONNECT opens a connection to the origin first, and upstream
    certificates are checked against a list that no company's CA is on.
    """
    wanted: dict[str, str | bool | None] = {
        "connection_strategy": "lazy",
        "upstream_cert": False,
    }
    if ctx.options.ssl_verify_upstream_trusted_confdir is None:
        bundle = _core.system_ca_bundle()
        wanted["ssl_verify_upstream_trusted_ca"] = None if bundle is None else str(bundle)
    options = ctx.options._options
    # A user who sets what is mitmproxy's default means it.
    ours = {name: value for name, value in wanted.items() if options[name].value is unset}
    ctx.options.update(**ours)
