"""Which run a request belongs to: the field ``Cachy-Run`` says it, on CONNECT or on the first plain
request of a connection, and goes no further.
"""

import os

from mitmproxy import http

#: The name of the field.
FIELD = "Cachy-Run"
#: The variable with the run of all connections that don't name theirs.
VARIABLE = "CACHY_RUN"


class Runs:
    """The runs of the clients that are connected."""

    def __init__(self) -> None:
        self.default = os.environ.get(VARIABLE)
        self.by_client: dict[str, str] = {}

    def note(self, flow: http.HTTPFlow) -> None:
        """Takes the field away, and remembers what it said for the connection."""
        if FIELD in flow.request.headers:
            self.name(flow.client_conn.id, flow.request.headers.pop(FIELD))

    def name(self, client: str, run: str) -> None:
        """A client (its id) has named its run."""
        self.by_client.setdefault(client, run)

    def of(self, flow: http.HTTPFlow) -> str | None:
        """The run of a flow's connection."""
        return self.by_client.get(flow.client_conn.id, self.default)

    def forget(self, client: str) -> None:
        """A client (its id) has left."""
        self.by_client.pop(client, None)
