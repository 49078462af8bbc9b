#!/bin/sh
# Starts a sandbox on this machine, sends order updates to it from Python, Node, PHP and C through the
# packages in dist/, and shows what arrived. Ends by itself; with KEEP=1 the sandbox's page stays open.
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

echo "A sandbox listens at $KATALYS_ENDPOINT. Sending from each language:"
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
  echo "The page stays open: $page"
  echo "To stop it: kill $sandbox"
else
  echo "To look at the orders on a page, run: make demo KEEP=1"
fi
