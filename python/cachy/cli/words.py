"""What stands on the command line of `cachy serve` without an option, and what is mitmdump's."""

import os
import re

import click


class WithArguments(click.Command):
    """A command with options of its own; what follows ``--`` is passed on, and nothing else is."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        """Reads the command line.

        Raises:
            click.UsageError: A word stands there that belongs to no option.
        """
        cut = args.index("--") if "--" in args else len(args)
        theirs = args[cut + 1 :]
        super().parse_args(context, args[:cut])
        if (stray := context.params["arguments"]) and not context.resilient_parsing:
            raise click.UsageError(f"{stray[0]!r}: {meant(stray[0])}", context)
        context.params["arguments"] = tuple(theirs)
        return []


def meant(word: str) -> str:
    """Which option is meant by a word that has none."""
    if found := re.fullmatch(r":?([0-9]+)", word, re.ASCII):
        return f"the port is named by `--port {found[1]}`"
    if found := re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[0-9.]+|localhost):(\d+)", word):
        return f"the address is named by `--host {found[1].strip('[]')} --port {found[2]}`"
    if re.fullmatch(r"[0-9]+(\.[0-9]+){3}|localhost|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*", word):
        return f"the address is named by `--host {word}`"
    if found := re.fullmatch(r"https?://([^/:]+)(?::([0-9]+))?/?", word):
        port = f" --port {found[2]}" if found[2] else ""
        return f"the address is named by `--host {found[1]}{port}`"
    if os.sep in word:
        return f"the tree is named by `--dir {word}`"
    if word in ("normal", "offline", "refresh", "off"):
        return f"the mode is named by `--mode {word}`"
    return "it belongs to no option; mitmdump's arguments follow `--`"
