// client.mjs ws://HOST:PORT/ MAX_MESSAGE [--deflate]
// client.mjs wss://HOST:PORT/ --ca FILE MAX_MESSAGE [--deflate]
//
// Checks an echo server with the client of the npm package `ws`.
// MAX_MESSAGE is the largest message that the server takes, in bytes. With --deflate the server
// has to agree to permessage-deflate, and without it to decline. Over TLS the certificate in the
// PEM file is the only one that is trusted.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { text as textOf } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";

import { check, checkMessages, noise, runChecks, same, sizes } from "./checks.mjs";
import { Connection } from "./connection.mjs";

const { values, positionals } = parseArgs({
  options: { ca: { type: "string" }, deflate: { type: "boolean" } },
  allowPositionals: true,
});
const [url, maxMessage] = [positionals[0], Number(positionals[1])];
const COMPRESSION = values.deflate ?? false;
const TLS = values.ca && { ca: readFileSync(values.ca) };

const MASK = [0, 0, 0, 0];

const open = (tls = TLS) => Connection.open(url, COMPRESSION, tls);
const get = (target, options) => {
  const address = new URL(target, url.replace(/^ws/, "http"));
  return (TLS ? https : http).get(address, { ...TLS, ...options });
};

check("the offer of compression is answered as the server was started", async () => {
  const connection = await Connection.open(url, true, TLS);
  assert.equal(connection.ws.extensions, COMPRESSION ? "permessage-deflate" : "");
  await connection.echo("hi");
  await connection.close(1000);
});

checkMessages(open, maxMessage);

check("fragmented binary message, growing fragments", async () => {
  const { ws } = await fragmented(Array.from({ length: 60 }, (_, n) => noise(n * 97)));
  ws.terminate();
});

check("MAX_MESSAGE bytes in 4 KiB fragments", async () => {
  const whole = noise(maxMessage);
  const fragments = [];
  for (let at = 0; at < whole.length; at += 4096) fragments.push(whole.subarray(at, at + 4096));
  const { ws } = await fragmented(fragments);
  ws.terminate();
});

async function fragmented(fragments) {
  const connection = await open();
  fragments.forEach((fragment, n) => connection.ws.send(fragment, { binary: true, fin: n === fragments.length - 1 }));
  same(await connection.message(), Buffer.concat(fragments));
  return connection;
}

check("fragmented text, split inside a character", async () => {
  const connection = await open();
  const whole = Buffer.from("aß水🦀end");
  for (let at = 0; at < whole.length; at++) {
    connection.ws.send(whole.subarray(at, at + 1), { binary: false, fin: at === whole.length - 1 });
  }
  same(await connection.message(), "aß水🦀end");
  await connection.close(1000);
});

check("pings between the fragments of a message", async () => {
  const connection = await open();
  const pongs = [];
  connection.ws.on("pong", (data) => pongs.push(data.toString()));
  for (let n = 0; n < 20; n++) {
    connection.ws.send("x".repeat(n), { fin: n === 19 });
    connection.ws.ping(`ping ${n}`);
  }
  same(await connection.message(), "x".repeat(190));
  while (pongs.at(-1) !== "ping 19") await once(connection.ws, "pong");
  await connection.close(1000);
});

for (const size of [0, 1, 125]) {
  check(`ping with ${size} bytes is answered with the same bytes`, async () => {
    const connection = await open();
    connection.ws.ping(noise(size));
    const [payload] = await once(connection.ws, "pong");
    same(payload, noise(size));
    await connection.close(1000);
  });
}

check("unsolicited pong is ignored", async () => {
  const connection = await open();
  connection.ws.pong("nobody asked");
  await connection.echo("still here");
  await connection.close(1000);
});

check("close 1001 \"leaving\" is echoed", async () => {
  const connection = await open();
  assert.equal((await connection.close(1001, "leaving")).code, 1001);
});

// Frames that the library would not send, written past it.
for (const [name, frame, code] of [
  ["unmasked text", [0x81, 2, 0x68, 0x69], 1002],
  // Where compression is agreed on it marks a compressed message, which this is not.
  ["reserved bit 1", [0xc1, 0x82, ...MASK, 0x68, 0x69], COMPRESSION ? 1007 : 1002],
  ["reserved bit 2", [0xa1, 0x82, ...MASK, 0x68, 0x69], 1002],
  ["reserved opcode 3", [0x83, 0x82, ...MASK, 0x68, 0x69], 1002],
  ["fragmented ping", [0x09, 0x80, ...MASK], 1002],
  ["continuation of nothing", [0x80, 0x82, ...MASK, 0x68, 0x69], 1002],
  ["16-bit length of 5", [0x81, 0xfe, 0, 5, ...MASK, 1, 2, 3, 4, 5], 1002],
  ["close with the code 1006", [0x88, 0x82, ...MASK, 0x03, 0xee], 1002],
  ["text that is not UTF-8", [0x81, 0x82, ...MASK, 0xc3, 0x28], 1007],
]) {
  check(`${name} is answered with close ${code}`, async () => {
    const connection = await open();
    await connection.closedBy(frame, code);
  });
}

check("offered subprotocols are left out of the answer", async () => {
  // The library fails a handshake whose answer leaves them out, so the answer itself is looked at.
  const request = get("/", {
    headers: {
      "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "chat, superchat",
    },
  });
  const [response, socket] = await once(request, "upgrade");
  socket.destroy();
  assert.equal(response.headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  assert.equal(response.headers["sec-websocket-protocol"], undefined);
});

check("a page of another origin is refused with 403", async () => {
  const ws = new WebSocket(url, { origin: "https://elsewhere.example", perMessageDeflate: COMPRESSION, ...TLS });
  ws.on("error", () => {});
  const [request, response] = await once(ws, "unexpected-response");
  assert.equal(response.statusCode, 403);
  request.destroy();
});

check("GET / without an upgrade is answered with the page", async () => {
  const [response] = await once(get("/"), "response");
  assert.equal(response.statusCode, 200);
  assert.match(response.headers["content-type"], /^text\/html/);
  assert.match(await textOf(response), /<title>framewire/);
});

check("GET of another path without an upgrade is answered with 404", async () => {
  const [response] = await once(get("/nothing-here"), "response");
  response.destroy();
  assert.equal(response.statusCode, 404);
});

if (TLS) {
  check("a certificate that is not trusted is refused", async () => {
    await assert.rejects(open({}), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
  });

  check("a certificate for another host is refused", async () => {
    await assert.rejects(open({ ...TLS, servername: "elsewhere.example" }), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
  });

  for (const version of ["TLSv1.2", "TLSv1.3"]) {
    check(`messages over ${version}`, async () => {
      const connection = await open({ ...TLS, minVersion: version, maxVersion: version });
      assert.equal(connection.ws._socket.getProtocol(), version);
      for (const size of sizes(maxMessage)) await connection.echo(noise(size));
      await connection.close(1000);
    });
  }
}

await runChecks();
