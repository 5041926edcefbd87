#!/usr/bin/env python3
"""server.py [CERT KEY]

An echo server with the Python package `websockets`, on a free port of the loopback interface: it
prints HOST:PORT when it is ready. With the PEM files of a certificate and its key it takes TLS
connections and no others. The target of a request says what is wanted:

    /echo           echo every message; with fragment=BYTES in fragments of that size
    /zeros?bytes=N  send one message of N zero bytes
    /raw?hex=BYTES  send these bytes past the library
    /close?code=N&reason=TEXT
    /refuse         answer with status 403
    /closed?id=ID   wait until the connection ID is closed, and send how the client closed it

`id=ID` names a connection. `deflate` makes compression possible; with it go the parameters of
RFC 7692 7.1 that the server asks for, such as `server_max_window_bits=9`. Of the subprotocols
offered the server chooses `chosen`.
"""

import asyncio
import urllib.parse

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

from servers import closing, tls


def parse(target):
    url = urllib.parse.urlsplit(target)
    return url.path, dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))


def prepare(connection, request):
    path, query = parse(request.path)
    if path == "/refuse":
        return connection.respond(403, "not for you\n")
    if "deflate" in query:
        connection.protocol.available_extensions = [deflate(query)]
    return None


def deflate(query):
    def window_bits(name):
        return int(query[name]) if name in query else None

    return ServerPerMessageDeflateFactory(
        server_no_context_takeover="server_no_context_takeover" in query,
        client_no_context_takeover="client_no_context_takeover" in query,
        server_max_window_bits=window_bits("server_max_window_bits"),
        client_max_window_bits=window_bits("client_max_window_bits"),
    )


def choose(_protocol, offered):
    return "chosen" if "chosen" in offered else None


async def handle(ws):
    path, query = parse(ws.request.path)
    try:
        await answer(ws, path, query)
        await ws.wait_closed()
    except ConnectionClosed:
        pass
    if "id" in query:
        received = ws.protocol.close_rcvd
        closing(query["id"]).set_result("%d %s" % (received.code, received.reason) if received else "1006 ")


async def answer(ws, path, query):
    if path == "/echo":
        size = int(query.get("fragment", 0))
        async for message in ws:
            await ws.send(fragments(message, size) if size and message else message)
    elif path == "/zeros":
        await ws.send(bytes(int(query["bytes"])))
    elif path == "/raw":
        ws.transport.write(bytes.fromhex(query["hex"]))
    elif path == "/close":
        await ws.close(int(query["code"]), query["reason"])
    elif path == "/closed":
        await ws.send(await closing(query["of"]))


def fragments(message, size):
    return [message[at:at + size] for at in range(0, len(message), size)]


async def main():
    options = {"process_request": prepare, "select_subprotocol": choose, "compression": None, "max_size": None}
    async with serve(handle, "127.0.0.1", 0, ssl=tls(), **options) as server:
        print("%s:%d" % server.sockets[0].getsockname(), flush=True)
        await server.serve_forever()


asyncio.run(main())
