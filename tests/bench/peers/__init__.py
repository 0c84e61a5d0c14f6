"""What is compared, each in a file of its own kind."""

from .base import Peer, Place, Running
from .mitm import MITM_PEERS, NO_LANE
from .nginx import Nginx
from .squid import Squid

PEERS: tuple[Peer, ...] = (
    *MITM_PEERS,
    Squid(),
    Nginx("nginx", "nginx serving the files, no proxy", workers=1),
    Nginx("nginx 2", "the same with two workers", workers=2),
)

__all__ = ["NO_LANE", "PEERS", "Peer", "Place", "Running"]
