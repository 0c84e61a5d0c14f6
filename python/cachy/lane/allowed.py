"""Whether connections may take the lane: not where somebody wants to see every request, or to change what
mitmproxy does with it.
"""

from typing import Any

from mitmproxy import ctx
from mitmproxy.proxy import mode_specs

#: Hooks by which an addon sees requests, responses, and connections as they become HTTP.
SEEING = (
    "requestheaders",
    "request",
    "responseheaders",
    "response",
    "http_connect",
    "http_connected",
    "next_layer",
    "tls_clienthello",
    "tls_start_client",
    "tls_established_client",
)
#: mitmproxy's own addons do nothing with requests as long as these are so, or not set.
QUIET: dict[str, Any] = {
    "add_upstream_certs_to_client_chain": False,
    "allow_hosts": [],
    "anticache": False,
    "anticomp": False,
    "block_list": [],
    "body_size_limit": None,
    "certs": [],
    "connection_strategy": "lazy",
    "dumper_filter": None,
    "flow_detail": (0, 1),
    "hardump": "",
    "ignore_hosts": [],
    "map_local": [],
    "map_remote": [],
    "modify_body": [],
    "modify_headers": [],
    "proxy_debug": False,
    "proxyauth": None,
    "request_client_cert": False,
    "save_stream_file": None,
    "server_replay": [],
    "server_replay_kill_extra": False,
    "stickyauth": None,
    "stickycookie": None,
    "tcp_hosts": [],
    "upstream_cert": False,
}
#: Of mitmproxy's own addons, those that show every request to a person.
SHOWING = ("mitmproxy.addons.view", "mitmproxy.tools.web", "mitmproxy.tools.console")
#: How clients come to the proxy.
MODES = (mode_specs.RegularMode, mode_specs.UpstreamMode, mode_specs.TransparentMode)


def is_allowed() -> bool:
    """Whether the lane may be taken as things are, should the option leave it to us."""
    return is_quiet() and not any(sees(addon) for addon in ctx.master.addons.chain)


def is_quiet() -> bool:
    """Whether no option wants mitmproxy to look at requests."""
    for name, value in QUIET.items():
        if name not in ctx.options:
            continue
        found = getattr(ctx.options, name)
        if found not in value if isinstance(value, tuple) else found != value:
            return False
    return True


def sees(addon: Any) -> bool:
    """Whether an addon, or one below it, wants to see requests."""
    module = getattr(addon, "__module__", None) or type(addon).__module__
    if module.startswith(SHOWING):
        return True
    if module.startswith("mitmproxy.") or module.split(".")[0] == "cachy":
        seen = False
    else:
        seen = any(callable(getattr(addon, hook, None)) for hook in SEEING)
    return seen or any(sees(each) for each in getattr(addon, "addons", ()))
