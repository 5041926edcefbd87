// echo.mjs http://HOST:PORT/ CHROMIUM PROFILE SCREENSHOT [--deflate]
//
// Uses the page of `framewire serve` as a person would: in headless Chromium, started from the
// program CHROMIUM with the empty directory PROFILE, and keeps a picture in SCREENSHOT. Chromium
// offers permessage-deflate always: with --deflate the server has to agree, without to decline.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const [url, executablePath, profile, screenshot, ...options] = process.argv.slice(2);
const ARGUMENTS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];
const MILLISECONDS_PER_STEP = 30_000;

const steps = {
  async "the page opens, unconnected"(page) {
    const response = await page.goto(url);
    assert.equal(response.status(), 200);
    assert.equal(await page.title(), "framewire echo");
    assert.equal(await page.inputValue("#url"), url.replace(/^http/, "ws"));
    assert(await page.isDisabled("#send"));
  },

  async "it loads nothing but itself"(page) {
    const loaded = await page.evaluate(() => performance.getEntriesByType("resource").map((entry) => entry.name));
    assert.deepEqual(loaded.filter((name) => !name.startsWith("data:")), []);
  },

  async "Connect connects"(page) {
    await page.click("#connect");
    await page.waitForSelector("#status[data-state=open]");
  },

  async "the offer of compression is answered as the server was started"(page) {
    const extensions = await page.evaluate(() => socket.extensions);
    const [name] = extensions.split(";");
    assert.equal(name, options.includes("--deflate") ? "permessage-deflate" : "");
    assert.equal(await page.innerText("#negotiated"), `Compression\n${extensions || "none"}\nSubprotocol\nnone`);
  },

  async "text typed comes back"(page) {
    await page.fill("#text", "Grüße, 世界 👋");
    await page.click("#send");
    await newest(page, "Grüße, 世界 👋", /^echoed in [\d.]+ ms$/);
    await page.fill("#text", "Enter sends too");
    await page.keyboard.press("Enter");
    await newest(page, "Enter sends too", /^echoed in [\d.]+ ms$/);
  },

  async "a file chosen comes back byte for byte"(page) {
    const buffer = Buffer.alloc(1_500_000, Buffer.from(Array.from({ length: 251 }, (_, n) => n)));
    await page.setInputFiles("#file", { name: "chosen.bin", mimeType: "application/octet-stream", buffer });
    await newest(page, "chosen.bin, 1.4 MiB", /^identical, in [\d.]+ ms$/);
  },

  async "a file dropped comes back byte for byte"(page) {
    const transfer = await page.evaluateHandle(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from({ length: 70_000 }, (_, n) => n * 7)], "dropped.bin"));
      return transfer;
    });
    await page.dispatchEvent("#drop", "drop", { dataTransfer: transfer });
    await newest(page, "dropped.bin, 68.4 KiB", /^identical, in [\d.]+ ms$/);
  },

  async "a binary message is shown as a hex dump"(page) {
    const row = page.locator("#log li").first();
    await row.locator("summary").click();
    const [first, , , ...rest] = (await row.locator("pre").textContent()).split("\n");
    assert.equal(first, "0000  00 07 0e 15 1c 23 2a 31  38 3f 46 4d 54 5b 62 69  .....#*18?FMT[bi");
    assert.equal(rest.at(-2).slice(0, 6), "01f0  ");
    assert.equal(rest.at(-1), "and 69,488 bytes more");
  },

  async "a file over the limit is refused with a reason"(page) {
    await page.evaluate(() => {
      const transfer = new DataTransfer();
      const limit = Number(document.querySelector("meta[name=framewire-max-message]").content);
      transfer.items.add(new File([new Uint8Array(limit + 1)], "huge.bin"));
      document.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
    });
    await page.waitForFunction(() => /^huge\.bin is .* takes messages of up to/.test(
      document.querySelector("#log .what").textContent));
  },

  async "Measure shows round-trip times"(page) {
    await page.click("#measure");
    await page.waitForSelector("#measure:enabled");
    assert.equal(await page.textContent("#rtt-count"), "From 504 messages.");
    const [min, median, p99] = await Promise.all(
      ["min", "median", "p99"].map(async (name) => number(await page.textContent(`#rtt-${name}`), "ms")));
    assert(min <= median && median <= p99, `${min} <= ${median} <= ${p99}`);
    // A dot for each of the last 500, below a line that says how high it is.
    assert.equal((await page.getAttribute("#rtt-plot .dots", "d")).split("M").length - 1, 500);
    const top = number(await page.innerText("#rtt-plot .top span >> nth=0"), "ms");
    assert(top >= p99, `${top} >= ${p99}`);
  },

  async "Run shows a running throughput figure"(page) {
    await page.click("#run");
    const seen = [];
    for (let i = 0; i < 3; i++) {
      const before = await page.textContent("#total");
      await page.waitForFunction((before) => document.querySelector("#total").textContent !== before, before);
      seen.push(number(await page.textContent("#rate"), "/s"));
    }
    assert(seen.every((rate) => rate > 0), `messages per second: ${seen}`);
    assert(number(await page.textContent("#bandwidth"), "MB/s") > 0);
    assert.match(await page.getAttribute("#rate-plot .area", "d"), /^M[\d.]+,100(L[\d.]+,[\d.]+){3,}L100,100Z$/);
    assert.match(await page.innerText("#rate-plot .top span >> nth=0"), /^[\d.,]+[kM]?\/s$/);
    await page.screenshot({ path: screenshot, fullPage: true });
    await page.click("#run");
    await newest(page, /messages\/s of 1 KiB, 32 in flight/, /^done$/);
  },

  async "text still comes back after a run"(page) {
    await page.fill("#text", "and again");
    await page.click("#send");
    await newest(page, "and again", /^echoed in [\d.]+ ms$/);
  },

  async "it fits a phone, with a dump unfolded"(page) {
    await page.setViewportSize({ width: 360, height: 740 });
    const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert(content <= window, `${content} px of content in ${window} px`);
    assert.match(await page.innerText("#negotiated"), /^Compression\n/);
    await page.screenshot({ path: screenshot.replace(".png", "-phone.png"), fullPage: true });
  },

  async "all of it can be read in the dark"(page) {
    await page.setViewportSize({ width: 1200, height: 860 });
    await page.emulateMedia({ colorScheme: "dark" });
    // WCAG 2.1 1.4.3: a contrast of 4.5 to 1.
    const weak = await page.evaluate(() => {
      const luminance = (color) => {
        const [r, g, b] = color.match(/[\d.]+/g).map((part) => {
          const c = part / 255;
          return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const behind = (element) => {
        for (; element; element = element.parentElement) {
          const color = getComputedStyle(element).backgroundColor;
          if (!color.endsWith(", 0)")) return color;
        }
        return "rgb(255, 255, 255)";
      };
      const has = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
      return [...document.querySelectorAll("body *")]
        .filter((element) => has(element) && element.checkVisibility() && !element.closest(":disabled, .off, script"))
        .map((element) => {
          const pair = [getComputedStyle(element).color, behind(element)].map(luminance).sort((a, b) => b - a);
          return [(pair[0] + 0.05) / (pair[1] + 0.05), element.textContent.slice(0, 30)];
        })
        .filter(([contrast]) => contrast < 4.5);
    });
    assert.deepEqual(weak, []);
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(16, 20, 18)");
    await page.screenshot({ path: screenshot.replace(".png", "-dark.png"), fullPage: true });
  },

  async "Disconnect shows the close code and reason"(page) {
    await page.click("#connect");
    await page.waitForSelector("#status[data-state=closed]");
    assert.match(await page.textContent("#status"), /^Closed: 1000, normal closure/);
  },

  async "an echo that differs is shown beside what was sent, and ends the connection"(page) {
    await page.click("#connect");
    await page.waitForSelector("#status[data-state=open]");
    await page.evaluate(() => {
      send(Uint8Array.of(1, 2, 4).buffer, row("binary", "3 B", "sent"));
      waiting.at(-1).data = Uint8Array.of(1, 2, 3).buffer;
    });
    await page.waitForSelector("#status[data-state=failed]");
    assert.equal(await page.textContent("#status"), "Closed: 4000");
    const outcomes = await page.locator("#log li .outcome").allTextContents();
    assert.deepEqual(outcomes.slice(0, 3), ["", "came back instead", "echo differs"]);
    const row = page.locator("#log li").nth(1);
    await row.locator("summary").click();
    assert.match(await row.locator("pre").textContent(), /^0000 {2}01 02 04 /);
  },

  async "the console stayed silent"() {
    assert.deepEqual(complaints, []);
  },
};

const complaints = [];

function number(text, unit) {
  assert(text.endsWith(` ${unit}`), `${JSON.stringify(text)} ends in ${unit}`);
  return Number(text.slice(0, -unit.length).replaceAll(",", ""));
}

/** Waits until the newest row of the log says this, with this outcome. */
async function newest(page, what, outcome) {
  const row = page.locator("#log li").first();
  await row.locator(".what", { hasText: what }).waitFor();
  await row.locator(".outcome", { hasText: outcome }).waitFor();
}

async function run() {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath, args: ARGUMENTS, viewport: { width: 1200, height: 860 }, timeout: MILLISECONDS_PER_STEP,
  });
  try {
    const page = context.pages()[0] ?? await context.newPage();
    page.setDefaultTimeout(MILLISECONDS_PER_STEP);
    page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
    let passed = 0;
    for (const [name, step] of Object.entries(steps)) {
      try {
        await step(page);
        passed += 1;
      } catch (error) {
        // Each step stands on the one before it.
        console.log(`browser: FAILED: ${name}: ${error.message}`);
        await page.screenshot({ path: screenshot, fullPage: true });
        break;
      }
    }
    const failed = Object.keys(steps).length - passed;
    console.log(`${passed} passed, ${failed} failed`);
    return failed ? 1 : 0;
  } finally {
    await context.close();
  }
}

process.exit(await run());
