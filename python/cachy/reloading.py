"""Reads mitmproxy's ``config.yaml`` again. As at the start, it overrides ``--set``, and is overridden by
the options of the command line that have names of their own.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mitmproxy import optmanager
from mitmproxy.exceptions import OptionsError
from mitmproxy.options import Options
from mitmproxy.tools import cmdline

#: The files, the second of which overrides the first.
NAMES = "config.yaml", "config.yml"
#: What can't change while the proxy runs. Scripts are reloaded by mitmproxy when they change.
FIXED = {"scripts", "confdir"}


class Config:
    """The files of a proxy that runs.

    Args:
        options: The proxy's options.
        arguments: mitmdump's command line.
    """

    def __init__(self, options: Options, arguments: Sequence[str]) -> None:
        self.options = options
        words = vars(cmdline.mitmdump(options).parse_args(arguments))
        self.given = {name for name, value in words.items() if value is not None} | FIXED

    def read(self) -> dict[str, Any]:
        """What the files say.

        Raises:
            OptionsError: One of them can't be read.
        """
        found: dict[str, Any] = {}
        for name in NAMES:
            path = Path(self.options.confdir).expanduser() / name
            try:
                found |= optmanager.parse(path.read_text())
            except FileNotFoundError:
                continue
            except (OSError, UnicodeError) as error:
                raise OptionsError(f"cannot read {path}: {error}") from error
            except OptionsError as error:
                raise OptionsError(f"{path}: {error}") from error
        return {name: value for name, value in found.items() if name not in self.given}

    def reload(self) -> list[str]:
        """Sets the options as the files say now, all of them or none. What they no longer name keeps its
        value until a restart.

        Returns:
            The names of the options that have changed.

        Raises:
            OptionsError: One of them is wrong. Nothing has changed.
        """
        now = self.read()
        # As at the start: names that nobody knows may be those of scripts that are not there now, but ours.
        unknown = set(now) - set(self.options.keys())
        if wrong := sorted(name for name in unknown if name.startswith("cachy_")):
            raise OptionsError(f"unknown options in {NAMES[0]}: {', '.join(wrong)}")
        now = {name: value for name, value in now.items() if name not in unknown}
        changed = {n: value for n, value in now.items() if getattr(self.options, n) != value}
        if changed:
            try:
                self.options.update(**changed)
            except TypeError as error:
                raise OptionsError(str(error)) from error
        return sorted(changed)
