"""A key of the tests, and what is signed with it."""

from pathlib import Path

from .run import clean_env, run


class Gpg:
    """Makes a key in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        home = folder / "gnupg"
        home.mkdir(mode=0o700)
        self.env = clean_env(folder / "home") | {"GNUPGHOME": str(home)}
        self.key = folder / "key.asc"
        """What clients trust."""
        self._gpg("--passphrase", "", "--quick-generate-key", "tests@tests.example", "ed25519")
        self._gpg("--output", self.key, "--armor", "--export")

    def _gpg(self, *words: str | Path) -> None:
        run(["gpg", "--batch", "--yes", "--quiet", *words], self.env, self.folder).ok()

    def sign(self, file: Path, signed: Path, *, apart: bool) -> None:
        """Sign a file; the signature lies apart from the text, or around it."""
        how = "--detach-sign" if apart else "--clear-sign"
        self._gpg("--armor", "--output", signed, how, file)
