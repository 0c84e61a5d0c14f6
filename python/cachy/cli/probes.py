"""Asks each client that is found on this machine whether it uses the proxy and trusts its CA, in the
environment as it is."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cachy.cli import java
from cachy.cli.checks import Finding
from cachy.cli.programs import Programs

#: Seconds for one of them.
TIMEOUT = 30

#: What they say is judged by its words. With C, and with no other, LANGUAGE says nothing.
ENGLISH = {"LC_ALL": "C"}

#: Goes by CONNECT, as every client of Node's does that knows of proxies.
NODE = """
const [url, proxy] = [new URL(process.argv[1]), new URL(process.env.https_proxy || process.env.HTTPS_PROXY)];
const done = (text) => { console.log(text); process.exit(text.startsWith("HTTP ") ? 0 : 1); };
require("http").request({ host: proxy.hostname, port: proxy.port, method: "CONNECT",
  path: url.hostname + ":443" }).on("connect", (_, socket) => {
    require("https").get({ host: url.hostname, path: url.pathname,
      createConnection: () => require("tls").connect({ socket, servername: url.hostname }) },
      (reply) => done("HTTP " + reply.statusCode)).on("error", (e) => done(String(e)));
  }).on("error", (e) => done(String(e))).end();
"""
URLLIB = "import sys, urllib.request as u; u.urlopen(sys.argv[1])"
REQUESTS = "import sys, requests; print('HTTP', requests.get(sys.argv[1], timeout=20).status_code)"


@dataclass(frozen=True)
class Probe:
    """How to make a client ask."""

    name: str
    program: str
    arguments: Sequence[str]
    """With ``{url}`` for something that is there, ``{none}`` for something that is not, and ``{folder}``
    for an empty folder."""
    env: Mapping[str, str] = field(default_factory=dict)
    helper: str | None = None
    """The program that asks, where it is another and not on the path."""


PROBES = (
    Probe("curl", "curl", ["-sS", "-o", os.devnull, "{url}"]),
    Probe("wget", "wget", ["-nv", "--tries=1", "-O", os.devnull, "{url}"]),
    Probe("git", "git", ["ls-remote", "{none}"], {"GIT_TERMINAL_PROMPT": "0"}),
    Probe(
        "pip",
        "pip",
        ["download", "-q", "--no-deps", "--no-cache-dir", "--retries", "0", "-d", "{folder}"]
        + ["{none}/cachy-1-py3-none-any.whl"],
    ),
    Probe(
        "uv",
        "uv",
        ["pip", "install", "-q", "--no-deps", "--no-cache", "--no-config", "--dry-run"]
        + ["--target", "{folder}", "cachy @ {none}/cachy-1-py3-none-any.whl"],
        {"UV_HTTP_RETRIES": "0"},
    ),
    Probe("python", "python3", ["-c", URLLIB, "{url}"]),
    Probe("python requests", "python3", ["-c", REQUESTS, "{url}"]),
    Probe("node", "node", ["-e", NODE, "{url}"]),
    Probe(
        "npm",
        "npm",
        ["view", "cachy", "--registry", "{none}/", "--cache", "{folder}", "--fetch-retries=0"],
    ),
    Probe(
        "cargo",
        "cargo",
        ["search", "--registry", "cachy", "x"],
        {"CARGO_REGISTRIES_CACHY_INDEX": "sparse+{none}/", "CARGO_NET_RETRY": "0"},
    ),
    Probe(
        "apt",
        "apt-get",
        ["download-file", "{url}", "{folder}/ca"],
        helper="/usr/lib/apt/apt-helper",
    ),
)

#: It got an answer, though none that it can do something with: in words that come from nowhere else.
ANSWERED = re.compile(
    r"repository '[^']*' not found|config\.json not found|HTTP error 40\d|E40\d\b|\(40\d |error: 40\d|HTTP 200"
)
UNTRUSTED = re.compile(r"certificate|SSL|TLS|self.signed|issuer", re.IGNORECASE)
ASTRAY = re.compile(
    r"resolve|ENOTFOUND|getaddrinfo|name or service|dns error|Invalid URL", re.IGNORECASE
)
#: The client itself is not there.
ABSENT = re.compile(
    r"No module named|command not found|is not installed|no such command|not usable"
)


def ask(probe: Probe, url: str, mend: str, programs: Programs, place: Path) -> Finding | None:
    """Has one client ask; ``None`` where it is not found.

    Args:
        probe: The client.
        url: What is there: the proxy's own CA.
        mend: What makes it right.
        programs: What runs it.
        place: For a folder of its own.

    Raises:
        Over: Nothing more is started.
    """
    program = shutil.which(probe.program)
    if program is None or (probe.helper and not os.access(probe.helper, os.X_OK)):
        return None
    program = probe.helper or program
    folder = place / probe.name
    fields = {"url": url, "none": url.rpartition("/")[0] + "/doctor", "folder": str(folder)}
    words = [
        word if "{" not in word or "\n" in word else word.format(**fields)
        for word in probe.arguments
    ]
    env = os.environ | ENGLISH | {n: v.format(**fields) for n, v in probe.env.items()}
    try:
        code, said = programs.run([program, *words], env, folder, TIMEOUT)
    except TimeoutError:
        return Finding(probe.name, "bad", f"no answer within {TIMEOUT} s", mend)
    except OSError as error:
        return Finding(probe.name, "unknown", f"{program}: {error.strerror}")
    return judge(probe.name, code, said, mend)


def judge(name: str, code: int, said: str, mend: str) -> Finding | None:
    """What a client's end tells.

    Args:
        name: The client.
        code: Its exit code.
        said: What it printed.
        mend: What makes it right.
    """
    if code == 0 or ANSWERED.search(said):
        return Finding(name, "good", "uses the proxy and trusts its CA")
    if ABSENT.search(said):
        return None
    if ASTRAY.search(said):
        return Finding(name, "bad", "does not use the proxy", mend)
    if UNTRUSTED.search(said):
        return Finding(name, "bad", "does not trust the proxy's CA", mend)
    lines = [line for line in said.strip().splitlines() if line.strip()]
    return Finding(name, "bad", lines[-1].strip()[:200] if lines else f"ended with {code}", mend)


def java_settings(ca: str, mend: str) -> Finding | None:
    """Whether Java's options name the proxy and a store with its CA: starting one takes too long."""
    home = java.home(os.environ)
    if home is None:
        return None
    options = os.environ.get("JAVA_TOOL_OPTIONS", "")
    if "-Dhttps.proxyHost=" not in options:
        return Finding("java", "bad", "does not use the proxy (JAVA_TOOL_OPTIONS)", mend)
    found = re.search(r"-Djavax\.net\.ssl\.trustStore=('([^']*)'|(\S+))", options)
    store = Path((found[2] or found[3]) if found else "/nonexistent")
    # Its name is made of the CA and of Java's own roots.
    if not store.is_file() or store != java.place(ca, store.parent, os.environ):
        return Finding("java", "bad", "does not trust the proxy's CA (JAVA_TOOL_OPTIONS)", mend)
    return Finding("java", "good", "its options name the proxy and a store with its CA")
