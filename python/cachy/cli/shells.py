"""Changes of an environment in the words of shells and of CI services."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

from cachy.cli.environment import Changes
from cachy.cli.through import HOST

#: What is of use where our files are not, in another container.
PROXY = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def bash(changes: Changes, _: Path) -> str:
    """For ``eval "$(…)"`` in bash, and every shell like it (POSIX)."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in changes.set.items()]
    lines += [f"unset {name}" for name in changes.unset if re.fullmatch(r"\w+", name)]
    return "\n".join(lines)


def fish(changes: Changes, _: Path) -> str:
    """For ``… | source`` in fish."""

    def quoted(text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    lines = [f"set -gx {name} {quoted(value)}" for name, value in changes.set.items()]
    lines += [f"set -e {name}" for name in changes.unset if re.fullmatch(r"\w+", name)]
    return "\n".join(lines)


def docker(changes: Changes, folder: Path) -> str:
    """Arguments of ``docker run``: the variables, and the files that they name, mounted."""
    words = ["-v", f"{folder}:{folder}:ro"]
    # Java's store is not in that folder, and the container's Java may be another.
    variables = {n: v for n, v in changes.set.items() if n != "JAVA_TOOL_OPTIONS"}
    for name, value in variables.items():
        words += ["-e", f"{name}={value}"]
    return " ".join(shlex.quote(word) for word in words)


def docker_build(changes: Changes, _: Path) -> str:
    """Arguments of ``docker build``: the proxy, by the arguments that every Dockerfile has and that
    stay out of the image and of the build's cache.
    """
    return " ".join(
        shlex.quote(word)
        for name in PROXY
        if name in changes.set
        for word in ("--build-arg", f"{name}={changes.set[name]}")
    )


def github(changes: Changes, _: Path) -> str:
    """Lines for ``$GITHUB_ENV``: they hold from the next step on. What can't be unset is emptied."""
    lines = [f"{name}={value}" for name, value in changes.set.items()]
    return "\n".join(lines + [f"{name}=" for name in changes.unset])


def gitlab(changes: Changes, _: Path) -> str:
    """A piece of ``.gitlab-ci.yml``: the proxy for every job, and a line that makes each container
    trust it.
    """
    lines = ["variables:"]
    lines += [f"  {name}: {json.dumps(changes.set[name])}" for name in PROXY if name in changes.set]
    # Its proxy serves it, so that the line needs nothing but a client.
    fetch = f"http://{HOST}/setup.sh"
    script = f"(wget -qO- {fetch} || curl -fsS {fetch}) | sh"
    return "\n".join([*lines, "default:", "  before_script:", f"    - {json.dumps(script)}"])


SHELLS: dict[str, Callable[[Changes, Path], str]] = {
    "bash": bash,
    "fish": fish,
    "docker": docker,
    "docker-build": docker_build,
    "github": github,
    "gitlab": gitlab,
}
