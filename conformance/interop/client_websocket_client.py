#!/usr/bin/env python3
"""The client of the Python package `websocket-client`, whose calls block; basic.py says what it is called with."""

import asyncio
import struct

import websocket
from websocket import ABNF

from basic import run_client

SECONDS = 30


async def connect(url, ca, _deflate):
    ws = await asyncio.to_thread(websocket.create_connection, url, timeout=SECONDS, sslopt={"ca_certs": ca})
    return Connection(ws)


class Connection:
    def __init__(self, ws):
        self.ws = ws
        self.extensions = ws.headers.get("sec-websocket-extensions")

    async def send(self, message):
        opcode = ABNF.OPCODE_TEXT if isinstance(message, str) else ABNF.OPCODE_BINARY
        await asyncio.to_thread(self.ws.send, message, opcode)

    async def recv(self):
        opcode, payload = await self._frame()
        assert opcode in (ABNF.OPCODE_TEXT, ABNF.OPCODE_BINARY), opcode
        return payload.decode() if opcode == ABNF.OPCODE_TEXT else payload

    async def ping(self, payload):
        await asyncio.to_thread(self.ws.ping, payload)
        opcode, payload = await self._frame()
        assert opcode == ABNF.OPCODE_PONG, opcode
        return payload

    async def close(self, code, reason):
        await asyncio.to_thread(self.ws.send_close, code, reason.encode())
        opcode, payload = await self._frame()
        assert opcode == ABNF.OPCODE_CLOSE, opcode
        self.ws.shutdown()
        return struct.unpack_from("!H", payload)[0]

    async def _frame(self):
        opcode, frame = await asyncio.to_thread(self.ws.recv_data_frame, True)
        return opcode, bytes(frame.data)


run_client(connect, full_duplex=False)
