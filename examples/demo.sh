#!/bin/sh
# Starts a receiver on this machine, sends order updates to it from Python, Node, PHP and C
# through the packages in dist/, and shows the orders as they were received.
set -eu
cd "$(dirname "$0")/.."
. examples/packages.sh

work=$(mktemp -d)
trap 'kill "$receiver" 2>/dev/null || true; rm -rf "$work"' EXIT INT TERM
"$RECEIVER" --print --ignore-stdin >"$work/received" &
receiver=$!
wait_for_line "$work/received"
KATALYS_ENDPOINT="$(ready_url "$work/received" url)/v2/_tr_offline"
export KATALYS_ENDPOINT

echo "A receiver listens at $KATALYS_ENDPOINT. Sending from each language:"
echo
send_from_python "$work"
send_from_node "$work"
send_from_php
send_from_c "$work"
echo
echo "Received:"
tail -n +2 "$work/received"
