// What the clients have in common: checks with names, run one by one, each with a deadline; and a
// connection whose messages are awaited one by one.

import assert from "node:assert/strict";
import { createCipheriv } from "node:crypto";
import { once } from "node:events";
import { WebSocket } from "ws";

const SECONDS_PER_CHECK = 60;

const checks = new Map();

export function check(name, run) {
  assert(!checks.has(name), name);
  checks.set(name, run);
}

/** Runs them all and ends the program. */
export async function runChecks() {
  let failed = 0;
  for (const [name, run] of checks) {
    try {
      await withDeadline(run());
    } catch (error) {
      failed += 1;
      console.log(`node: FAILED: ${name}: ${error.message}`);
    }
  }
  console.log(`${checks.size - failed} passed, ${failed} failed`);
  // A check that failed may have left its connection open.
  process.exit(failed ? 1 : 0);
}

function withDeadline(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${SECONDS_PER_CHECK} s`)), SECONDS_PER_CHECK * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

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

export function same(got, want) {
  const equal = Buffer.isBuffer(got) && Buffer.isBuffer(want) ? got.equals(want) : got === want;
  assert(equal, `echo differs: got ${show(got)}, want ${show(want)}`);
}

function show(data) {
  return Buffer.isBuffer(data) ? `${data.length} bytes ${data.toString("hex", 0, 20)}` : JSON.stringify(data.slice(0, 40));
}

/** Bytes that look random and are the same in each run. */
export function noise(size) {
  const key = Buffer.alloc(16);
  key.writeUInt32BE(size);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(size));
}
