// A connection by the npm package `ws`, whose messages are awaited one by one.

import assert from "node:assert/strict";
import { once } from "node:events";
import { WebSocket } from "ws";

import { same } from "./checks.mjs";

export class Connection {
  /** Connects; what the server answered about extensions is in `extensions`. */
  static async open(url, perMessageDeflate, tls) {
    const connection = new Connection(new WebSocket(url, {
      perMessageDeflate, maxPayload: 0, handshakeTimeout: 10_000, ...tls,
    }));
    connection.ws.on("upgrade", (response) => {
      connection.extensions = response.headers["sec-websocket-extensions"];
    });
    await once(connection.ws, "open");
    return connection;
  }

  constructor(ws) {
    this.ws = ws;
    this.messages = [];
    this.wake = () => {};
    this.closed = new Promise((resolve) => ws.on("close", (code, reason) => {
      resolve({ code, reason: reason.toString() });
      this.wake();
    }));
    ws.on("message", (data, isBinary) => {
      this.messages.push(isBinary ? data : data.toString());
      this.wake();
    });
    // Frames written past the library make it report errors; what counts is the close code.
    ws.on("error", (error) => { this.error = error; });
  }

  async message() {
    while (this.messages.length === 0) {
      if (this.ws.readyState === WebSocket.CLOSED) throw new Error(`closed instead of a message (${this.error})`);
      await new Promise((resolve) => { this.wake = resolve; });
    }
    return this.messages.shift();
  }

  async echo(data) {
    this.ws.send(data);
    same(await this.message(), data);
  }

  async close(code, reason) {
    this.ws.close(code, reason);
    return this.closed;
  }

  /** Writes a frame past the library, and checks that it is answered with this close code. */
  async closedBy(frame, code) {
    this.ws._socket.write(Buffer.from(frame));
    assert.equal((await this.closed).code, code);
    assert.equal(this.messages.length, 0);
  }
}
