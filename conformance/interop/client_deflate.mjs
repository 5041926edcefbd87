// client_deflate.mjs MAX_MESSAGE SERVER...
//
// Checks permessage-deflate (RFC 7692) of echo servers with the client of the npm package `ws`.
// A SERVER is one argument: its address and, after spaces, the options of `framewire serve` that
// it was started with. MAX_MESSAGE is the largest message that each takes, in bytes.

import assert from "node:assert/strict";
import { once } from "node:events";
import { parseArgs } from "node:util";
import zlib from "node:zlib";

import { check, noise, runChecks, same } from "./checks.mjs";
import { Connection } from "./connection.mjs";

const maxMessage = Number(process.argv[2]);
const servers = process.argv.slice(3).map(parseServer);

const WINDOW_BITS = [9, 10, 11, 12, 13, 14, 15];
// zlib finds what was repeated within its window less this much (its MIN_LOOKAHEAD is 262).
const LOOKAHEAD = 300;

const MESSAGES = [
  "", Buffer.alloc(0), "a", Buffer.alloc(1), "hello", "Grüße aus Köln, Привет, 水をマレーシアから, 𝄞🦀👩🏽‍🚀",
  records(300), noise(1000), records(100_000), noise(65_536), "",
];
const LARGE_MESSAGES = [records(1 << 20), noise(1 << 20), "aß水🦀".repeat(104_857), Buffer.alloc(3 << 20)];
const FRAGMENTED_MESSAGES = [
  ["aß", "", "水", "🦀", "", "end"].map((text) => Buffer.from(text)),
  [Buffer.alloc(0), Buffer.alloc(0)],
  Array.from({ length: 60 }, (_, n) => noise(n * 97)),
  Array.from({ length: 60 }, () => Buffer.from(records(3000))),
];
const PIPELINED_MESSAGES = Array.from({ length: 500 }, (_, n) => records(100 + n % 200) + n);

function parseServer(argument) {
  const [url, ...args] = argument.split(" ");
  // Its value is optional, for which `parseArgs` has no type.
  const others = args.filter((arg) => !/^--deflate(=|$)/.test(arg));
  assert.equal(others.length, args.length - 1, "--deflate is missing");
  const options = { "no-context-takeover": { type: "boolean" }, "window-bits": { type: "string" } };
  const { values } = parseArgs({ args: others, options });
  return {
    url,
    name: `serve ${args.join(" ")}`,
    noContextTakeover: values["no-context-takeover"] ?? false,
    windowBits: Number(values["window-bits"] ?? 15),
  };
}

/** Text that compresses well, and is not the same twice. */
function records(size) {
  const lines = Array.from({ length: size / 30 + 1 }, (_, n) => (
    JSON.stringify({ id: n, price: n * 7919 % 1000, ok: n % 3 === 0 })));
  return lines.join("").slice(0, size);
}

/** What RFC 7692 7.1 makes of an offer: what either end wants limited is limited. */
function expectedAnswer(server, offer) {
  const answer = [];
  if (server.noContextTakeover || offer.serverNoContextTakeover) answer.push("server_no_context_takeover");
  if (server.noContextTakeover || offer.clientNoContextTakeover) answer.push("client_no_context_takeover");
  const serverBits = Math.min(offer.serverMaxWindowBits ?? 15, server.windowBits);
  if (offer.serverMaxWindowBits || serverBits < 15) answer.push(`server_max_window_bits=${serverBits}`);
  // Where the client does not speak of its window, the server may not either.
  const clientBits = Math.min(offer.clientMaxWindowBits === true ? 15 : offer.clientMaxWindowBits, server.windowBits);
  if (offer.clientMaxWindowBits && clientBits < 15) answer.push(`client_max_window_bits=${clientBits}`);
  return answer;
}

/** A connection on which the offer was answered as it has to be. */
async function open(server, offer) {
  // Without a threshold `ws` compresses messages of any length. `false` leaves a window out.
  const connection = await Connection.open(server.url, { threshold: 0, clientMaxWindowBits: false, ...offer });
  const [name, ...answer] = connection.extensions.split("; ");
  assert.equal(name, "permessage-deflate");
  assert.deepEqual(answer.sort(), expectedAnswer(server, offer).sort(), `answer to ${show(offer)}`);
  connection.serverTakeover = !answer.includes("server_no_context_takeover");
  connection.serverBits = windowBits(answer, "server");
  connection.clientBits = windowBits(answer, "client");
  return connection;
}

function windowBits(answer, end) {
  const parameter = answer.find((parameter) => parameter.startsWith(`${end}_max_window_bits=`));
  return Number(parameter?.split("=")[1] ?? 15);
}

/** The length of each compressed frame that comes in from now on, as it is on the wire. */
function recordLengths(connection) {
  const lengths = [];
  const extension = connection.ws._extensions["permessage-deflate"];
  const { decompress } = extension;
  extension.decompress = (data, ...rest) => {
    lengths.push(data.length);
    return decompress.call(extension, data, ...rest);
  };
  return lengths;
}

/**
 * What fits into a window of so many bits is sent in full once by a server that keeps its context,
 * and twice by one that does not or whose window is smaller.
 */
async function checkWindow(connection, bits) {
  const lengths = recordLengths(connection);
  for (const [size, fits] of [[2 ** bits - LOOKAHEAD, true], [2 ** bits + 1, false]]) {
    lengths.length = 0;
    await connection.echo(noise(size));
    await connection.echo(noise(size));
    assert.equal(lengths.length, 2, "compressed frames");
    const isShort = connection.serverTakeover
      && (bits < connection.serverBits || (bits === connection.serverBits && fits));
    assert.equal(lengths[1] < size / 4, isShort, `${size} bytes again, in ${lengths[1]} bytes, short`);
  }
}

function show(offer) {
  const parameters = Object.entries(offer).filter(([, value]) => value);
  return parameters.map(([name, value]) => (value === true ? name : `${name}=${value}`)).join(", ") || "nothing";
}

// `false` would refuse a server that asks for it.
const TAKEOVER = [
  {},
  { serverNoContextTakeover: true },
  { clientNoContextTakeover: true },
  { serverNoContextTakeover: true, clientNoContextTakeover: true },
];
// 8 is for the client's own window only, for which `ws` uses 9 as zlib does.
const WINDOWS = [
  {}, { clientMaxWindowBits: true }, { clientMaxWindowBits: 8 },
  ...WINDOW_BITS.map((bits) => ({ serverMaxWindowBits: bits })),
  ...WINDOW_BITS.map((bits) => ({ clientMaxWindowBits: bits })),
  ...WINDOW_BITS.map((bits) => ({ serverMaxWindowBits: bits, clientMaxWindowBits: 24 - bits })),
];

for (const server of servers) {
  for (const takeover of TAKEOVER) {
    const name = `${server.name}, offered ${show(takeover)}: `;

    // Windows do not depend on which end keeps its context, so both ends keep theirs, or none does.
    const isUniform = takeover === TAKEOVER.at(0) || takeover === TAKEOVER.at(-1);
    for (const windows of isUniform ? WINDOWS : WINDOWS.slice(0, 1)) {
      const offer = { ...takeover, ...windows };
      check(`${server.name}, offered ${show(offer)}: contexts and windows are those agreed on`, async () => {
        const connection = await open(server, offer);
        for (const bits of new Set([connection.serverBits, Math.max(connection.clientBits, 9)])) {
          await checkWindow(connection, bits);
        }
        await connection.close(1000);
      });
    }

    check(`${name}messages of all kinds on one connection`, async () => {
      const connection = await open(server, { ...takeover, clientMaxWindowBits: true });
      for (const message of [...MESSAGES, ...MESSAGES]) await connection.echo(message);
      await connection.close(1000);
    });

    check(`${name}fragmented messages`, async () => {
      const connection = await open(server, takeover);
      for (const fragments of FRAGMENTED_MESSAGES) await echoFragmented(connection, fragments);
      await connection.close(1000);
    });

    check(`${name}pipelined messages come back in order`, async () => {
      const connection = await open(server, takeover);
      for (const message of PIPELINED_MESSAGES) connection.ws.send(message);
      for (const message of PIPELINED_MESSAGES) same(await connection.message(), message);
      await connection.close(1000);
    });

    check(`${name}messages that are compressed beside some that are not`, async () => {
      const connection = await open(server, takeover);
      for (let n = 0; n < 30; n++) {
        connection.ws.send(records(1000 + n), { compress: n % 3 !== 0 });
        same(await connection.message(), records(1000 + n));
      }
      await connection.close(1000);
    });

    check(`${name}a ping between compressed fragments`, async () => {
      const connection = await open(server, takeover);
      connection.ws.send("before, ", { fin: false });
      connection.ws.ping("between");
      const [payload] = await once(connection.ws, "pong");
      assert.equal(payload.toString(), "between");
      connection.ws.send("after");
      same(await connection.message(), "before, after");
      await connection.close(1000);
    });
  }

  check(`${server.name}: large messages`, async () => {
    const connection = await open(server, {});
    for (const message of [...LARGE_MESSAGES, ...LARGE_MESSAGES]) await connection.echo(message);
    await connection.close(1000);
  });

  check(`${server.name}: a large message in 4 KiB fragments`, async () => {
    const connection = await open(server, {});
    const message = Buffer.from(LARGE_MESSAGES[0]);
    const fragments = [];
    for (let at = 0; at < message.length; at += 4096) fragments.push(message.subarray(at, at + 4096));
    await echoFragmented(connection, fragments);
    await connection.close(1000);
  });

  check(`${server.name}: 32 connections at once`, async () => {
    await Promise.all(Array.from({ length: 32 }, async (_, n) => {
      const connection = await open(server, {});
      for (let round = 0; round < 10; round++) await connection.echo(records(100 * n + round));
      await connection.close(1000);
    }));
  });

  check(`${server.name}: MAX_MESSAGE bytes come back, one byte more is answered with close 1009`, async () => {
    const connection = await open(server, {});
    await connection.echo(Buffer.alloc(maxMessage));
    connection.ws.send(Buffer.alloc(maxMessage + 1));
    assert.equal((await connection.closed).code, 1009);
  });

  check(`${server.name}: a bomb in fragments is answered with close 1009`, async () => {
    const connection = await open(server, {});
    // It has no end: the server has to stop at its limit.
    for (let n = 0; n < 5; n++) connection.ws.send(Buffer.alloc(maxMessage / 4), { fin: false });
    assert.equal((await connection.closed).code, 1009);
  });

  check(`${server.name}: what is sent fits a window of 8 bits where that is asked for`, async () => {
    const connection = await Connection.open(server.url, { serverMaxWindowBits: 8 });
    assert.ok(connection.extensions.split("; ").includes("server_max_window_bits=8"), connection.extensions);
    for (let round = 0; round < 2; round++) await connection.echo(records(1000));
    await connection.close(1000);
  });
}

async function echoFragmented(connection, fragments) {
  fragments.forEach((fragment, n) => {
    connection.ws.send(fragment, { binary: true, fin: n === fragments.length - 1 });
  });
  same(await connection.message(), Buffer.concat(fragments));
}

function deflate(message, dictionary) {
  const options = { finishFlush: zlib.constants.Z_SYNC_FLUSH, ...(dictionary && { dictionary: Buffer.from(dictionary) }) };
  return zlib.deflateRawSync(message, options).subarray(0, -4);
}

function frame(firstByte, payload) {
  return Buffer.concat([Buffer.from([firstByte, 0x80 | payload.length, 0, 0, 0, 0]), Buffer.from(payload)]);
}

// Frames that the library would not send, written past it.
const HELLO = deflate("hello, hello, hello");
for (const [name, bytes, code] of [
  ["a block of the reserved type", frame(0xc1, [0x06]), 1007],
  ["a stored block whose lengths differ", frame(0xc1, [0, 5, 0, 0, 0, ...Buffer.from("hello")]), 1007],
  ["a distance from before the first message", frame(0xc1, deflate("hello, hello", "hello, hello")), 1007],
  ["text that is not UTF-8 once it is inflated", frame(0xc1, deflate(Buffer.from("6f6b20c328", "hex"))), 1007],
  ["RSV1 on a continuation", Buffer.concat([frame(0x41, HELLO.subarray(0, 1)), frame(0xc0, HELLO.subarray(1))]), 1002],
  ["RSV1 on a ping", frame(0xc9, HELLO), 1002],
]) {
  for (const server of servers) {
    check(`${server.name}: ${name} is answered with close ${code}`, async () => {
      const connection = await open(server, {});
      await connection.closedBy(bytes, code);
    });
  }
}

await runChecks();
