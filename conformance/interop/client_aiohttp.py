#!/usr/bin/env python3
"""The client of the Python package `aiohttp`; basic.py says what it is called with."""

import ssl

import aiohttp

from basic import run_client

ENDS = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED)


async def connect(url, ca, deflate):
    tls = ssl.create_default_context(cafile=ca) if ca else True
    session = aiohttp.ClientSession()
    ws = await session.ws_connect(url, ssl=tls, compress=15 if deflate else 0, max_msg_size=0, autoping=False)
    return Connection(session, ws)


class Connection:
    def __init__(self, session, ws):
        self.session, self.ws = session, ws
        self.extensions = ws._response.headers.get("Sec-WebSocket-Extensions")

    async def send(self, message):
        await (self.ws.send_str if isinstance(message, str) else self.ws.send_bytes)(message)

    async def recv(self):
        message = await self.ws.receive()
        if message.type in ENDS:
            raise AssertionError("closed instead of a message")
        return message.data

    async def ping(self, payload):
        await self.ws.ping(payload)
        message = await self.ws.receive()
        assert message.type == aiohttp.WSMsgType.PONG, message
        return bytes(message.data)

    async def close(self, code, reason):
        await self.ws.close(code=code, message=reason.encode())
        await self.session.close()
        return self.ws.close_code


run_client(connect)
