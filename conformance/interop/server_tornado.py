#!/usr/bin/env python3
"""server_tornado.py [CERT KEY]

An echo server with the Python package `tornado`, on a free port of the loopback interface: it prints
HOST:PORT when it is ready, and agrees to permessage-deflate. With the PEM files of a certificate and
its key it takes TLS connections and no others. The target of a request says what is wanted, as
server.py has it, but for fragments, raw bytes and the parameters of compression.
"""

import asyncio

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from servers import closing, tls

LIMIT = 1 << 30


class Echo(WebSocketHandler):
    def get_compression_options(self):
        return {}

    def select_subprotocol(self, offered):
        return "chosen" if "chosen" in offered else None

    async def get(self, *_):
        if self.request.path == "/refuse":
            self.set_status(403)
            self.finish("not for you\n")
        else:
            await super().get()

    async def open(self):
        path = self.request.path
        if path == "/zeros":
            await self.write_message(bytes(int(self.get_argument("bytes"))), binary=True)
        elif path == "/close":
            self.close(int(self.get_argument("code")), self.get_argument("reason"))
        elif path == "/closed":
            await self.write_message(await closing(self.get_argument("of")))

    async def on_message(self, message):
        await self.write_message(message, binary=isinstance(message, bytes))

    def on_close(self):
        name = self.get_argument("id", None)
        if name:
            closing(name).set_result("%s %s" % (self.close_code, self.close_reason or ""))


async def main():
    app = Application([(r".*", Echo)], websocket_max_message_size=LIMIT)
    sockets = bind_sockets(0, "127.0.0.1")
    HTTPServer(app, ssl_options=tls()).add_sockets(sockets)
    print("%s:%d" % sockets[0].getsockname(), flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
