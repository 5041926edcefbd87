"""The echo server of Python's `websockets`, as its documentation has it, on uvloop.

Its C extension and the asyncio implementation are the defaults. Compression and pings, which are on by default, are off
as in all servers here; asked for, it compresses at level 1. A message is sent at once.

    python websockets_server.py [--tls] [--deflate none|no-takeover|takeover] [--broadcast]
"""

from websockets.asyncio.server import broadcast, serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

import common

options = common.options(deflate=True)
connections = set()


async def echo(websocket):
    async for message in websocket:
        await websocket.send(message)


async def send_to_all(websocket):
    connections.add(websocket)
    try:
        async for message in websocket:
            broadcast(connections, message)
    finally:
        connections.discard(websocket)


def extensions():
    if options.deflate == "none":
        return None
    alone = options.deflate == "no-takeover"
    return [
        ServerPerMessageDeflateFactory(
            server_no_context_takeover=alone,
            client_no_context_takeover=alone,
            compress_settings={"level": 1},
        )
    ]


async def start():
    return await serve(
        send_to_all if options.broadcast else echo,
        "127.0.0.1",
        0,
        ssl=common.tls(options.tls),
        extensions=extensions(),
        compression=None,
        ping_interval=None,
        max_size=16 << 20,
        backlog=4096,
    )


common.run(start)
