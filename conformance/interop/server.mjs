// server.mjs [CERT KEY]
//
// An echo server with the npm package `ws`, on a free port of the loopback interface: it prints
// HOST:PORT when it is ready. With the PEM files of a certificate and its key it takes TLS
// connections and no others. The target of a request says what is wanted, as server.py has it.

import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { WebSocketServer } from "ws";

import { closing } from "./servers.mjs";

const HOST = "127.0.0.1";

const [cert, key] = process.argv.slice(2).map((file) => readFileSync(file));

const server = cert ? https.createServer({ cert, key }) : http.createServer();
server.on("upgrade", (request, socket, head) => {
  const { pathname, searchParams: query } = new URL(request.url, `http://${HOST}`);
  const acceptor = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: 0,
    perMessageDeflate: query.has("deflate") && deflate(query),
    handleProtocols: (offered) => offered.has("chosen") && "chosen",
    verifyClient: (_, verified) => verified(pathname !== "/refuse", 403, "not for you\n"),
  });
  acceptor.handleUpgrade(request, socket, head, (ws) => {
    // A client that breaks the protocol is what some checks ask for.
    ws.on("error", () => {});
    if (query.has("id")) {
      ws.on("close", (code, reason) => closing(query.get("id")).resolve(`${code} ${reason}`));
    }
    answer(ws, pathname, query);
  });
});
server.listen(0, HOST, () => console.log(`${HOST}:${server.address().port}`));

/** Without a threshold `ws` compresses messages of any length. */
function deflate(query) {
  const windowBits = (name) => (query.has(name) ? Number(query.get(name)) : undefined);
  return {
    threshold: 0,
    serverNoContextTakeover: query.has("server_no_context_takeover") || undefined,
    clientNoContextTakeover: query.has("client_no_context_takeover") || undefined,
    serverMaxWindowBits: windowBits("server_max_window_bits"),
    clientMaxWindowBits: windowBits("client_max_window_bits"),
  };
}

async function answer(ws, pathname, query) {
  switch (pathname) {
    case "/echo":
      ws.on("message", (message, binary) => echo(ws, message, binary, Number(query.get("fragment"))));
      break;
    case "/zeros":
      ws.send(Buffer.alloc(Number(query.get("bytes"))));
      break;
    case "/raw":
      ws._socket.write(Buffer.from(query.get("hex"), "hex"));
      break;
    case "/close":
      ws.close(Number(query.get("code")), query.get("reason"));
      break;
    case "/closed":
      ws.send(await closing(query.get("of")).promise);
      break;
  }
}

function echo(ws, message, binary, fragment) {
  const size = fragment || Math.max(message.length, 1);
  let at = 0;
  do {
    ws.send(message.subarray(at, at + size), { binary, fin: at + size >= message.length });
    at += size;
  } while (at < message.length);
}
