#!/bin/sh
# Runs the examples and the snippets of README.md with the packages in dist/, and checks what arrived.
set -eu
cd "$(dirname "$0")/.."
. examples/packages.sh

work=$(mktemp -d)
trap 'kill "$receiver" 2>/dev/null || true; rm -rf "$work"' EXIT INT TERM
"$RECEIVER" --ignore-stdin >"$work/ready" &
receiver=$!
wait_for_line "$work/ready"
KATALYS_ENDPOINT="$(ready_url "$work/ready" url)/run/examples/204"
export KATALYS_ENDPOINT

send_from_python "$work"
send_from_node "$work"
send_from_php
send_from_c "$work"
cargo run -q -p katalys-core --example report

# snippet LANGUAGE: prints the first code block of that language in README.md.
snippet() {
  awk -v begin='```'"$1" '$0 == begin { on = 1; next } on && /^```/ { exit } on' README.md
}
snippet python >"$work/snippet.py"
"$work/venv/bin/python" "$work/snippet.py"
snippet js >"$work/node/snippet.mjs"
node "$work/node/snippet.mjs"
snippet php | sed "s#'vendor/autoload.php'#getenv('KATALYS_PHP_AUTOLOAD')#" >"$work/snippet.php"
KATALYS_PHP_AUTOLOAD="$DIST/php/autoload.php" php -d ffi.enable=1 "$work/snippet.php"

arrived=$(curl -s "$(ready_url "$work/ready" control)/_recorded/examples")
for expected in PY-1001:2 JS-1001:2 PHP-1001:2 RS-1001:2 C-1001:1 1001:3; do
  order=${expected%:*}
  count=$(printf '%s' "$arrived" | grep -o "order_id\\\\\":\\\\\"$order\\\\\"" | wc -l)
  if [ "$count" -ne "${expected#*:}" ]; then
    echo "FAILED: $count updates of $order arrived instead of ${expected#*:}: $arrived" >&2
    exit 1
  fi
done
echo "8 passed, 0 failed"
