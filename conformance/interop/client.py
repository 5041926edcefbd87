#!/usr/bin/env python3
"""client.py ws://HOST:PORT/ MAX_MESSAGE [--deflate]
client.py wss://HOST:PORT/ --ca FILE MAX_MESSAGE [--deflate] [--proxied]

Checks an echo server with the client of the Python package `websockets`.
MAX_MESSAGE is the largest message that the server takes, in bytes. With --deflate the server
has to agree to permessage-deflate, and without it to decline. Over TLS the certificate in the
PEM file is the only one that is trusted. With --proxied a proxy stands in front of the server, and
what it answers by itself is left out.
"""

import argparse
import asyncio
import ssl
import sys
import time
import urllib.parse

from websockets.asyncio.client import connect

from checks import CLOSES, check, check_messages, closed_with, echo, equal, noise, run_checks, sizes

parser = argparse.ArgumentParser()
parser.add_argument("url")
parser.add_argument("max_message", type=int)
parser.add_argument("--ca")
parser.add_argument("--deflate", action="store_true")
parser.add_argument("--proxied", action="store_true")
args = parser.parse_args()

URL, MAX_MESSAGE = args.url, args.max_message
COMPRESSION = "deflate" if args.deflate else None
TLS = ssl.create_default_context(cafile=args.ca) if args.ca else None

def open_connection(**options):
    options = {"ssl": TLS, "compression": COMPRESSION, **options}
    return connect(URL, max_size=None, proxy=None, **options)


@check("the offer of compression is answered as the server was started")
async def compression():
    async with open_connection(compression="deflate") as ws:
        extensions = ws.response.headers.get_all("Sec-WebSocket-Extensions")
        names = [value.split(";")[0] for value in extensions]
        equal(names, ["permessage-deflate"] if COMPRESSION else [], "extensions")
        await echo(ws, "hi")


check_messages(open_connection, MAX_MESSAGE)


@check("fragmented binary message, growing fragments")
async def fragmented_binary():
    fragments = [noise(n * 97) for n in range(60)]
    async with open_connection() as ws:
        await ws.send(fragments)
        equal(await ws.recv(), b"".join(fragments), "echo")


@check("fragmented text, split between characters")
async def fragmented_text():
    fragments = ["aß", "", "水", "🦀", "", "end"]
    async with open_connection() as ws:
        await ws.send(fragments)
        equal(await ws.recv(), "".join(fragments), "echo")


@check("MAX_MESSAGE bytes in 4 KiB fragments")
async def fragmented_large():
    payload = noise(MAX_MESSAGE)
    async with open_connection() as ws:
        await ws.send(payload[at:at + 4096] for at in range(0, len(payload), 4096))
        equal(await ws.recv(), payload, "echo")


@check("pings between the fragments of a message")
async def pings_between_fragments():
    async with open_connection() as ws:
        pongs = []

        async def fragments():
            for n in range(20):
                pongs.append(await ws.ping(b"ping %d" % n))
                yield b"x" * n

        await ws.send(fragments())
        equal(await ws.recv(), b"x" * sum(range(20)), "echo")
        await pongs[-1]


for size in (0, 1, 125):
    @check("ping with %d bytes is answered with the same bytes" % size)
    async def ping(size=size):
        async with open_connection() as ws:
            # The awaited pong is the one that carries the payload.
            await (await ws.ping(b"p" * size))


@check("unsolicited pong is ignored")
async def unsolicited_pong():
    async with open_connection() as ws:
        await ws.pong(b"nobody asked")
        await echo(ws, "still here")


for code, reason in CLOSES:
    @check("close %d %.12r is echoed" % (code, reason))
    async def close(code=code, reason=reason):
        ws = await open_connection()
        await ws.close(code, reason)
        equal(ws.protocol.close_rcvd and ws.protocol.close_rcvd.code, code, "echoed code")
        equal(ws.protocol.close_rcvd_then_sent, False, "closed by the server first")


@check("close while echoes are on their way")
async def close_with_echoes_pending():
    async with open_connection(max_queue=None) as ws:
        for n in range(100):
            await ws.send("x" * 1000)
        await ws.close(1000, "enough")
        equal(ws.protocol.close_rcvd and ws.protocol.close_rcvd.code, 1000, "echoed code")


# Frames that the library would not send, written past it: (name, bytes, close code), where 1005
# is a close without a code.
MASK = b"\0\0\0\0"
FRAMES = [
    ("close without a code", b"\x88\x80" + MASK, 1005),
    ("unmasked text", b"\x81\x02hi", 1002),
    ("unmasked close", b"\x88\x02\x03\xe8", 1002),
    # Where compression is agreed on it marks a compressed message, which this is not.
    ("reserved bit 1", b"\xc1\x82" + MASK + b"hi", 1007 if COMPRESSION else 1002),
    ("reserved bit 2", b"\xa1\x82" + MASK + b"hi", 1002),
    ("reserved opcode 3", b"\x83\x82" + MASK + b"hi", 1002),
    ("reserved opcode 11", b"\x8b\x80" + MASK, 1002),
    ("fragmented ping", b"\x09\x80" + MASK, 1002),
    ("ping of 126 bytes", b"\x89\xfe\x00\x7e" + MASK + b"p" * 126, 1002),
    ("continuation of nothing", b"\x80\x82" + MASK + b"hi", 1002),
    ("new message inside a message", b"\x01\x82" + MASK + b"hi" + b"\x81\x82" + MASK + b"hi", 1002),
    ("16-bit length of 5", b"\x81\xfe\x00\x05" + MASK + b"hello", 1002),
    ("length with its top bit set", b"\x82\xff" + b"\xff" * 8 + MASK, 1002),
    ("close with a 1-byte payload", b"\x88\x81" + MASK + b"\x03", 1002),
    ("close with the code 1005", b"\x88\x82" + MASK + b"\x03\xed", 1002),
    ("close with a reason that is not UTF-8", b"\x88\x83" + MASK + b"\x03\xe8\xff", 1007),
    ("text that is not UTF-8", b"\x81\x82" + MASK + b"\xc3\x28", 1007),
    ("message of MAX_MESSAGE + 1 bytes", b"\x82\xff" + (MAX_MESSAGE + 1).to_bytes(8, "big") + MASK, 1009),
]
for name, frame, code in FRAMES:
    @check("%s is answered with close %d" % (name, code))
    async def raw_frame(frame=frame, code=code):
        ws = await open_connection()
        ws.transport.write(frame)
        await closed_with(ws, code)


@check("offered subprotocols are left out of the answer")
async def subprotocol():
    async with open_connection(subprotocols=["chat", "superchat"]) as ws:
        equal(ws.subprotocol, None, "subprotocol")
        equal("Sec-WebSocket-Protocol" in ws.response.headers, False, "Sec-WebSocket-Protocol")
        await echo(ws, "hi")


# It waits, and compression makes no difference to it.
if (TLS or not COMPRESSION) and not args.proxied:
    @check("half a handshake is dropped after 10 seconds")
    async def half_a_handshake():
        started = time.monotonic()
        address = urllib.parse.urlsplit(URL)
        reader, writer = await asyncio.open_connection(address.hostname, address.port, ssl=TLS)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        answer = await reader.read()
        writer.close()
        seconds = time.monotonic() - started
        if not 9.5 < seconds < 12:
            raise AssertionError("it ended after %.1f s" % seconds)
        equal(answer.split(b"\r\n")[0], b"HTTP/1.1 408 Request Timeout", "answer")


async def refused(verify_code, **options):
    try:
        async with open_connection(**options):
            raise AssertionError("it was trusted")
    except ssl.SSLCertVerificationError as error:
        equal(error.verify_code, verify_code, error.verify_message)


if TLS:
    @check("a certificate that is not trusted is refused")
    async def stranger():
        await refused(18, ssl=ssl.create_default_context())  # X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT

    @check("a certificate for another host is refused")
    async def other_host():
        await refused(62, server_hostname="elsewhere.example")  # X509_V_ERR_HOSTNAME_MISMATCH

    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        @check("messages over %s" % version.name)
        async def version_of_tls(version=version):
            context = ssl.create_default_context(cafile=args.ca)
            context.minimum_version = context.maximum_version = version
            async with open_connection(ssl=context) as ws:
                equal(ws.transport.get_extra_info("ssl_object").version(), version.name.replace("_", "."), "version")
                for size in sizes(MAX_MESSAGE):
                    await echo(ws, noise(size))


sys.exit(run_checks())
