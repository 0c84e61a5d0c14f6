"""An hour of thirteen jobs while everything fails: `python tests/soak/run.py --help`.

Needs cachy and the tests' tools installed, and Linux; as root the tree gets a small disk.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from soak.report import details, table
from soak.rows import rows
from soak.soak import KINDS, Settings, Soak


def _end(signum: int, frame: FrameType | None) -> None:
    # Once only: a second Ctrl-C must not keep us from ending what we started.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Soak the proxy with real clients and faults.")
    parser.add_argument("--minutes", type=float, default=60.0, help="60 by default")
    parser.add_argument("--workers", type=int, default=2, help="of the proxy, 2 by default")
    parser.add_argument("--seed", type=int, default=1, help="another seed, another plan")
    parser.add_argument(
        "--only",
        type=lambda text: [name for name in text.split(",") if name],
        default=list(KINDS),
        metavar="KIND,...",
        help=f"only some kinds of jobs: {', '.join(KINDS)}",
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="for the logs, and what was explained"
    )
    arguments = parser.parse_args()
    if unknown := [kind for kind in arguments.only if kind not in KINDS]:
        parser.error(f"--only: no such kind: {', '.join(unknown)}; one of {', '.join(KINDS)}")
    if arguments.minutes <= 0 or arguments.workers < 1:
        parser.error("--minutes and --workers must be positive")
    return arguments


def main() -> int:
    """Run the command; gives 1 where a row is not as wanted."""
    arguments = _arguments()
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGTERM, _end)
    settings = Settings(
        seconds=arguments.minutes * 60,
        workers=arguments.workers,
        seed=arguments.seed,
        only=arguments.only,
        say=_say,
    )
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as name:
        soak = Soak(settings, Path(name))
        try:
            soak.run()
        except KeyboardInterrupt:
            _say("interrupted, all processes ended")
            return 130
        finally:
            if arguments.keep:
                keep(soak, arguments.keep)
        found = rows(soak)
    print(table(found))
    for text in soak.left_out:
        print(f"LEFT OUT {text}")
    if not soak.volume.own:
        print("LEFT OUT the full disk: mounting is not allowed here")
    print(details(found))
    return 0 if all(row.good for row in found) else 1


def keep(soak: Soak, folder: Path) -> None:
    """Write what was done, and what the proxy printed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "journal.txt").write_text("\n".join([*soak.journal.remarks, ""]))
    told = [f"{note.job}: {why}: {note.what}" for note, why in soak.ledger.failures().explained]
    (folder / "explained.txt").write_text("\n".join([*told, ""]))
    log = soak.folder / "proxy.log"
    if log.exists():
        (folder / "proxy.log").write_bytes(log.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
