"""nginx, which serves the files itself: what the machine can do."""

import os
import shutil

from ..process import Process, free_port
from .base import Peer, Place, Running

CONFIG = """
daemon off;
{user}
worker_processes {workers};
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=1000;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {pem};
        ssl_certificate_key {pem};
        ssl_protocols TLSv1.2 TLSv1.3;
        root {files}/bench.example;
        default_type application/octet-stream;
        add_header Cache-Control max-age=86400;
    }}
}}
"""


class Nginx(Peer):
    """No proxy: its clients come to it directly."""

    proxy = False

    def __init__(self, name: str, title: str, workers: int) -> None:
        self.name, self.title, self.workers = name, title, workers

    def missing(self) -> str | None:
        found = shutil.which("nginx", path="/usr/sbin:/usr/bin")
        return None if found else "nginx is not installed"

    def start(self, place: Place) -> Running:
        folder = place.fresh(self.name)
        port = free_port()
        config = folder / "nginx.conf"
        config.write_text(
            CONFIG.format(
                port=port,
                workers=self.workers,
                folder=folder,
                pem=place.origin.folder / "bench.example.pem",
                files=place.files,
                # Its worker has to read what is ours.
                user="user root;" if os.geteuid() == 0 else "",
            )
        )
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin") or "nginx"
        process = Process([nginx, "-p", str(folder), "-c", str(config)], port, folder / "log")
        return Running(self, place, process, place.origin.ca_pem)
