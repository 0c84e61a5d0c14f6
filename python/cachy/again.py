"""A request whose connection the origin closed without a word to it."""

from mitmproxy.proxy.layer import CommandGenerator
from mitmproxy.proxy.layers.http._events import RequestProtocolError, ResponseProtocolError

from cachy.connecting import ConnectingStream
from cachy.upstream import Unanswered


class AskingAgain(ConnectingStream):
    """Sends a safe request once more, on a new connection."""

    asked_again = False

    def handle_protocol_error(
        self, event: RequestProtocolError | ResponseProtocolError
    ) -> CommandGenerator[None]:
        """As the original, unless the request may be sent again."""
        if not (isinstance(event, Unanswered) and self.may_ask_again()):
            yield from super().handle_protocol_error(event)
            return
        self.asked_again = True
        # A connection of HTTP/2 may be alive, and not take this request.
        self.parent.suspect(self.context.server)
        yield from self.ask_again()

    def may_ask_again(self) -> bool:
        """Whether the request is safe and has no body, and nothing came of it so far."""
        request = self.flow.request
        return (
            not self.asked_again
            and request.method in ("GET", "HEAD")
            and not (request.raw_content or request.trailers or request.stream)
            and self.client_state == self.state_done
            and self.server_state == self.state_wait_for_response_headers
        )
