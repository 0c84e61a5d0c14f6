"""The environment in which every client uses a proxy and trusts its CA."""

import errno
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cachy.cli import clients, java, local, rcfiles, roots
from cachy.cli.through import Proxy

#: The file of roots, in the folder of such files.
BUNDLE = "ca-bundle.pem"


@dataclass
class Changes:
    """What becomes of an environment."""

    set: dict[str, str] = field(default_factory=dict)
    unset: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """What could not be done, for people."""

    def apply(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment after them."""
        kept = {name: value for name, value in environ.items() if name not in self.unset}
        return kept | self.set


#: What a variable was before `cachy env`, and that it was written down.
OLD, MARK = "_CACHY_OLD_", "_CACHY_ENV"


def state_folder() -> Path:
    """Where cachy keeps what it may make again (XDG Base Directory Specification); root's lies where
    others may read it, as apt's methods do.
    """
    place = os.environ.get("XDG_STATE_HOME") or ""
    if place.startswith("/"):
        return Path(place) / "cachy"
    return (
        Path("/var/lib/cachy-clients") if os.geteuid() == 0 else Path.home() / ".local/state/cachy"
    )


def folder_of(proxy: Proxy) -> Path:
    """Where the files of the clients of a proxy that runs are kept."""
    return state_folder() / f"{re.sub(r'[^A-Za-z0-9.-]', '_', proxy.host)}_{proxy.port}"


def prepare(
    folder: Path,
    proxy: Proxy,
    ca: str,
    environ: Mapping[str, str],
    *,
    direct: str = "",
    by_proxy: bool = True,
    in_project: bool = False,
    elsewhere: bool = False,
) -> Changes:
    """Writes the files that clients need, and says what to set.

    Args:
        folder: For the files; what is there is replaced.
        proxy: The proxy.
        ca: Its CA's certificate, PEM.
        environ: The environment to change.
        direct: Further hosts to ask directly, as in ``NO_PROXY``.
        by_proxy: Off: the way to the proxy is found without variables, which are taken away.
        in_project: Also replace settings that a client has in the current folder. Off if the
            environment is used in other folders, too.
        elsewhere: It is for another machine or a container, where this one's names mean this one.

    Raises:
        OSError: The files can't be written.
        ValueError: The proxy's CA is no certificate.
    """
    here = local.ANY if elsewhere else local.words()
    values = clients.Values(
        proxy=proxy.url,
        direct=",".join([*here, *filter(None, [direct])]),
        bundle=str(folder / BUNDLE),
        wgetrc=str(folder / "wgetrc"),
        apt=str(folder / "apt.conf"),
    )
    fields = asdict(values)
    folder.mkdir(parents=True, exist_ok=True)
    found = folder.parent.stat() if folder.is_relative_to(state_folder()) else folder.stat()
    if found.st_uid != os.geteuid():
        raise PermissionError(
            errno.EPERM, "is another user's, who would rule our clients", str(folder.parent)
        )
    # Others read it: apt's methods are of another user.
    folder.chmod(0o755)
    rcfiles.write(Path(values.bundle), roots.bundle(ca))
    lines = (clients.WGET_PROXY if by_proxy else clients.WGET_DIRECT) + clients.WGET_TRUST
    rcfiles.wget(Path(values.wgetrc), environ, lines.format(**fields))
    lines = (clients.APT_PROXY if by_proxy else clients.APT_DIRECT) + clients.APT_TRUST
    rcfiles.apt(folder, environ, lines.format(**fields))
    lines = (clients.CURL_PROXY if by_proxy else clients.CURL_DIRECT) + clients.CURL_TRUST
    curl = rcfiles.curl(folder, environ, lines.format(**fields))

    changes = Changes(set={"CURL_HOME": str(folder)} if curl else {})
    for variable in clients.VARIABLES:
        # npm takes its names in any case, the last one wins.
        if variable.name.startswith("npm_"):
            changes.unset += [
                name
                for name in environ
                if name.lower().replace("-", "_") == variable.name and name != variable.name
            ]
        if variable.value is None or (variable.proxy and not by_proxy):
            changes.unset.append(variable.name)
        else:
            changes.set[variable.name] = variable.value.format(**fields)
    if by_proxy and rcfiles.names_pip_proxy(environ):
        changes.set["PIP_PROXY"] = proxy.url
    for name in rcfiles.yarn(environ, in_project=in_project):
        changes.set[name] = values.bundle
    git = [(n, v.format(**fields)) for n, v in clients.GIT if by_proxy or "{proxy}" not in v]
    add_git(changes, environ, git)
    try:
        past = [*local.ANY_JAVA, *local.java_words(",".join([*here, direct]))]
        add_java(changes, environ, proxy, ca, past, by_proxy=by_proxy)
    except OSError as error:
        changes.remarks.append(f"Java does not trust the proxy: {error}")
    return changes


def remember(changes: Changes, environ: Mapping[str, str]) -> None:
    """Keeps what was there before, in variables for `take_back`; those of git and Java are added to, and
    need none.
    """
    if MARK in environ:
        return
    for name in [*changes.set, *changes.unset]:
        ours = name.startswith(("GIT_CONFIG_", "JAVA_TOOL_OPTIONS"))
        if name in environ and not ours and re.fullmatch(r"\w+", name):
            changes.set[OLD + name] = environ[name]
    changes.set[MARK] = "1"


def take_back(environ: Mapping[str, str]) -> Changes:
    """What takes our variables away again, and gives back what `remember` has kept.

    Args:
        environ: An environment that has them.
    """
    names = ["CURL_HOME", *clients.YARN.values(), *(each.name for each in clients.VARIABLES)]
    old = {name: environ[OLD + name] for name in names if OLD + name in environ}
    saved = [OLD + name for name in old]
    changes = Changes(unset=[name for name in names if name not in old] + saved + [MARK])
    add_git(changes, environ, [])
    if changes.set.pop("GIT_CONFIG_COUNT", "0") != "0":
        changes.set["GIT_CONFIG_COUNT"] = str(len(changes.set) // 2)
    else:
        changes.unset.append("GIT_CONFIG_COUNT")
    count = environ.get("GIT_CONFIG_COUNT", "")
    for number in range(len(changes.set) // 2, int(count) if count.isdecimal() else 0):
        changes.unset += [f"GIT_CONFIG_KEY_{number}", f"GIT_CONFIG_VALUE_{number}"]
    if kept := without_ours(environ.get("JAVA_TOOL_OPTIONS", "")):
        changes.set["JAVA_TOOL_OPTIONS"] = kept
    else:
        changes.unset.append("JAVA_TOOL_OPTIONS")
    changes.set |= old
    return changes


def add_git(changes: Changes, environ: Mapping[str, str], ours: list[tuple[str, str]]) -> None:
    """Adds to the settings that git takes from the environment."""
    count = environ.get("GIT_CONFIG_COUNT", "")
    kept = []
    for number in range(int(count) if count.isdecimal() else 0):
        key, value = (environ.get(f"GIT_CONFIG_{kind}_{number}") for kind in ("KEY", "VALUE"))
        # What ours take the place of.
        if key is not None and value is not None and key.lower() not in GIT_KEYS:
            kept.append((key, value))
    settings = kept + ours
    for number, (key, value) in enumerate(settings):
        changes.set |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    changes.set["GIT_CONFIG_COUNT"] = str(len(settings))


GIT_KEYS = {name.lower() for name, _ in clients.GIT}


def add_java(
    changes: Changes,
    environ: Mapping[str, str],
    proxy: Proxy,
    ca: str,
    past: Sequence[str],
    *,
    by_proxy: bool,
) -> None:
    """Adds to the options that every Java takes from the environment, where there is a Java.

    Raises:
        OSError: There is one, and no store for it can be made.
    """
    store = java.store(ca, state_folder() / "java", environ)
    if store is None:
        return
    fields = {
        "host": proxy.host,
        "port": str(proxy.port),
        "password": java.PASSWORD,
        "store": str(store),
        "not_java": "|".join(past),
    }
    words = [without_ours(environ.get("JAVA_TOOL_OPTIONS", ""))]
    for name, value in (clients.JAVA_PROXY if by_proxy else ()) + clients.JAVA_TRUST:
        text = value.format(**fields)
        words.append(f"-D{name}='{text}'" if re.search(r"\s", text) else f"-D{name}={text}")
    changes.set["JAVA_TOOL_OPTIONS"] = " ".join(word for word in words if word)


def without_ours(options: str) -> str:
    """Java's options without those that ours take the place of."""
    names = "|".join(re.escape(name) for name, _ in clients.JAVA_PROXY + clients.JAVA_TRUST)
    return re.sub(rf"-D({names})=('[^']*'|\S*)\s*", "", options).strip()
