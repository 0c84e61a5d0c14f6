"""The two ways to tell the kernel that connections are led elsewhere: nft, and iptables.

Each keeps to what is its own, a table or a chain called ``cachy-INTERFACE``, and changes it in one
transaction.
"""

import json
import os
import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from cachy.cli.terminal import Failure

#: The ports that are led to the proxy.
PORTS = (80, 443)
_LIST = ",".join(str(port) for port in PORTS)
#: Where ordinary users' PATH doesn't look.
_SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"


def found(tool: str) -> str | None:
    """Where a program lies, also for those whose PATH is an ordinary user's."""
    return shutil.which(tool, path=f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM}")


def _run(command: Sequence[str], text: str = "") -> "subprocess.CompletedProcess[str]":
    program = found(command[0])
    if program is None:
        raise Failure(f"{command[0]} is not installed")
    return subprocess.run(
        [program, *command[1:]],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ, LC_ALL="C"),
    )


def _done(command: Sequence[str], text: str = "") -> None:
    done = _run(command, text)
    if done.returncode != 0:
        raise Failure(f"{command[0]} refused: {done.stderr.strip()}")


class Firewall(ABC):
    """The rules for one interface."""

    name: str

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self.own = f"cachy-{interface}"

    @classmethod
    @abstractmethod
    def available(cls) -> bool:
        """Whether its tools are here."""

    @abstractmethod
    def text(self, port: int) -> str:
        """What a person would type for it."""

    @abstractmethod
    def up(self, port: int) -> None:
        """Makes these rules what there is.

        Raises:
            Failure: The tool refused.
        """

    @abstractmethod
    def down(self) -> bool:
        """Removes them; whether there were any.

        Raises:
            Failure: The tool refused.
        """

    @abstractmethod
    def port(self) -> int | None:
        """The port that connections are led to now, if any.

        Raises:
            Failure: The tool refused.
        """


class Nft(Firewall):
    """A table of our own, for both families."""

    name = "nft"

    @classmethod
    def available(cls) -> bool:
        """See `Firewall.available`."""
        return found("nft") is not None

    def text(self, port: int) -> str:
        """See `Firewall.text`: for ``nft -f``."""
        return f"""\
table inet {self.own} {{
    chain prerouting {{
        type nat hook prerouting priority dstnat; policy accept;
        iifname "{self.interface}" fib daddr type != local tcp dport {{ {_LIST} }} redirect to :{port}
    }}
}}
"""

    def up(self, port: int) -> None:
        """See `Firewall.up`."""
        # It can't be deleted where it isn't there.
        anew = f"table inet {self.own}\ndelete table inet {self.own}\n"
        _done(["nft", "-f", "-"], anew + self.text(port))

    def down(self) -> bool:
        """See `Firewall.down`."""
        if self._table() is None:
            return False
        _done(["nft", "delete", "table", "inet", self.own])
        return True

    def port(self) -> int | None:
        """See `Firewall.port`."""
        for each in self._table() or []:
            for expression in each.get("rule", {}).get("expr", []):
                if "redirect" in expression:
                    return int(expression["redirect"]["port"])
        return None

    def _table(self) -> list[dict[str, Any]] | None:
        done = _run(["nft", "--json", "list", "table", "inet", self.own])
        if done.returncode == 0:
            listed: list[dict[str, Any]] = json.loads(done.stdout)["nftables"]
            return listed
        if "No such file or directory" in done.stderr:
            return None
        raise Failure(f"nft refused: {done.stderr.strip()}")


class Iptables(Firewall):
    """A chain of our own, in each family's nat table, and the rule that leads to it."""

    name = "iptables"

    @classmethod
    def available(cls) -> bool:
        """See `Firewall.available`."""
        return found("iptables") is not None

    @property
    def _tools(self) -> list[str]:
        return [tool for tool in ("iptables", "ip6tables") if found(tool)]

    @property
    def _jump(self) -> str:
        return f"PREROUTING -i {self.interface} -j {self.own}"

    def text(self, port: int) -> str:
        """See `Firewall.text`: for a shell."""
        script = self._script(port, jump=True)
        return "".join(
            f"{tool}-restore --noflush <<'END'\n{script}END\n" for tool in ("iptables", "ip6tables")
        )

    def _script(self, port: int, jump: bool) -> str:
        lines = ["*nat", f":{self.own} - [0:0]"]
        lines.append(
            f"-A {self.own} -p tcp -m multiport --dports {_LIST} -m addrtype ! --dst-type LOCAL "
            f"-j REDIRECT --to-ports {port}"
        )
        if jump:
            lines.append(f"-A {self._jump}")
        return "\n".join([*lines, "COMMIT", ""])

    def up(self, port: int) -> None:
        """See `Firewall.up`."""
        for tool in self._tools:
            jump = not self._jumps(tool)
            _done([f"{tool}-restore", "--wait", "--noflush"], self._script(port, jump))

    def down(self) -> bool:
        """See `Firewall.down`."""
        removed = False
        for tool in self._tools:
            nat = [tool, "--wait", "-t", "nat"]
            while self._jumps(tool):
                _done([*nat, "-D", *self._jump.split()])
            if self._chain(tool) is not None:
                _done([*nat, "-F", self.own])
                _done([*nat, "-X", self.own])
                removed = True
        return removed

    def port(self) -> int | None:
        """See `Firewall.port`."""
        ports = set()
        for tool in self._tools:
            target = re.search(r"--to-ports (\d+)", self._chain(tool) or "")
            ports.add(int(target[1]) if target and self._jumps(tool) else None)
        # Half of it is none of it.
        return ports.pop() if len(ports) == 1 else None

    def _jumps(self, tool: str) -> bool:
        check = [tool, "--wait", "-t", "nat", "-C", *self._jump.split()]
        return self._chain(tool) is not None and _run(check).returncode == 0

    def _chain(self, tool: str) -> str | None:
        done = _run([tool, "--wait", "-t", "nat", "-S"])
        if done.returncode != 0:
            raise Failure(f"{tool} refused: {done.stderr.strip()}")
        lines = done.stdout.splitlines()
        if f"-N {self.own}" not in lines:
            return None
        return "\n".join(line for line in lines if line.startswith(f"-A {self.own} "))


#: The first that is available is taken.
FIREWALLS: dict[str, type[Firewall]] = {kind.name: kind for kind in (Nft, Iptables)}
