"""An address that a client dials, behind which there is a proxy that it doesn't know of."""

from dataclasses import dataclass
from pathlib import Path

from .client import Connection, Reply, fetch
from .message import HeadersLike
from .proxy import Proxy


@dataclass
class Dialled:
    """An address that a client connects to; the proxy is in between, and it doesn't know."""

    proxy: Proxy
    port: int
    host: str

    @property
    def ca_pem(self) -> Path:
        """The CA to trust."""
        return self.proxy.ca_pem

    def get(self, url: str, sni: str | None = None, headers: HeadersLike | None = None) -> Reply:
        """Fetches a URL at this address; without a name for TLS where that is empty."""
        return fetch(self, url, headers=headers, tunnel=False, sni=sni, verify=sni != "")

    def ask(self, url: str, head: str, sni: str | None = None) -> Reply:
        """What comes for a head that is sent as it is."""
        with Connection(self, url, tunnel=False, sni=sni) as client:
            client.send_raw(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
            reply = client.read_head()
            reply.body = client.read_to_end()
            return reply
