"""The files that clients read for their settings: the user's, with ours, which win."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cachy.cli import clients

#: What in curl's settings is about proxies and trust.
CURLRC = re.compile(r"^[ \t]*(--?)?(x|proxy|preproxy|socks|noproxy|ca-?cert|capath)", re.MULTILINE)

#: What in pip's settings names a proxy.
PIP_PROXY = re.compile(r"^[ \t]*proxy[ \t]*[=:][ \t]*\S", re.MULTILINE)


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Writes a file in one step, so that nobody reads half of it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "w", errors="surrogateescape") as file:
            file.write(text)
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def wget(file: Path, environ: Mapping[str, str], ours: str) -> None:
    """Writes settings of wget: the user's, and ours, which win.

    Args:
        file: The file, for ``WGETRC``.
        environ: Where the user's are found by.
        ours: The lines.

    Raises:
        OSError: It can't be written, as with the others here.
    """
    place = Path(environ.get("WGETRC") or Path(environ.get("HOME", "/")) / ".wgetrc")
    # The user's may hold passwords.
    write(file, above(place) + ours, mode=0o600)


def curl(folder: Path, environ: Mapping[str, str], ours: str) -> bool:
    """Writes settings of curl to a folder for ``CURL_HOME``, where the user's would win over the
    variables, and tells whether they would.
    """
    homes = [environ.get(name) for name in ("CURL_HOME", "XDG_CONFIG_HOME", "HOME")]
    places = [Path(home, ".curlrc") for home in homes if home]
    theirs = next((above(place) for place in places if place.is_file()), "")
    if not CURLRC.search(theirs):
        return False
    write(folder / ".curlrc", theirs + ours, mode=0o600)
    return True


def yarn(environ: Mapping[str, str], *, in_project: bool) -> list[str]:
    """The variables of Yarn that have to name our file of roots, since its settings name another.

    Args:
        environ: Where the settings are found by.
        in_project: Those of the current folder and of the ones above it count, too.
    """
    folders = [Path(environ["HOME"])] if environ.get("HOME") else []
    if in_project:
        # The folder may be gone.
        with suppress(OSError):
            folders += [Path.cwd(), *Path.cwd().parents]
    name = environ.get("YARN_RC_FILENAME") or ".yarnrc.yml"
    text = "\n".join(above(folder / name) for folder in folders)
    return [
        variable
        for setting, variable in clients.YARN.items()
        if variable in environ or re.search(rf"^[\"']?{setting}\b", text, re.MULTILINE)
    ]


def names_pip_proxy(environ: Mapping[str, str]) -> bool:
    """Whether settings of pip name a proxy, which its own variable alone can replace: that wins over
    ``NO_PROXY``, too.
    """
    home = Path(environ.get("HOME") or "/")
    dirs = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    folders = [
        *map(Path, filter(None, dirs)),
        Path(environ.get("XDG_CONFIG_HOME") or home / ".config"),
    ]
    folders.append(home / "Library/Application Support")
    places = [Path("/etc/pip.conf"), home / ".pip/pip.conf", *(f / "pip/pip.conf" for f in folders)]
    if named := environ.get("PIP_CONFIG_FILE"):
        places.append(Path(named))
    # That of a virtual environment.
    for program in ("python", "python3", "pip"):
        if found := shutil.which(program, path=environ.get("PATH")):
            places.append(Path(found).parent.parent / "pip.conf")
    return any(PIP_PROXY.search(above(place)) for place in places)


def above(place: Path) -> str:
    """What the user has in a file: all, or what is above ours."""
    try:
        return place.read_text(errors="surrogateescape").partition(clients.MARK)[0]
    except OSError:
        return ""


def apt(folder: Path, environ: Mapping[str, str], ours: str) -> None:
    """Settings of apt.

    ``APT_CONFIG`` is read first, then ``apt.conf.d``, then what ``Dir::Etc::main`` names, which wins:
    so the first says that the last is ours, and ours includes the user's.
    """
    first, last = folder / "apt.conf", folder / "apt-last.conf"
    main, before = apt_main(environ), Path(environ.get("APT_CONFIG") or "/")
    write(last, including(main, last) + ours)
    write(first, including(before, first) + f'Dir::Etc::main "{last}";\n')


def including(theirs: Path, ours: Path) -> str:
    """What makes a file of ours include one of the user's."""
    if theirs == ours:
        # An environment that `cachy env` made: what was included stays so.
        lines = ours.read_text().splitlines(keepends=True) if ours.is_file() else []
        return "".join(line for line in lines if line.startswith("#include "))
    return f'#include "{theirs}";\n' if theirs.is_file() else ""


def apt_main(environ: Mapping[str, str]) -> Path:
    """The file that apt reads last in an environment."""
    default = Path("/etc/apt/apt.conf")
    tool = shutil.which("apt-config", path=environ.get("PATH"))
    if tool is None or not environ.get("APT_CONFIG"):
        return default
    asked = subprocess.run(
        [tool, "shell", "MAIN", "Dir::Etc::main/f"],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        env=dict(environ),
    )
    found = re.match(r"MAIN='(.*)'\s*$", asked.stdout)
    return Path(found[1]) if found else default
