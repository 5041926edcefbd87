"""The echo server of Python's `picows`, as its README has it, on uvloop.

The defaults of everything, which includes its own transport (aiofastnet). It validates no UTF-8, so that the loop does: a
text is decoded. A message is sent at once, from a view of the read buffer.

    python picows_server.py [--tls] [--broadcast]
"""

from picows import WSCloseCode, WSListener, WSMsgType, ws_create_server

import common

options = common.options(deflate=False)
connections = set()


class Echo(WSListener):
    def on_ws_frame(self, transport, frame):
        if frame.msg_type == WSMsgType.TEXT:
            frame.get_payload_as_utf8_text()
        elif frame.msg_type != WSMsgType.BINARY:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.send_close(WSCloseCode.OK)
                transport.disconnect()
            return
        self.send(transport, frame)

    def send(self, transport, frame):
        transport.send(frame.msg_type, frame.get_payload_as_memoryview())


class Broadcast(Echo):
    def on_ws_connected(self, transport):
        connections.add(transport)

    def on_ws_disconnected(self, transport):
        connections.discard(transport)

    def send(self, transport, frame):
        payload = frame.get_payload_as_bytes()
        for member in connections:
            member.send(frame.msg_type, payload)


async def start():
    listener = Broadcast if options.broadcast else Echo
    return await ws_create_server(
        lambda request: listener(),
        "127.0.0.1",
        0,
        ssl=common.tls(options.tls),
        backlog=4096,
    )


common.run(start)
