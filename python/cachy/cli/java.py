"""A trust store for Java."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

#: The password of every JDK's own store; it protects nothing.
PASSWORD = "changeit"


def home(environ: Mapping[str, str]) -> Path | None:
    """Where a Java is installed, where one is."""
    found = environ.get("JAVA_HOME")
    if not found:
        java = shutil.which("java", path=environ.get("PATH"))
        found = java and str(Path(java).resolve().parent.parent)
    return Path(found) if found and Path(found).is_dir() else None


def cacerts(java: Path) -> Path | None:
    """Its roots."""
    for place in ("lib/security/cacerts", "jre/lib/security/cacerts"):
        if (java / place).is_file():
            return java / place
    return None


def place(ca: str, folder: Path, environ: Mapping[str, str]) -> Path | None:
    """Where `store` keeps its store for a CA; ``None`` where there is no Java."""
    java = home(environ)
    if java is None or (roots := cacerts(java)) is None:
        return None
    digest = hashlib.sha256(ca.encode() + b"\0" + roots.read_bytes()).hexdigest()[:32]
    return folder / f"{digest}.truststore"


def store(ca: str, folder: Path, environ: Mapping[str, str]) -> Path | None:
    """A store of Java's roots and one CA more, made once for each pair of them.

    Args:
        ca: The CA's certificate, PEM.
        folder: Where stores are kept.
        environ: Where Java is looked for.

    Returns:
        Its path; ``None`` where there is no Java.

    Raises:
        OSError: It can't be made.
    """
    java = home(environ)
    if java is None or (roots := cacerts(java)) is None:
        return None
    keytool = java / "bin" / "keytool"
    if not keytool.is_file():
        keytool = java / "jre" / "bin" / "keytool"
    if not keytool.is_file():
        return None
    made = place(ca, folder, environ)
    if made is None or made.is_file():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as new:
        copy, pem = Path(new) / "store", Path(new) / "ca.pem"
        shutil.copyfile(roots, copy)
        pem.write_text(ca)
        command = [str(keytool), "-importcert", "-noprompt", "-alias", "cachy", "-file", str(pem)]
        command += ["-keystore", str(copy), "-storepass", PASSWORD]
        # What is in the caller's options is not for this.
        env = {k: v for k, v in environ.items() if k not in ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS")}
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=env,
        )
        if done.returncode:
            said = (done.stdout + done.stderr).strip().splitlines()
            raise OSError(f"{keytool}: {said[-1] if said else done.returncode}")
        copy.chmod(0o644)
        os.replace(copy, made)
    return made
