// server_bun.mjs [CERT KEY]
//
// An echo server with Bun, on a free port of the loopback interface: it prints HOST:PORT when it is
// ready, and agrees to permessage-deflate. With the PEM files of a certificate and its key it takes
// TLS connections and no others. The target of a request says what is wanted, as server.py has it,
// but for fragments, raw bytes and the parameters of compression.

import { closing } from "./servers.mjs";

const HOST = "127.0.0.1";
const [cert, key] = process.argv.slice(2).map((file) => Bun.file(file));

const server = Bun.serve({
  hostname: HOST,
  port: 0,
  tls: cert && { cert, key },
  fetch(request, server) {
    const { pathname, searchParams: query } = new URL(request.url);
    if (pathname === "/refuse") return new Response("not for you\n", { status: 403 });
    const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(/, */);
    const headers = offered.includes("chosen") ? { "Sec-WebSocket-Protocol": "chosen" } : {};
    server.upgrade(request, { data: { pathname, query }, headers });
  },
  websocket: {
    maxPayloadLength: 64 << 20,
    perMessageDeflate: true,
    async open(ws) {
      const { pathname, query } = ws.data;
      if (pathname === "/zeros") ws.send(new Uint8Array(Number(query.get("bytes"))), true);
      if (pathname === "/close") ws.close(Number(query.get("code")), query.get("reason"));
      if (pathname === "/closed") ws.send(await closing(query.get("of")).promise);
    },
    message(ws, message) {
      ws.send(message, true);
    },
    close(ws, code, reason) {
      const { query } = ws.data;
      if (query.has("id")) closing(query.get("id")).resolve(`${code} ${reason}`);
    },
  },
});
console.log(`${HOST}:${server.port}`);
