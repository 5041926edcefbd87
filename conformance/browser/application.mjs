// application.mjs https://localhost:PORT/ CHROMIUM PROFILE h2|http1.1
//
// Opens the page of the example `axum_https` in headless Chromium, started from the program CHROMIUM with the empty
// directory PROFILE, and uses WebSocket connections from there: over HTTP/2 (extended CONNECT, RFC 8441), which the
// page was loaded over, or over HTTP/1.1, where HTTP/2 is switched off.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const [url, executablePath, profile, protocol] = process.argv.slice(2);
const HOP = { "h2": "h2", "http1.1": "http/1.1" }[protocol];
const ARGUMENTS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ...(protocol === "h2" ? [] : ["--disable-http2"]),
];
const SIZES = [0, 1, 125, 126, 65_535, 65_536, 1 << 20];
const MILLISECONDS_PER_CHECK = 30_000;

const checks = {
  async "the page comes over the version of HTTP"(page) {
    const hop = await page.evaluate(() => performance.getEntriesByType("navigation")[0].nextHopProtocol);
    assert.equal(hop, HOP);
  },

  async "so does a connection, and compression is agreed on"(page) {
    const [agreed, extensions] = await page.evaluate(async () => {
      const socket = await open();
      return [socket.protocol, socket.extensions];
    });
    assert.equal(agreed, protocol);
    assert.equal(extensions.split(";")[0], "permessage-deflate");
  },

  async "text of all sizes comes back"(page) {
    for (const size of SIZES) {
      const text = "0123456789".repeat(Math.ceil(size / 10)).slice(0, size);
      assert(await page.evaluate(async (text) => await echo(await open(), text) === text, text), `${size}`);
    }
  },

  async "bytes of all sizes come back, compressible or not"(page) {
    for (const size of SIZES) {
      assert(await page.evaluate(async (size) => {
        const socket = await open();
        const random = new Uint8Array(size);
        for (let at = 0; at < size; at += 65_536) {
          crypto.getRandomValues(random.subarray(at, at + 65_536));
        }
        for (const bytes of [new Uint8Array(size), random]) {
          const back = new Uint8Array(await echo(socket, bytes));
          if (back.length !== size || !back.every((byte, at) => byte === bytes[at])) {
            return false;
          }
        }
        return true;
      }, size), `${size}`);
    }
  },

  async "a thousand messages in flight come back in order"(page) {
    assert(await page.evaluate(async () => {
      const socket = await open();
      const sent = Array.from({ length: 1000 }, (_, n) => `${n} ${"x".repeat(n)}`);
      sent.forEach((text) => socket.send(text));
      for (const text of sent) {
        if (await message(socket) !== text) {
          return false;
        }
      }
      return true;
    }));
  },

  async "thirty connections at once do not disturb each other"(page) {
    assert(await page.evaluate(async () => {
      const sockets = await Promise.all(Array.from({ length: 30 }, open));
      const echoed = await Promise.all(sockets.map(async (socket, n) => {
        for (let turn = 0; turn < 20; turn++) {
          if (await echo(socket, `${n} ${turn}`) !== `${n} ${turn}`) {
            return false;
          }
        }
        return true;
      }));
      return echoed.every((fine) => fine);
    }));
  },

  async "a code comes back with a clean end"(page) {
    const [code, , clean] = await page.evaluate(async () => {
      const socket = await open();
      socket.close(4000, "enough");
      return socket.ended;
    });
    assert.deepEqual([code, clean], [4000, true]);
  },

  async "a message over the limit is answered with 1009"(page) {
    const [code, , clean] = await page.evaluate(async () => {
      const socket = await open();
      socket.send(new Uint8Array((1 << 20) + 1));
      return socket.ended;
    });
    assert.deepEqual([code, clean], [1009, true]);
  },

  async "a page that goes away leaves the server as it was"(page) {
    await page.evaluate(async () => { (await open()).send("before"); });
    await visit(page, url);
    assert(await page.evaluate(async () => await echo(await open(), "after") === "after"));
  },

  async "a page of another origin is refused"(page) {
    await visit(page, url.replace("localhost", "127.0.0.1"));
    const end = await page.evaluate(async (url) => open(url).then(() => "let in", () => "refused"), echoOf(url));
    assert.equal(end, "refused");
    const own = echoOf(url.replace("localhost", "127.0.0.1"));
    assert(await page.evaluate(async (url) => await echo(await open(url), "own") === "own", own));
  },
};

function echoOf(url) {
  return `${url.replace("http", "ws")}echo`;
}

/** Loads a page, and gives it the functions that the checks call there. */
async function visit(page, url) {
  await page.goto(url);
  await page.evaluate((echoUrl) => {
    globalThis.open = (url = echoUrl) => new Promise((resolve, reject) => {
      const socket = new WebSocket(typeof url === "string" ? url : echoUrl, ["h2", "http1.1"]);
      socket.binaryType = "arraybuffer";
      socket.arrived = [];
      socket.wake = () => {};
      socket.onmessage = ({ data }) => { socket.arrived.push(data); socket.wake(); };
      socket.ended = new Promise((resolve) => {
        socket.onclose = ({ code, reason, wasClean }) => { resolve([code, reason, wasClean]); socket.wake(); reject(); };
      });
      socket.onopen = () => resolve(socket);
    });
    globalThis.message = async (socket) => {
      while (socket.arrived.length === 0) {
        if (socket.readyState === WebSocket.CLOSED) {
          throw new Error("closed instead of a message");
        }
        await new Promise((resolve) => { socket.wake = resolve; });
      }
      return socket.arrived.shift();
    };
    globalThis.echo = (socket, data) => {
      socket.send(data);
      return message(socket);
    };
  }, echoOf(url));
}

async function withDeadline(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("not done in time")), MILLISECONDS_PER_CHECK);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function run() {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath, args: ARGUMENTS, timeout: MILLISECONDS_PER_CHECK,
    // The certificate was made for this run.
    ignoreHTTPSErrors: true,
  });
  try {
    const page = context.pages()[0] ?? await context.newPage();
    page.setDefaultTimeout(MILLISECONDS_PER_CHECK);
    let failed = 0;
    for (const [name, check] of Object.entries(checks)) {
      try {
        await withDeadline(visit(page, url).then(() => check(page)));
      } catch (error) {
        failed += 1;
        console.log(`browser: FAILED: ${name}: ${error.message}`);
      }
    }
    console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
    return failed ? 1 : 0;
  } finally {
    await context.close();
  }
}

process.exit(await run());
