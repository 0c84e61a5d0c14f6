"""A server on loopback that the origin hands its requests to, so that they are recorded."""

import asyncio

from .message import Request
from .reply import Reply

HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Behind:
    """Asks a server that speaks plain HTTP, on a connection for each request."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def __call__(self, request: Request, reply: Reply) -> None:
        """Answer one request."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            # HTTP/1.0: what comes ends with the connection.
            lines = [f"{request.method} {request.target} HTTP/1.0"]
            lines += [
                f"{name}: {value}" for name, value in request.headers if name.lower() not in HOP
            ]
            lines.append(f"Content-Length: {len(request.body)}")
            writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + request.body)
            head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        finally:
            writer.close()
        first, *fields = head.decode("latin-1").split("\r\n")
        parts = [field.partition(": ") for field in fields]
        length = next((int(v) for n, _, v in parts if n.lower() == "content-length"), len(body))
        headers = [(name, value) for name, _, value in parts if name.lower() not in HOP]
        await reply.head(int(first.split(" ")[1]), headers, length=length)
        if request.method != "HEAD":
            await reply.send(body)
        await reply.end()
