#!/bin/sh
# Starts a local sandbox, sends order updates to it from Python, Node, PHP and C through the packages in dist/, and
# prints what arrived. With KEEP=1 the sandbox and its page keep running.
set -eu
cd "$(dirname "$0")/.."
. examples/packages.sh

work=$(mktemp -d)
clean_up() {
  rm -rf "$work"
  [ -n "${kept:-}" ] || kill "$sandbox" 2>/dev/null || true
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
nohup "$DIST/katalys" sandbox --port "${PORT:-0}" --json >"$work/ready" 2>"$work/said" </dev/null &
sandbox=$!
wait_for_line "$work/ready"
page=$(ready_url "$work/ready" url)
KATALYS_ENDPOINT=$(ready_url "$work/ready" endpoint)
export KATALYS_ENDPOINT

echo "A sandbox listens at $KATALYS_ENDPOINT. Each language sends updates to it:"
echo
send_from_python "$work"
send_from_node "$work"
send_from_php
send_from_c "$work"
echo
echo "Received:"
curl -s "$page/_sandbox/updates" | python3 examples/show_updates.py
echo
if [ "${KEEP:-}" = 1 ]; then
  kept=yes
  echo "The sandbox keeps running; its page: $page"
  echo "To stop it: kill $sandbox"
else
  echo "To see the orders on the sandbox's page, run: make demo KEEP=1"
fi
