"""Squid with ssl-bump, as Debian's squid-openssl has it."""

import shutil
import subprocess
from pathlib import Path

from ..process import Process, free_port
from .base import Peer, Place, Running, hand_over

CERTGEN = Path("/usr/lib/squid/security_file_certgen")
#: Whom it changes to when root starts it.
USER = "proxy"

CONFIG = """
http_port 127.0.0.1:{port} ssl-bump tls-cert={ca} generate-host-certificates=on \
dynamic_cert_mem_cache_size=16MB
sslcrtd_program {certgen} -s {folder}/certificates -M 16MB
ssl_bump bump all
tls_outgoing_options cafile={origin_ca}
http_access allow all
hosts_file {folder}/hosts
collapsed_forwarding on
cache_mem 512 MB
maximum_object_size_in_memory 1 MB
maximum_object_size 4 GB
cache_dir ufs {folder}/store 8192 16 64
cache_effective_user {user}
access_log none
cache_store_log none
cache_log {folder}/cache.log
pid_filename {folder}/pid
coredump_dir {folder}
pinger_enable off
shutdown_lifetime 0 seconds
visible_hostname bench.example
"""


class Squid(Peer):
    """One worker, with room in memory for all that is small."""

    name = "squid"
    title = "Squid with ssl-bump"

    def missing(self) -> str | None:
        if not (binary := shutil.which("squid", path="/usr/sbin:/usr/bin")):
            return "squid is not installed"
        told = subprocess.run([binary, "-v"], check=True, capture_output=True, text=True).stdout
        if "--enable-ssl-crtd" not in told or not CERTGEN.exists():
            return "this squid has no ssl-bump (Debian: squid-openssl)"
        return None

    def start(self, place: Place) -> Running:
        folder = place.fresh(self.name)
        port = free_port()
        origin = place.origin.folder
        ca = folder / "ca-and-key.pem"
        ca.write_text((origin / "ca.pem").read_text() + (origin / "ca-key.pem").read_text())
        (folder / "hosts").write_text("".join(f"127.0.0.1 {host}\n" for host in place.hosts))
        config = folder / "squid.conf"
        config.write_text(
            CONFIG.format(
                port=port,
                ca=ca,
                certgen=CERTGEN,
                folder=folder,
                origin_ca=place.origin.ca_pem,
                user=USER,
            )
        )
        command = [str(CERTGEN), "-c", "-s", str(folder / "certificates"), "-M", "16MB"]
        subprocess.run(command, check=True, capture_output=True)
        hand_over(folder, USER)
        squid = shutil.which("squid", path="/usr/sbin:/usr/bin") or "squid"
        subprocess.run([squid, "-N", "-z", "-f", str(config)], check=True, capture_output=True)
        process = Process([squid, "-N", "-f", str(config)], port, folder / "log")
        return Running(self, place, process, place.origin.ca_pem)
