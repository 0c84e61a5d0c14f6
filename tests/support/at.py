"""A proxy that has not told yet where it listens."""

from pathlib import Path


class At:
    """What `fetch` needs of it."""

    host = "127.0.0.1"

    def __init__(self, port: int, ca_pem: Path) -> None:
        self.port = port
        self.ca_pem = ca_pem
