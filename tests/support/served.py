"""`cachy serve`, running."""

import os
import re
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from .command import Cachy
from .tree import wait_until


class Served:
    """What `fetch` needs, of a proxy that has told where it listens.

    Args:
        command: The installed command.
        tree: The tree.
        options: Further ones.
        arguments: Further ones of mitmdump.
        more: Of `Cachy.start`.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        command: Cachy,
        tree: Path,
        options: Sequence[str] = (),
        arguments: Sequence[str] = (),
        **more: Any,
    ) -> None:
        self.command = command
        self.tree = tree
        self.options = list(options)
        self.arguments = list(arguments)
        self.more = more
        self.ca_pem = command.confdir / "mitmproxy-ca-cert.pem"
        self.port = 0

    def __enter__(self) -> Self:
        words = ["serve", "--port", "0", "--dir", str(self.tree), *self.options]
        passed = [*self.command.arguments, *self.arguments]
        self.process = self.command.start(*words, "--", *passed, **self.more)
        assert self.process.stdout
        lines = [self.process.stdout.readline() for _ in range(7)]
        found = re.search(r"listens on http://127\.0\.0\.1:(\d+)$", lines[0])
        if found is None:
            raise AssertionError("".join(lines) + self.process.communicate(timeout=10)[1])
        self.port = int(found[1])
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=15)
        if kind is not None:
            print(out, err)
        else:
            assert self.process.returncode == 0, (out, err)
            # What asyncio says of a task that nobody looked after.
            assert not re.search("Exception in callback|never retrieved", out + err), (out, err)

    @property
    def workers(self) -> set[int]:
        """The processes that it has started."""
        pid = self.process.pid
        return {int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    def wait_for_line(self, text: str, *, log: bool = False) -> str:
        """Reads what it says on standard error, or in mitmproxy's log, to a line that has a text."""
        stream = self.process.stdout if log else self.process.stderr
        assert stream
        lines = []
        while line := stream.readline():
            lines.append(line)
            if text in line:
                return line
        raise AssertionError(f"it ended and never said {text!r}:\n{''.join(lines)}")

    def wait_for_another(self) -> None:
        """Waits until it says that another worker has taken the place of one that died."""
        assert self.process.stderr
        line = self.process.stderr.readline()
        assert "was ended by SIGKILL; another one has taken its place" in line, line

    def leader(self) -> int:
        """The process that is writing a body."""
        files = wait_until(lambda: os.listdir(self.tree / ".cachy/tmp"))
        return int(files[0].split("-")[0], 16)
