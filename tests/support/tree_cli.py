"""The commands about the tree, run in process."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from cachy.cli import cachy


@dataclass
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """What it printed, read."""
        return json.loads(self.out)


@dataclass
class Cli:
    """`cachy` on one tree."""

    directory: Path

    def __call__(self, *arguments: str, input: bytes | None = None) -> Ran:
        """Runs one command."""
        arguments = (*arguments, "--dir", str(self.directory))
        result = CliRunner().invoke(cachy, arguments, input=input)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)
