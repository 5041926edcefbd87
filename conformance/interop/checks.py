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
