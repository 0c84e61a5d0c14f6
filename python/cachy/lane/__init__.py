"""The fast lane: hits that go from the client's socket through the core and back, without flows.

A client's connection begins here (`client`): CONNECT, TLS (`greeting`, `certificates`) and requests are
taken by the core, which answers what is a hit right now. With the first request that isn't, mitmproxy's own
layers get the connection as if they had had it from the beginning (`handover`); once they have answered
and wait for the next request, the lane looks at that one first.
"""
