"""A program: one pip install through a proxy of its own, which may run where there is no network.

Usage: python install.py ADDON CONFDIR CACHY_DIR TARGET PACKAGE...
"""

import contextlib
import fcntl
import os
import re
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

SIOCSIFFLAGS = 0x8914
IFF_UP = 1


def bring_loopback_up() -> None:
    """A new network namespace has it down; elsewhere it is up already."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh", b"lo", IFF_UP)
        # Not permitted: then it isn't a namespace of our own.
        with contextlib.suppress(PermissionError):
            fcntl.ioctl(sock, SIOCSIFFLAGS, request)


def clean() -> dict[str, str]:
    """The environment without what steers pip, but for the index that is to be used here."""
    ours = ("PIP_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    index = os.environ.get("PIP_INDEX_URL")
    return kept | ({"PIP_INDEX_URL": index} if index else {})


def main(addon: str, confdir: str, cachy_dir: str, target: str, *packages: str) -> int:
    """Starts the proxy, installs, prints the proxy's log, and returns pip's status."""
    bring_loopback_up()
    log = Path(target + ".log")
    mitmdump = Path(sys.executable).with_name("mitmdump")
    options = [f"confdir={confdir}", f"cachy_dir={cachy_dir}", "flow_detail=1"]
    command = [str(mitmdump), "-s", addon, "--listen-host", "127.0.0.1", "--listen-port", "0"]
    command += [part for option in options for part in ("--set", option)]
    with log.open("w") as out:
        proxy = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=clean())
    try:
        deadline = time.monotonic() + 30
        while not (found := re.search(r"listening at 127\.0\.0\.1:(\d+)", log.read_text())):
            if proxy.poll() is not None or time.monotonic() > deadline:
                print(log.read_text())
                return 99
            time.sleep(0.05)
        pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check"]
        pip += ["--proxy", f"http://127.0.0.1:{found[1]}", "--retries", "0", "--timeout", "15"]
        pip += ["--cert", f"{confdir}/mitmproxy-ca-cert.pem"]
        pip += ["install", "--no-cache-dir", "--no-deps", "--only-binary", ":all:"]
        if index := os.environ.get("PIP_INDEX_URL"):
            pip += ["--index-url", index]
        pip += ["--target", target, *packages]
        return subprocess.run(pip, check=False, env=clean()).returncode
    finally:
        proxy.terminate()
        proxy.wait(10)
        print(log.read_text())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
