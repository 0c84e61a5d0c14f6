"""What a proxy tells when it listens."""

from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Listening:
    """Where a proxy listens, and what its clients have to trust."""

    addresses: list[tuple[str, int]]
    ca_pem: str

    @classmethod
    def of(cls, told: dict[str, Any]) -> Self:
        """From what came through a pipe."""
        return cls([(host, port) for host, port in told["addresses"]], told["ca_pem"])

    @property
    def port(self) -> int:
        """The port of the first address."""
        return self.addresses[0][1]
