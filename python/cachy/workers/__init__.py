"""Several mitmproxy processes on one port: `supervisor` starts them, listens, and hands each connection to
the one with the fewest, as a descriptor; `worker` takes it there, as if it had been accepted.

Why not let the system share them out: SO_REUSEPORT goes by a hash, which may give eight connections to
one process of two, and what waits for a process is lost with it; a listener that all have in common lets
whoever wakes first take all that have come.
"""
