// client_web.mjs URL MAX_MESSAGE [--deflate] [--ca FILE]
//
// Checks an echo server with the WebSocket of the web platform as Bun and Deno have it.
// MAX_MESSAGE is the largest message that the server takes, in bytes. With --deflate the server
// has to agree to permessage-deflate, and without it to decline. Over TLS the certificate in the
// PEM file is trusted.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";

import { check, checkMessages, runChecks, same } from "./checks.mjs";

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: { ca: { type: "string" }, deflate: { type: "boolean" } },
  allowPositionals: true,
});
const [url, maxMessage] = [positionals[0], Number(positionals[1])];
const OPTIONS = values.ca && options(readFileSync(values.ca, "utf8"));

/** What each of the two calls a certificate that is trusted. */
function options(ca) {
  return globalThis.Deno ? { client: globalThis.Deno.createHttpClient({ caCerts: [ca] }) } : { tls: { ca } };
}

/** A connection whose messages are awaited one by one. */
class Connection {
  static async open() {
    const connection = new Connection(OPTIONS ? new WebSocket(url, OPTIONS) : new WebSocket(url));
    const opened = new Promise((resolve) => { connection.ws.onopen = () => resolve(true); });
    assert(await Promise.race([opened, connection.closed.then(() => false)]), "it was not opened");
    return connection;
  }

  constructor(ws) {
    this.ws = ws;
    ws.binaryType = "arraybuffer";
    this.messages = [];
    this.wake = () => {};
    this.closed = new Promise((resolve) => {
      ws.onclose = ({ code, reason }) => {
        resolve({ code, reason });
        this.wake();
      };
    });
    ws.onmessage = ({ data }) => {
      this.messages.push(typeof data === "string" ? data : Buffer.from(data));
      this.wake();
    };
    ws.onerror = () => {};
  }

  async message() {
    while (this.messages.length === 0) {
      assert(this.ws.readyState !== WebSocket.CLOSED, "closed instead of a message");
      await new Promise((resolve) => { this.wake = resolve; });
    }
    return this.messages.shift();
  }

  async echo(data) {
    this.ws.send(data);
    same(await this.message(), data);
  }

  async close(...how) {
    this.ws.close(...how);
    return this.closed;
  }
}

check("the offer of compression is answered as the server was started", async () => {
  const connection = await Connection.open();
  assert.equal(connection.ws.extensions.split(";")[0], values.deflate ? "permessage-deflate" : "");
  await connection.close(1000);
});

checkMessages(() => Connection.open(), maxMessage);

await runChecks();
