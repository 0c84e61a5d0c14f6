"""A client that gives one of its streams up while upstream is being connected to."""

import asyncio
import time

import pytest

from support.client_h2 import H2Client
from support.message import Request
from support.network import Network
from support.origin import Origin
from support.proxy import Proxy
from support.reply import Reply
from support.trouble import MAX_AGE_0

#: Seconds: more than the core gives a connection.
LONG = 3.0


@pytest.mark.parametrize("kind", ["stored", "missing"])
def test_the_other_streams_go_on(
    shared_proxy: Proxy, network: Network, origin: Origin, host: str, kind: str
) -> None:
    """The deadline of the connection that nobody wants any more harms no other stream."""

    async def slowly(request: Request, reply: Reply) -> None:
        await reply.head(200, length=2)
        await asyncio.sleep(LONG)
        await reply.send(b"xx")
        await reply.end()

    left, other = f"https://{host}/left", f"https://{host}/other"
    origin.route(left, b"1", headers=MAX_AGE_0)
    origin.handle(host, "/other", slowly)
    with H2Client(shared_proxy, left, timeout=10) as client:
        if kind == "stored":
            assert client.fetch(left).body == b"1"
            # A connection that lives would be used again.
            origin.drop_connections()
        network.down(host, "blackhole")
        number = client.send_request(left)
        time.sleep(0.3)
        client.reset(number)
        network.up()
        assert client.fetch(other).body == b"xx"
