"""What the tests need around the product: origin, proxy, clients, name service."""
