// server_deno.mjs [CERT KEY]
//
// An echo server with Deno, on a free port of the loopback interface: it prints HOST:PORT when it is
// ready. With the PEM files of a certificate and its key it takes TLS connections and no others. The
// target of a request says what is wanted, as server.py has it, but for fragments, raw bytes and
// compression.

import { closing } from "./servers.mjs";

const hostname = "127.0.0.1";
const [cert, key] = Deno.args.map((file) => Deno.readTextFileSync(file));
const onListen = ({ port }) => console.log(`${hostname}:${port}`);

Deno.serve({ hostname, port: 0, cert, key, onListen }, (request) => {
  const { pathname, searchParams: query } = new URL(request.url);
  if (pathname === "/refuse") return new Response("not for you\n", { status: 403 });
  const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(/, */);
  const protocol = offered.includes("chosen") ? "chosen" : undefined;
  const { socket, response } = Deno.upgradeWebSocket(request, { protocol });
  socket.binaryType = "arraybuffer";
  socket.onopen = async () => {
    if (pathname === "/zeros") socket.send(new Uint8Array(Number(query.get("bytes"))));
    if (pathname === "/close") socket.close(Number(query.get("code")), query.get("reason"));
    if (pathname === "/closed") socket.send(await closing(query.get("of")).promise);
  };
  socket.onmessage = ({ data }) => socket.send(data);
  socket.onclose = ({ code, reason }) => {
    if (query.has("id")) closing(query.get("id")).resolve(`${code} ${reason}`);
  };
  socket.onerror = () => {};
  return response;
});
