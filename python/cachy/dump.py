"""``python -m cachy.dump``: mitmdump with the addon, which tells when it listens, and ends with whoever
started it."""

import argparse
import asyncio
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from mitmproxy.exceptions import OptionsError
from mitmproxy.options import Options
from mitmproxy.proxy.mode_servers import AsyncioServerInstance
from mitmproxy.tools import cmdline, dump
from mitmproxy.tools import main as mitmproxy

from cachy import addon_path, config, hangup, loop
from cachy.inherited import Inherited
from cachy.listening import Listening
from cachy.service import Service
from cachy.terms import Terms

#: Seconds for an end in good order, once whoever started it is gone.
GRACE = 5


def filters(arguments: argparse.Namespace) -> dict[str, str]:
    """What mitmdump makes of the arguments without a name."""
    if not arguments.filter_args:
        return {}
    joined = " ".join(arguments.filter_args)
    return dict.fromkeys(("save_stream_filter", "readfile_filter", "dumper_filter"), joined)


def configured_scripts(arguments: Sequence[str]) -> list[str]:
    """The scripts of the user's ``config.yaml``, in the place of which mitmproxy takes those of a command
    line.

    Raises:
        SystemExit: That file is wrong, which has been said.
    """
    options = Options()
    given = [word for word in arguments if word.startswith("confdir=")]
    try:
        options.set(*given[-1:])
    except OptionsError:
        return []  # mitmproxy says what is wrong.
    try:
        found = config.read(Path(options.confdir).expanduser())
    except OptionsError as error:
        sys.stderr.write(f"cachy: {error}\n")
        raise SystemExit(1) from None
    scripts = found.get("scripts") or []
    return [str(path) for path in scripts]


def run(
    arguments: Sequence[str],
    tell: Callable[[Listening], None],
    started: Callable[[dump.DumpMaster], None] = lambda _: None,
    terms: Terms | None = None,
    inherited: Inherited | None = None,
) -> None:
    """Runs mitmdump with the addon in this process, to its end.

    Args:
        arguments: Those of mitmdump.
        tell: Called when it listens, and takes clients.
        started: Called with its master, before that.
        terms: How it is run.
        inherited: Sockets that somebody else has bound.

    Raises:
        SystemExit: It could not start, and has said why.
    """
    scripts = [*configured_scripts(arguments), str(addon_path())]
    words = [*(word for path in scripts for word in ("-s", path)), *arguments]

    class Master(dump.DumpMaster):
        def __init__(self, options: Options, **more: Any) -> None:
            super().__init__(options, **more)
            self.service = Service(self, words, tell, terms or Terms())
            started(self)

    # What is logged is for others to read at once.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    if inherited is not None:
        listen_on(inherited)
    # What mitmproxy takes for its own command line, and finds fault with.
    sys.argv = ["mitmdump", *words]
    loop.choose()
    mitmproxy.run(Master, cmdline.mitmdump, words, filters)


def listen_on(inherited: Inherited) -> None:
    """Lets mitmproxy's servers take their clients from sockets that are bound already."""
    original = AsyncioServerInstance.listen

    async def listen(server: Any, host: str, port: int) -> list[Any]:
        sockets = inherited.take(server.mode.type_name)
        if not sockets:
            return await original(server, host, port)
        return [await asyncio.start_server(server.handle_stream, sock=each) for each in sockets]

    AsyncioServerInstance.listen = listen  # type: ignore[method-assign, assignment]


def die_with(lifeline: int, master: list[dump.DumpMaster], left: str | None) -> None:
    """Ends the process when the other end of a pipe is closed, as it is by its owner's death, and removes
    a folder that the owner has left.
    """
    os.read(lifeline, 1)
    if left is not None:
        shutil.rmtree(left, ignore_errors=True)
    for each in master:
        each.event_loop.call_soon_threadsafe(each.shutdown)
        # Longer than that, and something hangs.
        threading.Event().wait(GRACE)
    os._exit(1)


def main() -> None:
    """The process that `launch` starts, with the descriptors of two pipes. By the second come
    mitmdump's arguments, the owner's folder and the seconds of grace at the end, in one line of JSON: a
    command line is for all to read.

    A worker also has a channel to its supervisor, its number, and that of all; the folder is where it meets
    the others (see `cachy.workers`).
    """
    announce, lifeline, *worker = (int(word) for word in sys.argv[1:])
    line = b""
    while not line.endswith(b"\n"):
        if not (piece := os.read(lifeline, 65536)):
            return
        line += piece
    arguments, left, grace = json.loads(line)
    hangup.keep()
    terms = Terms(grace)
    if worker:
        from cachy.workers.worker import become

        terms.worker = become(Path(left), *worker)
    masters: list[dump.DumpMaster] = []
    threading.Thread(target=die_with, args=(lifeline, masters, left), daemon=True).start()

    def tell(listening: Listening) -> None:
        # Who wanted to know may be gone.
        with suppress(BrokenPipeError), os.fdopen(announce, "w") as pipe:
            json.dump(asdict(listening), pipe)

    run(arguments, tell, masters.append, terms)


if __name__ == "__main__":
    main()
