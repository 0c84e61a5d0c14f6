"""The file of roots that clients are given."""

import re
import subprocess
from pathlib import Path

import pytest

from cachy.cli import roots
from clients.run import need
from support.ca import CA

ONE = re.compile(
    r"-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/=]{1,64}\n"
    r"-----END CERTIFICATE-----\n"
)


@pytest.fixture
def pems(tmp_path: Path) -> list[str]:
    """Three certificates."""
    return [CA(tmp_path / name).pem.read_text() for name in "abc"]


def test_of_this_system(pems: list[str]) -> None:
    """Blocks and nothing else, each once, ours at the end; a second time it is the same."""
    made = roots.bundle(pems[0])
    assert re.fullmatch(rf"(?:{ONE.pattern})+", made)
    blocks = ONE.findall(made)
    assert len(blocks) == len(set(blocks)) > 50
    assert blocks[-1] == pems[0]


def test_of_whatever_is_there(
    pems: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Only certificates are kept, each once, and all in the same form."""
    first, second, ours = pems
    body = "".join(second.splitlines()[1:-1])
    key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----\n"
    text = (
        f"# Gr\xfc\xdfe von der Firma\n{first}\n  some text {first}\n{ours}"
        + f"-----BEGIN X509 CERTIFICATE-----\r\n{body}\r\n-----END X509 CERTIFICATE-----\r\n"
        + first.replace("CERTIFICATE", "TRUSTED CERTIFICATE")
        + first.replace("CERTIFICATE", "X509 CRL")
        + key
        + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        + "-----BEGIN CERTIFICATE-----\nMIIB\n"
        + first
    )
    (tmp_path / "roots").write_text(text, encoding="latin-1")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots"))
    assert roots.bundle(ours) == first + ours + second


@pytest.mark.parametrize("name", ["folder", "missing", "empty"])
def test_whatever_the_environment_names(
    pems: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """A file of roots that is none leaves those of the system, or of certifi."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / name))
    assert roots.bundle(pems[0]).count("-----BEGIN CERTIFICATE-----") > 50


def test_no_certificate() -> None:
    """Without the proxy's CA clients would trust nothing that it sends."""
    with pytest.raises(ValueError, match="no certificate"):
        roots.bundle("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")


def test_keytool_reads_it(pems: list[str], tmp_path: Path) -> None:
    """A reader that stops at the first thing it doesn't know."""
    need("keytool")
    (tmp_path / "roots").write_text(roots.bundle(pems[0]))
    done = subprocess.run(
        ["keytool", "-printcert", "-file", tmp_path / "roots"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("Serial number:") > 50
