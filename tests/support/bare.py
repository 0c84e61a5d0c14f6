"""A bare root: the machine's own programs, and nothing of its settings, trust or state."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import pytest

from clients.run import Run, run

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_BUILD = """
set -e
mount -t tmpfs -o mode=755 tmpfs "$1"
cd "$1"
mkdir -p etc/ssl/certs etc/apt/apt.conf.d etc/apt/preferences.d var/lib/dpkg var/lib/apt/lists/partial \\
    var/cache/apt/archives/partial var/log/apt var/tmp root tmp proc dev run usr
chmod 1777 tmp var/tmp
touch var/lib/dpkg/status etc/environment
for file in passwd group debian_version ca-certificates.conf ld.so.cache alternatives; do
    if [ -e "/etc/$file" ]; then cp -a "/etc/$file" etc/; fi
done
echo 'hosts: files dns' >etc/nsswitch.conf
echo '127.0.0.1 localhost' >etc/hosts
expose() { mkdir -p "$2"; mount --bind "$1" "$2"; mount -o remount,bind,ro "$2"; }
expose /usr usr
mount -t tmpfs -o mode=755 tmpfs usr/local
mkdir usr/local/bin usr/local/share
# What takes long on a machine where much is installed.
printf '#!/bin/sh\\n[ "$1" = /usr ] || exec /usr/bin/find "$@"\\n' >usr/local/bin/find
printf '#!/bin/sh\\n[ "$npm_config_globalconfig" ] && exec /usr/bin/npm "$@"\\n' >usr/local/bin/npm
chmod +x usr/local/bin/*
for name in bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$name" ]; then cp -P "/$name" .; elif [ -d "/$name" ]; then expose "/$name" "$name"; fi
done
mount --rbind /proc proc
for name in null zero random urandom tty; do
    touch "dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
shift
for path; do expose "$path" ".$path"; done
echo ready
exec cat
"""


class Bare:
    """Such a root, in a mount namespace of its own, and on demand in a network of its own.

    Args:
        folder: Where it is put together.
        network: Whether it has a network of its own, with nothing in it.
        needed: What else of the machine is in it, to be read alone.
    """

    def __init__(self, folder: Path, *, network: bool = False, needed: Iterable[Path] = ()) -> None:
        self.root = folder / "root"
        self._network = network
        self._needed = list(needed)

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            pytest.skip("making a bare root takes root")
        for tool in ("unshare", "nsenter"):
            if shutil.which(tool) is None:
                pytest.skip(f"{tool} is not installed")
        self.root.mkdir()
        network = ["--net"] if self._network else []
        command = ["unshare", "--mount", *network, "sh", "-c", _BUILD, "sh", str(self.root)]
        self._process = subprocess.Popen(
            [*command, *(str(path) for path in self._needed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout and self._process.stderr
        if self._process.stdout.readline() != "ready\n":
            trouble = self._process.stderr.read()
            self.__exit__(None, None, None)
            if "permission denied" in trouble or "not permitted" in trouble:
                pytest.skip(f"no bare root here: {trouble}")
            raise RuntimeError(trouble)
        return self

    @property
    def pid(self) -> int:
        """A process in its namespaces."""
        return self._process.pid

    def outside(self, *command: str) -> None:
        """Runs one of the machine's commands in its namespaces, but not in its root."""
        enter = [
            "nsenter",
            f"--target={self.pid}",
            "--mount",
            *(["--net"] if self._network else []),
        ]
        subprocess.run([*enter, *command], check=True)

    def run(self, *command: str, path: str = PATH, **env: str) -> Run:
        """Runs a command in it, with an environment of its own."""
        enter = [
            "nsenter",
            f"--target={self.pid}",
            "--mount",
            *(["--net"] if self._network else []),
        ]
        enter += ["chroot", str(self.root), "env", "-i", f"PATH={path}", "HOME=/root"]
        enter += [f"{name}={value}" for name, value in env.items()]
        return run([*enter, *command], dict(os.environ), self.root.parent)

    def sh(self, script: str, shell: str = "sh", **env: str) -> Run:
        """Runs a script in it."""
        return self.run(*shlex.split(shell), "-c", script, **env)

    def path(self, path: str) -> Path:
        """Where one of its files is seen from outside."""
        return Path("/proc", str(self.pid), "root", str(self.root)[1:], path[1:])

    def write(self, path: str, text: str) -> None:
        """Writes a file in it, with the folders above."""
        real = self.path(path)
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_text(text)

    def state(self) -> str:
        """All that may be changed in it: types, rights, links and digests."""
        script = (
            "cd / && find etc root usr/local -printf '%y %m %U %p %l\\n' | sort"
            " && find etc root usr/local -type f -exec cksum {} + | sort"
        )
        return self.sh(script).ok().output

    def __exit__(self, *_: object) -> None:
        process = self._process
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()
        process.wait(10)
        self.root.rmdir()


def this_python() -> list[Path]:
    """The folders that this Python needs, beyond ``/usr``."""
    paths = {Path(sys.prefix), Path(sys.base_prefix).resolve()}
    found = [path for path in paths if not path.is_relative_to("/usr")]
    if any(path.is_relative_to("/usr/local") for path in paths):
        pytest.skip("this Python lies in /usr/local, which a bare root has for itself")
    return found
