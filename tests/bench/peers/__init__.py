"""What is compared, each in a file of its own kind."""

from .base import Peer, Place, Running
from .mitm import MITM_PEERS
from .nginx import Nginx
from .squid import Squid

PEERS: tuple[Peer, ...] = (*MITM_PEERS, Squid(), Nginx())

__all__ = ["PEERS", "Peer", "Place", "Running"]
