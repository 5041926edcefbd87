"""What the servers have in common: how connections were closed that their targets named, and TLS."""

import asyncio
import ssl
import sys

# "CODE REASON" of each name.
closings = {}


def closing(name):
    """A future of how the connection of this name is closed."""
    return closings.setdefault(name, asyncio.get_running_loop().create_future())


def tls():
    """The context of the certificate and the key that are the program's arguments, if they are there."""
    if len(sys.argv) == 1:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*sys.argv[1:])
    return context
