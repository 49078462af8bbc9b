#!/bin/sh
# Tests of the tools themselves: a build replaces what is running, and what runs goes on.
set -eu
cd "$(dirname "$0")/.."
DIST=${DIST:-$PWD/dist}

fail() { echo "FAILED: $1" >&2; exit 1; }

work=$(mktemp -d)
sandbox=
trap '[ -z "$sandbox" ] || kill "$sandbox" 2>/dev/null || true; rm -rf "$work"' EXIT INT TERM

cp "$DIST/katalys" "$work/katalys"
"$work/katalys" sandbox --port 0 --json >"$work/ready" </dev/null &
sandbox=$!
tries=0
until [ -s "$work/ready" ]; do
  tries=$((tries + 1))
  [ "$tries" -le 400 ] || fail "the sandbox did not start"
  sleep 0.05
done
url=$(python3 -c 'import json, sys; print(json.loads(open(sys.argv[1]).readline())["url"])' "$work/ready")

tools/replace.sh "$DIST/katalys" "$work/katalys" || fail "a running command hinders its replacement"
curl -sf "$url/_sandbox/orders" >/dev/null || fail "the command that ran does not answer any more"
"$work/katalys" --version >/dev/null || fail "the new command does not run"
[ "$(ls "$work")" = "katalys
ready" ] || fail "something was left behind: $(ls "$work")"

# No Makefile copies a program or a library over one that may be in use.
if grep -nE '^\s*cp .*(\.so|\.node|katalys)"?\s+\S*(\.node|/katalys|ADDON\))\s*$' Makefile */Makefile; then
  fail "the lines above copy over a file that may be in use; use tools/replace.sh"
fi
echo "tools: passed"
