#!/usr/bin/env python3
"""The client of the Python package `tornado`; basic.py says what it is called with."""

import asyncio

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from basic import run_client

LIMIT = 1 << 30


class Pongs(WebSocketClientConnection):
    """A connection that keeps the Pong that came last."""

    def on_pong(self, data):
        super().on_pong(data)
        self.pong.set_result(data)


async def connect(url, ca, deflate):
    request = HTTPRequest(url, ca_certs=ca)
    ws = await websocket_connect(request, compression_options={} if deflate else None, max_message_size=LIMIT)
    ws.__class__ = Pongs
    return Connection(ws)


class Connection:
    def __init__(self, ws):
        self.ws = ws
        self.extensions = ws.headers.get("Sec-WebSocket-Extensions")

    async def send(self, message):
        await self.ws.write_message(message, binary=isinstance(message, bytes))

    async def recv(self):
        message = await self.ws.read_message()
        if message is None:
            raise AssertionError("closed instead of a message")
        return message

    async def ping(self, payload):
        self.ws.pong = asyncio.get_running_loop().create_future()
        self.ws.ping(payload)
        return await self.ws.pong

    async def close(self, code, reason):
        self.ws.close(code, reason)
        message = await self.ws.read_message()
        assert message is None, message
        return self.ws.close_code


run_client(connect)
