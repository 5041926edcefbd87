#!/bin/sh
# Starts NATS, three nodes and HAProxy on this machine, until Ctrl-C. Builds the example first; needs Debian's packages
# `nats-server` and `haproxy`.
#
# NODES=5 PORT=8080 NATS_PORT=4222 examples/cluster/run.sh
set -eu
cd "$(dirname "$0")"
nodes=${NODES:-3} port=${PORT:-8080} nats_port=${NATS_PORT:-4222}
PATH=$PATH:/usr/sbin
cargo build --release --locked
bin=${CARGO_TARGET_DIR:-target}/release
data=$(mktemp -d)
children=
finish() {
  trap - INT TERM EXIT
  # SIGTERM lets clients go with 1001.
  for child in $children; do kill "$child" 2>/dev/null || true; done
  wait
  rm -r "$data"
}
trap finish INT TERM EXIT

nats-server -a 127.0.0.1 -p "$nats_port" -js -sd "$data/jetstream" >"$data/nats.txt" 2>&1 &
children=$!
# A node waits for NATS, and prints where it listens once it is ready.
servers=
node=1
while [ "$node" -le "$nodes" ]; do
  mkfifo "$data/ready"
  "$bin/node" --nats "nats://127.0.0.1:$nats_port" >"$data/ready" &
  children="$! $children"
  read -r _ _ address <"$data/ready"
  rm "$data/ready"
  echo "node $node: ws://$address/ROOM?client=NAME&session=NONCE"
  servers="$servers  server node$node $address
"
  node=$((node + 1))
done
# HAProxy needs two file descriptors for each client.
files=$(ulimit -n)
if [ "$files" = unlimited ]; then files=20000; fi
awk -v port="$port" -v servers="$servers" -v most=$((files / 2 - 100)) '
  { gsub("@PORT@", port); gsub("@MAX@", most); if ($0 == "@NODES@") printf "%s", servers; else print }
' haproxy.cfg >"$data/haproxy.cfg"
haproxy -db -f "$data/haproxy.cfg" &
children="$! $children"
echo "all of them, behind HAProxy: ws://127.0.0.1:$port/ROOM?client=NAME&session=NONCE&after=0"
wait
