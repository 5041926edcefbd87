"""What both servers do alike: options, TLS, saying where they listen, and the end with standard input."""

import argparse
import asyncio
import json
import logging
import os
import ssl
import sys
import threading

import uvloop


def options(deflate):
    """Parses `[--tls] [--deflate none|no-takeover|takeover] [--broadcast]`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--deflate", default="none", choices=["none", "no-takeover", "takeover"] if deflate else ["none"])
    parser.add_argument("--broadcast", action="store_true")
    return parser.parse_args()


def tls(enabled):
    """Returns the context with the certificate in the files that TLS_CERT and TLS_KEY name."""
    if not enabled:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["TLS_CERT"], os.environ["TLS_KEY"])
    return context


def run(start):
    """Runs a server on uvloop's event loop until standard input ends."""

    # Connections that are lost are no news here.
    logging.disable()

    async def serve():
        server = await start()
        port = server.sockets[0].getsockname()[1]
        print(json.dumps({"address": f"127.0.0.1:{port}"}), flush=True)
        await asyncio.Event().wait()

    def end():
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=end, daemon=True).start()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
