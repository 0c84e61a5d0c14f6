"""What makes each client use a proxy and trust its CA: one table of variables.

By trial, and by each client's manual. A variable of the table wins over what was set before, in the
environment and in the client's own files.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Variable:
    """One variable."""

    name: str
    value: str | None
    """With the fields of `Values` in braces; ``None``: it is taken away."""
    clients: str
    """Who reads it."""
    proxy: bool = False
    """Whether it leads to the proxy, and is not about trust alone."""


@dataclass(frozen=True)
class Values:
    """What stands in the braces."""

    proxy: str
    """The proxy's URL."""
    direct: str
    """Hosts that are asked directly, with commas."""
    bundle: str
    """The file of roots: the system's and the proxy's."""
    wgetrc: str
    """The file for wget."""
    apt: str
    """The file for apt."""


def _proxy(name: str, clients: str, value: str | None = "{proxy}") -> Variable:
    return Variable(name, value, clients, proxy=True)


def _bundle(name: str, clients: str) -> Variable:
    return Variable(name, "{bundle}", clients)


VARIABLES = (
    # curl reads http_proxy in lower case alone, others prefer the upper.
    _proxy("http_proxy", "all"),
    _proxy("HTTP_PROXY", "all"),
    _proxy("https_proxy", "all"),
    _proxy("HTTPS_PROXY", "all"),
    _proxy("no_proxy", "all", "{direct}"),
    _proxy("NO_PROXY", "all", "{direct}"),
    # It would lead the rest elsewhere; httpx does not even start where it names a SOCKS proxy.
    _proxy("all_proxy", "all", None),
    _proxy("ALL_PROXY", "all", None),
    _bundle("SSL_CERT_FILE", "OpenSSL, Python, uv, cargo, Go, Ruby, PHP"),
    # What is there is trusted beside the bundle, or in its place.
    Variable("SSL_CERT_DIR", None, "OpenSSL, Python, uv, Go"),
    # It would win over NO_PROXY: see `rcfiles.pip`.
    _proxy("PIP_PROXY", "pip", None),
    _bundle("PIP_CERT", "pip"),
    _bundle("REQUESTS_CA_BUNDLE", "requests, pip"),
    _bundle("CURL_CA_BUNDLE", "curl, requests, pip"),
    _bundle("HTTPLIB2_CA_CERTS", "httplib2"),
    _proxy("npm_config_proxy", "npm, pnpm"),
    _proxy("npm_config_https_proxy", "npm, pnpm"),
    _proxy("npm_config_noproxy", "npm, pnpm", "{direct}"),
    _bundle("npm_config_cafile", "npm, pnpm"),
    # Yarn, too: see YARN.
    _bundle("NODE_EXTRA_CA_CERTS", "Node, Yarn"),
    # For what Node itself asks; from 22.21 and 24.5 on.
    _proxy("NODE_USE_ENV_PROXY", "Node", "1"),
    _proxy("YARN_HTTP_PROXY", "Yarn"),
    _proxy("YARN_HTTPS_PROXY", "Yarn"),
    _proxy("CARGO_HTTP_PROXY", "cargo"),
    _bundle("CARGO_HTTP_CAINFO", "cargo"),
    _bundle("GIT_SSL_CAINFO", "git"),
    Variable("GIT_SSL_CAPATH", None, "git"),
    Variable("WGETRC", "{wgetrc}", "wget"),
    Variable("APT_CONFIG", "{apt}", "apt"),
    _bundle("AWS_CA_BUNDLE", "AWS"),
    _bundle("DENO_CERT", "Deno"),
    _bundle("NIX_SSL_CERT_FILE", "Nix"),
    _bundle("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "gcloud"),
    _bundle("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "gRPC"),
)

#: Yarn's settings for a file of roots, which override Node's, and their variables. Yarn 4 knows the
#: first, Yarn 2 and 3 the second, and each refuses the other's. So only existing ones are replaced.
YARN = {"httpsCaFilePath": "YARN_HTTPS_CA_FILE_PATH", "caFilePath": "YARN_CA_FILE_PATH"}

#: What git takes from ``GIT_CONFIG_COUNT`` and its like, which wins over its files.
GIT = (("http.proxy", "{proxy}"), ("http.sslCAInfo", "{bundle}"))

#: What is above it in a file is the user's.
MARK = "\n# cachy\n"

#: Lines for wget, whose file wins over the variables.
WGET_PROXY = """
# cachy
use_proxy = on
http_proxy = {proxy}
https_proxy = {proxy}
no_proxy = {direct}
"""
WGET_DIRECT = """
# cachy
use_proxy = off
"""
WGET_TRUST = "ca_certificate = {bundle}\n"

#: Lines for curl, whose file wins over the variables, too.
CURL_PROXY = """
# cachy
proxy = "{proxy}"
noproxy = "{direct}"
"""
CURL_DIRECT = """
# cachy
proxy = ""
"""
CURL_TRUST = 'cacert = "{bundle}"\n'

#: Lines for apt, read last of all, so that they win; clearing takes the settings of single hosts away.
APT_DIRECT = """
#clear Acquire::http::Proxy;
#clear Acquire::https::Proxy;
#clear Acquire::http::Proxy-Auto-Detect;
#clear Acquire::http::ProxyAutoDetect;
"""
APT_PROXY = (
    APT_DIRECT
    + """Acquire::http::Proxy "{proxy}";
Acquire::https::Proxy "{proxy}";
"""
)
APT_TRUST = """#clear Acquire::https::CAInfo;
Acquire::https::CAInfo "{bundle}";
"""

#: System properties of Java; Maven and Gradle have them by ``JAVA_TOOL_OPTIONS``.
JAVA_PROXY = (
    ("http.proxyHost", "{host}"),
    ("http.proxyPort", "{port}"),
    ("https.proxyHost", "{host}"),
    ("https.proxyPort", "{port}"),
    ("http.nonProxyHosts", "{not_java}"),
    # Maven's own HTTP client asks for it.
    ("aether.connector.http.useSystemProperties", "true"),
    ("aether.transport.http.useSystemProperties", "true"),
)
JAVA_TRUST = (
    ("javax.net.ssl.trustStore", "{store}"),
    ("javax.net.ssl.trustStorePassword", "{password}"),
)
