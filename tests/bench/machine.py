"""What it was measured on, and what was measured."""

import hashlib
import os
import platform
import ssl
from importlib.metadata import version
from pathlib import Path

from cachy import __version__, addon_path


def build() -> str:
    """A digest of the installed package, to notice that it was replaced meanwhile."""
    script = addon_path()
    digest = hashlib.sha256()
    for path in [script, *sorted((script.parent / "cachy").rglob("*"))]:
        if path.suffix in (".py", ".so"):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def describe() -> str:
    """In a line."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    model = " ".join((models or [platform.machine()])[0].split())
    return (
        f"{len(os.sched_getaffinity(0))} cores of {model}, Linux {platform.release()}, "
        f"Python {platform.python_version()}, {ssl.OPENSSL_VERSION.rsplit(' ', 3)[0]}, "
        f"mitmproxy {version('mitmproxy')}, cachy {__version__}; load {os.getloadavg()[1]:.1f}"
    )
