"""What the clients of `aiohttp`, `tornado` and `websocket-client` have in common: arguments and checks.

    CLIENT URL MAX_MESSAGE [--deflate] [--ca FILE]

MAX_MESSAGE is the largest message that the server takes, in bytes. With --deflate the server has to
agree to permessage-deflate. Over TLS the certificate in the PEM file is the only one that is trusted.

A client is a function `connect(url, ca, deflate)` that awaits a connection: with `send(message)` and
`recv()`, `ping(payload)` that waits for the Pong and returns what it carries, `close(code, reason)`
that returns the code of the server's Close frame, and `extensions`, the server's answer about them.
With `full_duplex=False` nothing is sent while an echo is awaited.
"""

import argparse
import contextlib
import sys

from checks import CLOSES, check, check_messages, echo, equal, noise, run_checks


def run_client(connect, full_duplex=True):
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("max_message", type=int)
    parser.add_argument("--ca")
    parser.add_argument("--deflate", action="store_true")
    args = parser.parse_args()

    @contextlib.asynccontextmanager
    async def open_connection():
        ws = await connect(args.url, args.ca, args.deflate)
        yield ws
        equal(await ws.close(1000, ""), 1000, "echoed code")

    add_checks(open_connection, args.max_message, args.deflate, full_duplex)
    sys.exit(run_checks())


def add_checks(open_connection, max_message, deflate, full_duplex):
    @check("the offer of compression is answered as the server was started")
    async def compression():
        async with open_connection() as ws:
            equal((ws.extensions or "").split(";")[0], "permessage-deflate" if deflate else "", "extensions")

    check_messages(open_connection, max_message, full_duplex)

    for size in (0, 1, 125):
        @check("ping with %d bytes is answered with the same bytes" % size)
        async def ping(size=size):
            async with open_connection() as ws:
                equal(await ws.ping(noise(size)), noise(size), "pong")
                await echo(ws, "hi")

    for code, reason in CLOSES:
        @check("close %d %.12r is echoed" % (code, reason))
        async def close(code=code, reason=reason):
            async with open_connection() as ws:
                await echo(ws, "hi")
                equal(await ws.close(code, reason), code, "echoed code")
                ws.close = nothing_more


async def nothing_more(code, reason):
    """Stands in for closing a connection that is closed."""
    return code
