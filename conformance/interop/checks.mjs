// What the clients have in common: checks with names, run one by one, each with a deadline; and those that
// any of them can make.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createCipheriv } from "node:crypto";
import process from "node:process";

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

/** Checks of messages and closing that any client can make over a `Connection` that `open` resolves to. */
export function checkMessages(open, maxMessage) {
  for (const size of sizes(maxMessage)) {
    check(`binary message of ${size} bytes`, async () => {
      const connection = await open();
      await connection.echo(noise(size));
      await connection.close(1000);
    });
    check(`text message of ${size} bytes`, async () => {
      const connection = await open();
      await connection.echo("framewire ".repeat(size / 10 + 1).slice(0, size));
      await connection.close(1000);
    });
  }

  for (const [kind, text] of Object.entries(TEXTS)) {
    check(`text, ${kind}`, async () => {
      const connection = await open();
      await connection.echo(text);
      await connection.close(1000);
    });
  }

  check("20,000 pipelined messages come back in order", async () => {
    const connection = await open();
    for (let n = 0; n < 20_000; n++) connection.ws.send(`message ${n}`);
    for (let n = 0; n < 20_000; n++) same(await connection.message(), `message ${n}`);
    await connection.close(1000);
  });

  check("64 connections at once", async () => {
    await Promise.all(Array.from({ length: 64 }, async (_, n) => {
      const connection = await open();
      for (let round = 0; round < 20; round++) await connection.echo(`connection ${n}, round ${round}`);
      await connection.close(1000);
    }));
  });

  for (const [code, reason] of [[1000, ""], [1000, "done"], [3000, "registered"], [4999, `private, ${"é".repeat(57)}`]]) {
    check(`close ${code} ${JSON.stringify(reason.slice(0, 12))} is echoed`, async () => {
      const connection = await open();
      await connection.echo("hi");
      assert.equal((await connection.close(code, reason)).code, code);
    });
  }

  check("close without a code is answered with a close without a code", async () => {
    const connection = await open();
    assert.equal((await connection.close()).code, 1005);
  });
}

// Around each change of the length encoding (125, 126, 65,535 and 65,536 bytes) and up to the limit.
export function sizes(maxMessage) {
  return [0, 1, 2, 124, 125, 126, 127, 128, 4096, 65_535, 65_536, 65_537, 1 << 20, maxMessage];
}

const TEXTS = {
  "ASCII": "The quick brown fox",
  "two-byte": "Grüße aus Köln, Привет",
  "three-byte": "水をマレーシアから買わなければならない",
  "four-byte": "𝄞🦀👩🏽‍🚀",
  "mixed, 1 MiB": "aß水🦀".repeat(104_857),
};

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
