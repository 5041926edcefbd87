#!/usr/bin/env python3
"""server_aiohttp.py [CERT KEY]

An echo server with the Python package `aiohttp`, on a free port of the loopback interface: it prints
HOST:PORT when it is ready, and agrees to permessage-deflate. With the PEM files of a certificate and
its key it takes TLS connections and no others. The target of a request says what is wanted, as
server.py has it, but for fragments, raw bytes and the parameters of compression.
"""

import asyncio

from aiohttp import WSMsgType, web

from servers import closing, tls


async def handle(request):
    query = request.query
    if request.path == "/refuse":
        return web.Response(status=403, text="not for you\n")
    # Left to itself it answers each code with 1000.
    ws = web.WebSocketResponse(protocols=["chosen"], max_msg_size=0, autoclose=False)
    await ws.prepare(request)
    if request.path == "/zeros":
        await ws.send_bytes(bytes(int(query["bytes"])))
    elif request.path == "/close":
        await ws.close(code=int(query["code"]), message=query["reason"].encode())
    elif request.path == "/closed":
        await ws.send_str(await closing(query["of"]))
    reason = ""
    while not ws.closed:
        message = await ws.receive()
        if message.type == WSMsgType.TEXT:
            await ws.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await ws.send_bytes(message.data)
        elif message.type == WSMsgType.CLOSE:
            reason = message.extra
            await ws.close(code=message.data or 1000)
    if "id" in query:
        closing(query["id"]).set_result("%d %s" % (ws.close_code, reason))
    return ws


async def main():
    app = web.Application()
    app.router.add_get("/{any:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls()).start()
    print("%s:%d" % runner.addresses[0], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
