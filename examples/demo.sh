#!/bin/sh
# Starts the sandbox on this machine, sends order updates to it from Python, Node, PHP and C through
# the packages in dist/, and shows the orders as they were received. KEEP=1 leaves the sandbox running.
set -eu
cd "$(dirname "$0")/.."
. examples/packages.sh

work=$(mktemp -d)
tidy_up() {
  rm -rf "$work"
  [ -n "${kept:-}" ] || kill "$sandbox" 2>/dev/null || true
}
trap tidy_up EXIT INT TERM
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
  echo "Look at them: $page (kill $sandbox ends it)"
else
  echo "They were to be seen at $page; make demo KEEP=1 leaves that page running."
fi
