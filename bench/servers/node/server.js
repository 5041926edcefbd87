// The echo server of npm's `ws`, as its README has it.
//
// With `bufferutil`, the native module for masking that its README recommends for performance; Node itself validates
// UTF-8. `perMessageDeflate` is off unless asked for, then at level 1 and for messages of every size. A message is
// sent at once.
//
//     node server.js [--tls] [--deflate none|no-takeover|takeover] [--broadcast]
//
// Prints {"address":"127.0.0.1:PORT"} when it is ready, and ends when standard input ends. The certificate for --tls
// is in the files that the variables TLS_CERT and TLS_KEY name.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';

const { values: options } = parseArgs({
  options: {
    tls: { type: 'boolean', default: false },
    deflate: { type: 'string', default: 'none' },
    broadcast: { type: 'boolean', default: false },
  },
});
const alone = options.deflate === 'no-takeover';
const perMessageDeflate = options.deflate !== 'none' && {
  serverNoContextTakeover: alone,
  clientNoContextTakeover: alone,
  threshold: 0,
  zlibDeflateOptions: { level: 1 },
};
const server = options.tls
  ? createTlsServer({ cert: readFileSync(process.env.TLS_CERT), key: readFileSync(process.env.TLS_KEY) })
  : createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate, maxPayload: 16 << 20 });

sockets.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => {
    if (!options.broadcast) {
      socket.send(data, { binary: isBinary });
      return;
    }
    for (const member of sockets.clients) {
      member.send(data, { binary: isBinary });
    }
  });
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
  console.log(JSON.stringify({ address: `127.0.0.1:${server.address().port}` }));
});
process.stdin.on('end', () => process.exit(0)).resume();
