"""mitmproxy's ``config.yaml``, with an error that names the file where mitmproxy would crash."""

from pathlib import Path
from typing import Any

from mitmproxy import optmanager
from mitmproxy.exceptions import OptionsError
from mitmproxy.options import Options

#: The files, the second of which overrides the first.
NAMES = "config.yaml", "config.yml"


def read(folder: Path) -> dict[str, Any]:
    """Reads the files of a folder.

    Args:
        folder: mitmproxy's ``confdir``.

    Returns:
        The options that they name, and their values.

    Raises:
        OptionsError: A file can't be read, or an option of mitmproxy's has a value of another type.
    """
    found: dict[str, Any] = {}
    for name in NAMES:
        path = folder / name
        try:
            said = optmanager.parse(path.read_text())
            if not isinstance(said, dict):
                raise OptionsError("use NAME: VALUE, one a line")
            # Options of addons are unknown here; they are checked where they are set.
            Options().update_known(**said)
        except FileNotFoundError:
            continue
        except (OSError, UnicodeError) as error:
            raise OptionsError(f"cannot read {path}: {error}") from error
        except (OptionsError, TypeError) as error:
            raise OptionsError(f"{path}: {error}") from error
        found |= said
    return found
