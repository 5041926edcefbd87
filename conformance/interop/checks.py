"""What the clients have in common: checks with names, run one by one, each with a deadline."""

import asyncio
import random

from websockets.exceptions import ConnectionClosed

SECONDS_PER_CHECK = 60

checks = {}


def check(name):
    def add(function):
        assert name not in checks, name
        checks[name] = function
        return function
    return add


def run_checks():
    """Runs them all; returns the exit code."""
    return asyncio.run(_run_checks())


async def _run_checks():
    failed = 0
    for name, function in checks.items():
        try:
            await asyncio.wait_for(function(), SECONDS_PER_CHECK)
        except Exception as error:
            failed += 1
            print("python: FAILED: %s: %s: %s" % (name, type(error).__name__, error))
    print("%d passed, %d failed" % (len(checks) - failed, failed))
    return 1 if failed else 0


def equal(got, want, what):
    if got != want:
        raise AssertionError("%s: got %.80r, want %.80r" % (what, got, want))


def noise(size):
    """Bytes that look random and are the same in each run."""
    return random.Random(size).randbytes(size)


async def echo(ws, message):
    await ws.send(message)
    equal(await ws.recv(), message, "echo")


# Around each change of the length encoding (125, 126, 65,535 and 65,536 bytes) and up to the limit.
def sizes(max_message):
    return [0, 1, 2, 124, 125, 126, 127, 128, 4096, 65_535, 65_536, 65_537, 1 << 20, max_message]


TEXTS = {
    "ASCII": "The quick brown fox",
    "two-byte": "Grüße aus Köln, Привет",
    "three-byte": "水をマレーシアから買わなければならない",
    "four-byte": "𝄞🦀👩🏽‍🚀",
    "mixed, 1 MiB": "aß水🦀" * 104_857,
    "NUL and controls": "\x00\x01\x7f\ufeff\uffff",
}


def check_messages(open_connection, max_message, full_duplex=True):
    """Adds the checks that any client can make over a connection with `send` and `recv`."""
    for size in sizes(max_message):
        @check("binary message of %d bytes" % size)
        async def binary(size=size):
            payload = noise(size)
            async with open_connection() as ws:
                await echo(ws, payload)

        @check("text message of %d bytes" % size)
        async def text(size=size):
            payload = ("framewire " * (size // 10 + 1))[:size]
            async with open_connection() as ws:
                await echo(ws, payload)

    for kind, sample in TEXTS.items():
        @check("text, %s" % kind)
        async def non_ascii(sample=sample):
            async with open_connection() as ws:
                await echo(ws, sample)

    if full_duplex:
        @check("20,000 pipelined messages come back in order")
        async def pipelined():
            count = 20_000
            async with open_connection() as ws:
                async def send():
                    for n in range(count):
                        await ws.send("message %d" % n)

                sending = asyncio.create_task(send())
                for n in range(count):
                    equal(await ws.recv(), "message %d" % n, "echo")
                await sending

    @check("64 connections at once")
    async def many_connections():
        async def one(n):
            async with open_connection() as ws:
                for round_ in range(20):
                    await echo(ws, "connection %d, round %d" % (n, round_))

        await asyncio.gather(*(one(n) for n in range(64)))


# What is echoed of each: a code with a reason.
CLOSES = [(1000, ""), (1000, "done"), (1001, "leaving"), (3000, "registered"), (4999, "private, " + "é" * 57)]


async def closed_with(ws, code):
    """The server ended the connection with this close code and sent nothing before it."""
    try:
        message = await ws.recv()
    except ConnectionClosed:
        pass
    else:
        raise AssertionError("got the message %.80r instead of a close" % (message,))
    received = ws.protocol.close_rcvd
    equal(received and received.code, code, "close code")
