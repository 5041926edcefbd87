#!/usr/bin/env python3
"""client_deflate.py MAX_MESSAGE SERVER...

Checks permessage-deflate (RFC 7692) of echo servers with the client of the Python package
`websockets`. A SERVER is one argument: its address and, after spaces, the options of
`framewire serve` that it was started with. MAX_MESSAGE is the largest message that each takes,
in bytes.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import sys
import zlib

from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.headers import parse_extension

from checks import check, closed_with, echo, equal, noise, run_checks

WINDOW_BITS = range(9, 16)
# zlib finds what was repeated within its window less this much (its MIN_LOOKAHEAD is 262).
LOOKAHEAD = 300


def parse_server(argument):
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--deflate", nargs="?", required=True)
    parser.add_argument("--no-context-takeover", action="store_true")
    parser.add_argument("--window-bits", type=int, default=15)
    server = parser.parse_args(argument.split())
    server.options = argument.partition(" ")[2]
    return server


MAX_MESSAGE = int(sys.argv[1])
SERVERS = [parse_server(argument) for argument in sys.argv[2:]]


def records(size):
    """Text that compresses well, and is not the same twice."""
    text = "".join(json.dumps({"id": n, "price": n * 7919 % 1000, "ok": n % 3 == 0}) for n in range(size // 30))
    return text[:size]


MESSAGES = [
    "", b"", "a", b"\0", "hello", "Grüße aus Köln, Привет, 水をマレーシアから, 𝄞🦀👩🏽‍🚀",
    records(300), noise(1000), records(100_000), noise(65_536), "",
]
LARGE_MESSAGES = [records(1 << 20), noise(1 << 20), "aß水🦀" * 104_857, bytes(3 << 20)]
FRAGMENTED_MESSAGES = [
    ["aß", "", "水", "🦀", "", "end"],
    [b"", b""],
    [noise(n * 97) for n in range(60)],
    [records(3000) for _ in range(60)],
]
PIPELINED_MESSAGES = [records(100 + n % 200) + str(n) for n in range(500)]


def expected_answer(server, offer):
    """What RFC 7692 7.1 makes of an offer: what either end wants limited is limited."""
    answer = {}
    for parameter in ("server_no_context_takeover", "client_no_context_takeover"):
        if server.no_context_takeover or offer.get(parameter):
            answer[parameter] = None
    offered = offer.get("server_max_window_bits")
    if offered or server.window_bits < 15:
        answer["server_max_window_bits"] = min(offered or 15, server.window_bits)
    # Where the client does not speak of its window, the server may not either.
    offered = offer.get("client_max_window_bits")
    if offered:
        bits = min(15 if offered is True else offered, server.window_bits)
        if bits < 15:
            answer["client_max_window_bits"] = bits
    return answer


@contextlib.asynccontextmanager
async def connection(server, **offer):
    """A connection on which the offer was answered as it has to be; with the answer."""
    offer.setdefault("client_max_window_bits", None)
    extensions = [ClientPerMessageDeflateFactory(**offer)]
    async with connect(server.url, extensions=extensions, compression=None, max_size=None, proxy=None) as ws:
        [header] = ws.response.headers.get_all("Sec-WebSocket-Extensions")
        [(name, parameters)] = parse_extension(header)
        equal(name, "permessage-deflate", "extension")
        values = {name: value and int(value) for name, value in parameters}
        answer = expected_answer(server, offer)
        equal(values, answer, "answer to %s" % offer)
        yield ws, answer


def record_frames(ws):
    """The data frames that come in from now on, as they are on the wire: RSV1 and length."""
    frames = []
    [extension] = ws.protocol.extensions
    decode = extension.decode

    def recorded(frame, **options):
        frames.append((frame.rsv1, len(frame.data)))
        return decode(frame, **options)

    extension.decode = recorded
    return frames


async def check_window(ws, answer, bits):
    """What fits into a window of so many bits is sent in full once by a server that keeps its
    context, and twice by one that does not or whose window is smaller."""
    frames = record_frames(ws)
    for size, fits in ((2**bits - LOOKAHEAD, True), (2**bits + 1, False)):
        message = noise(size)
        del frames[:]
        await echo(ws, message)
        await echo(ws, message)
        equal([rsv1 for rsv1, _ in frames], [True, True], "RSV1")
        server_bits = answer.get("server_max_window_bits", 15)
        is_short = "server_no_context_takeover" not in answer and (bits < server_bits or bits == server_bits and fits)
        equal(frames[1][1] < size / 4, is_short, "%d bytes again, in %d bytes, short" % (size, frames[1][1]))


def name_of(server, offer):
    parameters = [name if value is True else "%s=%s" % (name, value) for name, value in offer.items() if value]
    return "serve %s, offered %s: " % (server.options, ", ".join(parameters) or "nothing")


TAKEOVER = [
    {"server_no_context_takeover": server, "client_no_context_takeover": client}
    for server, client in itertools.product([False, True], repeat=2)
]
WINDOWS = [
    {"server_max_window_bits": server, "client_max_window_bits": client}
    for server, client in [
        (None, None), (None, True),
        *((bits, None) for bits in WINDOW_BITS),
        *((None, bits) for bits in WINDOW_BITS),
        *((bits, 24 - bits) for bits in WINDOW_BITS),
    ]
]

for server, takeover in itertools.product(SERVERS, TAKEOVER):
    # Windows do not depend on which end keeps its context, so both ends keep theirs, or none does.
    for windows in WINDOWS if takeover in (TAKEOVER[0], TAKEOVER[-1]) else WINDOWS[:1]:
        @check(name_of(server, {**takeover, **windows}) + "contexts and windows are those agreed on")
        async def contexts(server=server, offer={**takeover, **windows}):
            async with connection(server, **offer) as (ws, answer):
                for bits in {answer.get(end + "_max_window_bits", 15) for end in ("server", "client")}:
                    await check_window(ws, answer, bits)

    @check(name_of(server, takeover) + "messages of all kinds on one connection")
    async def messages(server=server, takeover=takeover):
        async with connection(server, **takeover, client_max_window_bits=True) as (ws, _):
            for message in MESSAGES * 2:
                await echo(ws, message)

    @check(name_of(server, takeover) + "fragmented messages")
    async def fragmented(server=server, takeover=takeover):
        async with connection(server, **takeover) as (ws, _):
            for fragments in FRAGMENTED_MESSAGES:
                await ws.send(fragments)
                equal(await ws.recv(), type(fragments[0])().join(fragments), "echo")

    @check(name_of(server, takeover) + "pipelined messages come back in order")
    async def pipelined(server=server, takeover=takeover):
        async with connection(server, **takeover) as (ws, _):
            async def send():
                for message in PIPELINED_MESSAGES:
                    await ws.send(message)

            sending = asyncio.create_task(send())
            for message in PIPELINED_MESSAGES:
                equal(await ws.recv(), message, "echo")
            await sending

    @check(name_of(server, takeover) + "messages that are compressed beside some that are not")
    async def mixed(server=server, takeover=takeover):
        async with connection(server, **takeover) as (ws, _):
            [extension] = ws.protocol.extensions
            compress = extension.encode
            for n in range(30):
                extension.encode = compress if n % 3 else lambda frame: frame
                await echo(ws, records(1000 + n))

    @check(name_of(server, takeover) + "a ping between compressed fragments")
    async def ping(server=server, takeover=takeover):
        async with connection(server, **takeover) as (ws, _):
            pongs = []

            async def fragments():
                for n in range(10):
                    pongs.append(await ws.ping(b"ping %d" % n))
                    yield b"x" * n

            await ws.send(fragments())
            equal(await ws.recv(), b"x" * sum(range(10)), "echo")
            await pongs[-1]

for server in SERVERS:
    @check("serve %s: large messages" % server.options)
    async def large_messages(server=server):
        async with connection(server) as (ws, _):
            for message in LARGE_MESSAGES * 2:
                await echo(ws, message)

    @check("serve %s: a large message in 4 KiB fragments" % server.options)
    async def large_fragmented(server=server):
        message = LARGE_MESSAGES[0]
        async with connection(server) as (ws, _):
            await ws.send(message[at:at + 4096] for at in range(0, len(message), 4096))
            equal(await ws.recv(), message, "echo")

    @check("serve %s: 32 connections at once" % server.options)
    async def many_connections(server=server):
        async def one(n):
            async with connection(server) as (ws, _):
                for round_ in range(10):
                    await echo(ws, records(100 * n + round_))

        await asyncio.gather(*(one(n) for n in range(32)))

    @check("serve %s: MAX_MESSAGE bytes come back, one byte more is answered with close 1009" % server.options)
    async def bomb(server=server):
        async with connection(server) as (ws, _):
            await echo(ws, bytes(MAX_MESSAGE))
            await ws.send(bytes(MAX_MESSAGE + 1))
            await closed_with(ws, 1009)

    @check("serve %s: a bomb in fragments is answered with close 1009" % server.options)
    async def fragmented_bomb(server=server):
        async with connection(server) as (ws, _):
            piece = bytes(MAX_MESSAGE // 4)
            # One that has no end: the server has to stop at the limit, not at the message's end.
            fragments = b"".join(
                bytes([opcode, 0xFE]) + len(data).to_bytes(2, "big") + MASK + data
                for opcode, data in zip([0x42, 0, 0, 0, 0], deflate_flushed([piece] * 5))
            )
            ws.transport.write(fragments)
            await closed_with(ws, 1009)

    @check("serve %s: the first offer is accepted" % server.options)
    async def first_offer(server=server):
        offers = [{"server_max_window_bits": 10}, {"server_max_window_bits": 9}, {}]
        extensions = [ClientPerMessageDeflateFactory(**offer) for offer in offers]
        async with connect(server.url, extensions=extensions, compression=None, proxy=None) as ws:
            [(_, parameters)] = parse_extension(ws.response.headers["Sec-WebSocket-Extensions"])
            bits = str(min(10, server.window_bits))
            equal(dict(parameters).get("server_max_window_bits"), bits, "server_max_window_bits")
            await echo(ws, records(1000))

    @check("serve %s: what is sent fits a window of 8 bits where that is asked for" % server.options)
    async def smallest_window(server=server):
        extensions = [ClientPerMessageDeflateFactory(server_max_window_bits=8)]
        async with connect(server.url, extensions=extensions, compression=None, proxy=None) as ws:
            [(_, parameters)] = parse_extension(ws.response.headers["Sec-WebSocket-Extensions"])
            equal(dict(parameters).get("server_max_window_bits"), "8", "server_max_window_bits")
            for message in (records(1000), noise(250) * 3, noise(256) * 3, noise(257) * 3, records(1000)):
                await echo(ws, message)


def deflate_flushed(pieces):
    """Each piece compressed as it is sent in a fragment that is not the last."""
    engine = zlib.compressobj(wbits=-15)
    return [engine.compress(piece) + engine.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]


def deflate(message, dictionary=b""):
    engine = zlib.compressobj(wbits=-15, zdict=dictionary)
    return (engine.compress(message) + engine.flush(zlib.Z_SYNC_FLUSH))[:-4]


# Frames that the library would not send, written past it: (name, bytes, close code).
MASK = b"\0\0\0\0"
HELLO = deflate(b"hello, hello, hello")


def frame(first_byte, payload):
    return bytes([first_byte, 0x80 | len(payload)]) + MASK + payload


FRAMES = [
    ("a block of the reserved type", frame(0xC1, b"\x06"), 1007),
    ("a stored block whose lengths differ", frame(0xC1, b"\x00\x05\x00\x00\x00hello"), 1007),
    ("a stored block that ends early", frame(0xC1, b"\x00\x05\x00\xfa\xffhe"), 1007),
    ("a distance from before the first message", frame(0xC1, deflate(b"hello, hello", b"hello, hello")), 1007),
    ("data that is not DEFLATE in a later fragment", frame(0x41, HELLO[:1]) + frame(0x80, b"\xff" * 100), 1007),
    ("text that is not UTF-8 once it is inflated", frame(0xC1, deflate(b"ok \xc3\x28")), 1007),
    ("text that ends inside a character once it is inflated", frame(0xC1, deflate(b"\xf0\x9f\xa6")), 1007),
    ("RSV1 on a continuation", frame(0x41, HELLO[:1]) + frame(0xC0, HELLO[1:]), 1002),
    ("RSV1 on a ping", frame(0xC9, HELLO), 1002),
    ("RSV1 on a close", frame(0xC8, HELLO), 1002),
    ("RSV1 and RSV2 on a text", frame(0xE1, HELLO), 1002),
]
for server, (name, bytes_, code) in itertools.product(SERVERS, FRAMES):
    @check("serve %s: %s is answered with close %d" % (server.options, name, code))
    async def raw_frame(server=server, bytes_=bytes_, code=code):
        async with connection(server) as (ws, _):
            ws.transport.write(bytes_)
            await closed_with(ws, code)


sys.exit(run_checks())
