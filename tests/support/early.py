"""A script for mitmdump whose start takes its time, and which says so when a client comes by before it is
over.
"""

import asyncio
import logging
import os
from pathlib import Path

from mitmproxy.connection import Client

#: The variable with the name of a file; the start is over when it is gone.
VARIABLE = "START_WAITS_FOR"


logger = logging.getLogger(__name__)


class Slow:
    """The addon."""

    over = False

    async def running(self) -> None:
        """Goes on when the file is gone."""
        path = Path(os.environ[VARIABLE])
        while path.exists():
            await asyncio.sleep(0.02)
        self.over = True

    def client_connected(self, client: Client) -> None:
        """An error ends the start."""
        if not self.over:
            logger.error(f"{client.peername} is served before the start is over")


addons = [Slow()]
