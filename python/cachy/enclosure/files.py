"""The files by which programs find names and roots of trust, and what covers them inside."""

import re
import shutil
import socket
from pathlib import Path

from cachy._core import cover

#: Where systems keep the roots that they trust, in one file.
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch, NixOS
    "/etc/ssl/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",  # Alpine
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/var/lib/ca-certificates/ca-bundle.pem",
    "/etc/pki/tls/cert.pem",  # Fedora
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ca-certificates/extracted/tls-ca-bundle.pem",  # Arch
)

_NAMES = ("resolv.conf", "nsswitch.conf", "hosts")
#: Its socket answers for the system outside.
_NSCD = ("/run/nscd", "/var/run/nscd")


def prepare(folder: Path, bundle: Path) -> None:
    """Writes what `put_in_place` needs.

    Args:
        folder: Where to.
        bundle: The roots that are trusted inside, as PEM.

    Raises:
        OSError: There is no such bundle, or no room.
    """
    (folder / "empty").mkdir()
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    (folder / "hosts").write_text(
        "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
        f"127.0.1.1 {socket.gethostname()}\n"
    )
    try:
        switch = Path("/etc/nsswitch.conf").read_text(errors="surrogateescape")
    except OSError:
        switch = ""
    switch = re.sub(r"(?m)^\s*hosts:.*\n?", "", switch)
    (folder / "nsswitch.conf").write_text(f"hosts: files dns\n{switch}", errors="surrogateescape")
    shutil.copyfile(bundle, folder / "bundle.pem")
    for file in folder.iterdir():
        file.chmod(0o755 if file.is_dir() else 0o644)


def put_in_place(folder: Path) -> None:
    """Covers what this system has of these files.

    Raises:
        OSError: The kernel forbids it.
    """
    covers = {f"/etc/{name}": name for name in _NAMES}
    covers |= dict.fromkeys(BUNDLES, "bundle.pem") | dict.fromkeys(_NSCD, "empty")
    done = set()
    for target, source in covers.items():
        # One may be a link to another. What isn't there needs no cover: the C library's defaults
        # are the name service on this machine, and it alone.
        real = Path(target).resolve()
        if real.exists() and real not in done:
            done.add(real)
            cover(real, folder / source)
