"""What `cachy.enclosed` is made of: a command in a network of its own, whose web is a proxy.

The way of a connection: the command asks for a name, and `names` gives it an address that stands for
that name. Every address is this machine's there (`network`), so `gate` accepts the connection, tells
the name by the address, and hands the socket itself over a unix socket to `relay`, outside, which
asks the proxy for ``CONNECT name:port`` and carries bytes. `files` covers the files by which programs
find names and roots of trust. `inside` puts that together, around the command.
"""
