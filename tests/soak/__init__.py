"""A soak: real clients, an office's proxy, and everything that goes wrong; see README.md."""
