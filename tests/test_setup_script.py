"""`setup.sh` in bare roots: what it puts where, and that nothing is left of it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.bare import Bare
from support.ca import CA
from support.setup_script import setup_script

HOME = "/usr/local/share/cachy"
#: Without the system's own tools for its roots.
NO_TOOLS = "/usr/local/bin:/usr/bin:/bin"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
TOOL = """#!/bin/sh
cat /etc/roots {anchors}/* 2>/dev/null >{bundle}
"""


@pytest.fixture
def bare(tmp_path: Path, ca: CA) -> Iterator[Bare]:
    """A root with the script in it, and a file of two roots."""
    with Bare(tmp_path) as root:
        root.write("/tmp/setup.sh", setup_script(ca.pem))
        root.write("/etc/roots", ROOTS)
        yield root


def _certificate(text: str) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"


ROOTS = _certificate("one") + _certificate("two")


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh"])
def test_shells(bare: Bare, ca: CA, shell: str) -> None:
    """From a pipe, twice, and back: nothing trusts anything yet, as in a new Debian."""
    if shutil.which(shell.split()[0]) is None:
        pytest.skip(f"{shell} is not installed")
    before = bare.state()
    for _ in range(2 if shell == "dash" else 1):
        done = bare.sh(f"cat /tmp/setup.sh | {shell}", PATH=NO_TOOLS).ok()
        assert (
            f"system: trusted (/usr/local/share/ca-certificates/cachy.crt, {BUNDLE})" in done.output
        )
        assert bare.run("cat", BUNDLE).output == ca.pem.read_text().strip() + "\n"
        env = bare.run("cat", "/etc/environment").output
        assert env == f"# cachy: begin\nNODE_EXTRA_CA_CERTS={HOME}/ca.pem\n# cachy: end\n"
    assert (
        bare.run(*shell.split(), "/tmp/setup.sh", "undo", PATH=NO_TOOLS).ok().output
        == "cachy: undone\n"
    )
    assert bare.state() == before
    assert (
        "nothing to undo"
        in bare.run(*shell.split(), "/tmp/setup.sh", "undo", PATH=NO_TOOLS).ok().output
    )


def test_tools(bare: Bare, ca: CA) -> None:
    """Where the system has a tool for its roots, that writes the bundle: Debian's way, and Fedora's."""
    for layout, tool, anchors, bundle in (
        ("debian", "update-ca-certificates", "/usr/local/share/ca-certificates", BUNDLE),
        (
            "fedora",
            "update-ca-trust",
            "/etc/pki/ca-trust/source/anchors",
            "/etc/pki/tls/certs/ca-bundle.crt",
        ),
    ):
        bare.write(f"/usr/local/bin/{tool}", TOOL.format(anchors=anchors, bundle=bundle))
        bare.sh(f"chmod +x /usr/local/bin/{tool} && mkdir -p {anchors}").ok()
        # As somebody's own hand left it, other than the tool would.
        bare.write(bundle, ROOTS + "# by hand\n")
        before = bare.state()
        bare.run("sh", "/tmp/setup.sh").ok()
        assert bare.run("cat", bundle).output == ROOTS + ca.pem.read_text().strip() + "\n", layout
        assert f"SSL_CERT_FILE={bundle}\n" in bare.run("cat", "/etc/environment").output
        bare.run("sh", "/tmp/setup.sh", "undo").ok()
        assert bare.state() == before
        bare.sh(f"rm {bundle}").ok()


def test_no_tools(bare: Bare, ca: CA) -> None:
    """A bundle without a tool, as in a bare Alpine, grows; what others add to it meanwhile stays."""
    bare.write(BUNDLE, ROOTS)
    bare.write("/etc/environment", "LANG=C")
    bare.run("sh", "/tmp/setup.sh", PATH=NO_TOOLS).ok()
    assert ca.pem.read_text().strip() in bare.run("cat", BUNDLE).output
    bare.sh(f"echo '# later' >>{BUNDLE}; echo LATER=1 >>/etc/environment").ok()
    bare.run("sh", "/tmp/setup.sh", PATH=NO_TOOLS).ok()
    bare.run("sh", f"{HOME}/undo.sh", PATH=NO_TOOLS).ok()
    assert bare.run("cat", BUNDLE).output == ROOTS + "# later\n"
    assert bare.run("cat", "/etc/environment").output == "LANG=C\nLATER=1\n"


def test_roots_come_later(bare: Bare, ca: CA) -> None:
    """The package with the roots, installed behind the script, finds the certificate; undone, it's gone."""
    bare.run("sh", "/tmp/setup.sh", PATH=NO_TOOLS).ok()
    tool = "/usr/local/bin/update-ca-certificates"
    bare.write(tool, TOOL.format(anchors="/usr/local/share/ca-certificates", bundle=BUNDLE))
    bare.sh(f"chmod +x {tool} && {tool}").ok()
    assert bare.run("cat", BUNDLE).output == ROOTS + ca.pem.read_text().strip() + "\n"
    bare.run("sh", "/tmp/setup.sh").ok()
    bare.run("sh", f"{HOME}/undo.sh").ok()
    assert bare.run("cat", BUNDLE).output == ROOTS


def test_clients_own(bare: Bare, ca: CA) -> None:
    """Clients with roots of their own: certifi's, pip's, and what the environment names already."""
    bare.write("/root/venv/lib/certifi/cacert.pem", ROOTS)
    bare.write("/root/company.pem", _certificate("company"))
    bare.write("/etc/pip.conf", "[global]\ntimeout = 9\n[install]\nuser = no\n")
    bare.write(BUNDLE, ROOTS)
    bare.sh("printf '#!/bin/sh\\n' >/usr/local/bin/python3; chmod +x /usr/local/bin/python3").ok()
    before = bare.state()
    env = {"NODE_EXTRA_CA_CERTS": "/root/company.pem", "GITHUB_ENV": "/tmp/github"}
    bare.run("sh", "/tmp/setup.sh", PATH=NO_TOOLS, **env).ok()
    block = f"# cachy: begin\n{ca.pem.read_text().strip()}\n# cachy: end\n"
    assert bare.run("cat", "/root/company.pem").output == _certificate("company") + block
    assert bare.run("cat", "/root/venv/lib/certifi/cacert.pem").output == ROOTS + block
    config = f"[global]\n# cachy: begin\ncert = {BUNDLE}\n# cachy: end\ntimeout = 9\n[install]\nuser = no\n"
    assert bare.run("cat", "/etc/pip.conf").output == config
    variables = f"SSL_CERT_FILE={BUNDLE}\nREQUESTS_CA_BUNDLE={BUNDLE}\n"
    assert bare.run("cat", "/tmp/github").output == variables
    bare.run("sh", f"{HOME}/undo.sh", PATH=NO_TOOLS).ok()
    assert bare.state() == before


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm(bare: Bare, ca: CA) -> None:
    """Its file of roots has Node's own beside the proxy's."""
    env = {"PATH": NO_TOOLS, "npm_config_globalconfig": "/etc/npmrc"}
    before = bare.state()
    done = bare.run("sh", "/tmp/setup.sh", **env).ok()
    assert f"npm: cafile={HOME}/npm.pem in /etc/npmrc" in done.output
    found = bare.run("npm", "config", "get", "cafile", **env).ok()
    assert found.output == f"{HOME}/npm.pem\n"
    roots = bare.run("cat", f"{HOME}/npm.pem").output
    assert roots.count("BEGIN CERTIFICATE") > 50
    assert roots.endswith(ca.pem.read_text().strip() + "\n")
    bare.run("sh", f"{HOME}/undo.sh", **env).ok()
    bare.sh("rm -rf /root/.npm").ok()
    assert bare.state() == before


#: As Java's own, with a keystore that can be read.
KEYTOOL = """#!/bin/sh
for last; do case $name in -file) file=$last ;; -keystore) store=$last ;; esac; name=$last; done
case $1 in
-list) cat "$store" ;;
-importcert) { echo alias; cat "$file"; echo end; } >>"$store" ;;
-delete) sed -i /alias/,/end/d "$store" ;;
esac
"""


def test_java(bare: Bare, ca: CA) -> None:
    """Each JDK's keystore; one that has changed since loses this certificate alone."""
    store = "/usr/local/jdk/lib/security/cacerts"
    bare.write(store, ROOTS)
    bare.write("/usr/local/jdk/bin/keytool", KEYTOOL)
    bare.sh("chmod +x /usr/local/jdk/bin/keytool").ok()
    before = bare.state()
    for change in ("", "later\n"):
        done = bare.run("sh", "/tmp/setup.sh", PATH=NO_TOOLS).ok()
        assert f"java: added to {store}" in done.output
        added = f"alias\n{ca.pem.read_text().strip()}\nend\n"
        assert bare.run("cat", store).output == ROOTS + added
        bare.write(store, ROOTS + added + change)
        bare.run("sh", f"{HOME}/undo.sh", PATH=NO_TOOLS).ok()
        assert bare.run("cat", store).output == ROOTS + change
        assert change or bare.state() == before


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed")
def test_not_root(bare: Bare) -> None:
    """It says so, and changes nothing."""
    before = bare.state()
    for script in ("sh /tmp/setup.sh", "sh </tmp/setup.sh"):
        done = bare.sh(f"setpriv --reuid=65534 --clear-groups {script}")
        assert (done.status, "as root" in done.output) == (3, True)
    assert bare.state() == before
