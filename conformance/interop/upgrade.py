#!/usr/bin/env python3
"""upgrade.py client HOST PORT
upgrade.py server

HTTP/1.1 Upgrade to a protocol that is not WebSocket, with Python's own HTTP: `Upgrade: myproto/1`, after
which each end echoes what the other sends.

The client checks a server that does that. The server listens on a free port of the loopback interface,
prints HOST:PORT when it is ready, greets in the packet of its 101, and refuses `/refuse` with 403.
"""

import http.client
import http.server
import sys

PROTOCOL = "myproto/1"
GREETING = b"welcome\n"


def equal(got, want, what):
    if got != want:
        sys.exit("python: FAILED: %s: got %.80r, want %.80r" % (what, got, want))


def ask(host, port, headers):
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request("GET", "/echo", headers=headers)
    # The connection forgets its socket when an answer ends it.
    return connection.sock, connection.getresponse()


def client(host, port):
    upgrade = {"Connection": "keep-alive, Upgrade", "Upgrade": "other, MyProto/1"}
    sock, answer = ask(host, port, upgrade)
    equal(answer.status, 101, "status")
    equal(answer.getheader("Upgrade"), PROTOCOL, "Upgrade")
    equal(answer.getheader("Connection"), "Upgrade", "Connection")
    for size in (1, 1000, 1 << 20):
        payload = bytes(n * 7 % 251 for n in range(size))
        sock.sendall(payload)
        echo = b""
        while len(echo) < size:
            echo += sock.recv(1 << 16) or sys.exit("python: FAILED: the echo ended")
        equal(echo, payload, "echo")
    sock.close()

    _, answer = ask(host, port, {"Connection": "Upgrade", "Upgrade": "myproto/2"})
    equal((answer.status, answer.getheader("Upgrade")), (426, PROTOCOL), "another protocol")
    _, answer = ask(host, port, {"Connection": "NotUpgradeX", "Upgrade": PROTOCOL})
    equal(answer.status, 400, "status without the connection option")
    _, answer = ask(host, port, {})
    equal(answer.status, 400, "status without an upgrade")
    print("4 passed, 0 failed")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/refuse":
            self.send_error(403, "not for you")
            return
        equal(self.headers["Upgrade"], PROTOCOL, "Upgrade")
        head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\nConnection: Upgrade\r\n\r\n"
        self.wfile.write((head % PROTOCOL).encode() + GREETING)
        while True:
            data = self.rfile.read1(1 << 16)
            if not data:
                break
            self.wfile.write(data)
        self.close_connection = True

    def log_message(self, *_):
        pass


def server():
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print("%s:%d" % listener.server_address, flush=True)
    listener.serve_forever()


if sys.argv[1] == "client":
    client(sys.argv[2], int(sys.argv[3]))
else:
    server()
