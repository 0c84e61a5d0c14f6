"""Reads mitmproxy's ``config.yaml`` again. As at the start, it overrides ``--set``, and is overridden by
the options of the command line that have names of their own.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mitmproxy.exceptions import OptionsError
from mitmproxy.options import Options
from mitmproxy.tools import cmdline

from cachy import config
from cachy.options import suit_mitmproxy

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
        #: ``--set`` of the command line.
        self.set: list[str] = words["setoptions"] or []
        self.given = {name for name, value in words.items() if value is not None} | FIXED

        #: What the files named when they were read last.
        self.named: set[str] = set()
        with suppress(OptionsError):
            self.named = set(self.read())

    def read(self) -> dict[str, Any]:
        """What the files say.

        Raises:
            OptionsError: One of them can't be read.
        """
        found = config.read(Path(self.options.confdir).expanduser())
        return {name: value for name, value in found.items() if name not in self.given}

    def reload(self) -> list[str]:
        """Sets the options as the files say now, all of them or none.

        Returns:
            The names of the options that have changed.

        Raises:
            OptionsError: One of them is wrong. Nothing has changed.
        """
        now = self.read()
        # As at the start: names that nobody knows may be those of scripts that are not there now, but ours.
        unknown = set(now) - set(self.options.keys())
        if wrong := sorted(name for name in unknown if name.startswith("cachy_")):
            raise OptionsError(f"unknown options in {config.NAMES[0]}: {', '.join(wrong)}")
        now = {name: value for name, value in now.items() if name not in unknown}
        gone = (self.named - set(now)) & set(self.options.keys())
        wanted = now | {name: self.options.default(name) for name in gone}
        before = {name: getattr(self.options, name) for name in wanted}
        changed = {name: value for name, value in wanted.items() if before[name] != value}
        if changed:
            try:
                self.options.update(**changed)
            except TypeError as error:
                raise OptionsError(str(error)) from error
        self.restore(gone)
        self.named = set(now)
        return sorted(
            name for name, value in before.items() if getattr(self.options, name) != value
        )

    def restore(self, gone: set[str]) -> None:
        """Gives options that the files no longer name the values of the command line, or ours.

        Args:
            gone: Their names.
        """
        for name in gone:
            self.options._options[name].reset()
        specs = [spec for spec in self.set if spec.partition("=")[0] in gone]
        self.options.set(*specs)
        suit_mitmproxy()
