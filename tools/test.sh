#!/bin/sh
# Tests of the tools and the packages: a build replaces a running command without affecting it, the tutorial's
# commands print what the page shows, and packages contain all licences.
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

tools/replace.sh "$DIST/katalys" "$work/katalys" || fail "a running command prevents its replacement"
curl -sf "$url/_sandbox/orders" >/dev/null || fail "the running command no longer answers"
"$work/katalys" --version >/dev/null || fail "the new command does not run"
[ "$(ls "$work")" = "katalys
ready" ] || fail "files were left over: $(ls "$work")"

python3 tools/tutorial.py "$DIST/katalys"

# No Makefile copies a program or a library over one that may be in use.
if grep -nE '^\s*cp .*(\.so|\.node|katalys)"?\s+\S*(\.node|/katalys|ADDON\))\s*$' Makefile */Makefile; then
  fail "the lines above overwrite a file that may be in use; use tools/replace.sh"
fi
# Every package with a binary contains the licences of the libraries in it.
for package in "$DIST"/*.whl "$DIST"/katalys-linux-*.tgz "$DIST"/cli/katalys-cli-linux-*.tgz; do
  case "$package" in
    *.whl) files=$(python3 -m zipfile -l "$package") ;;
    *) files=$(tar -tzf "$package") ;;
  esac
  for licence in LICENSE-MIT LICENSE-APACHE LICENSE-THIRD-PARTY.md; do
    case "$files" in *"$licence"*) ;; *) fail "$package lacks $licence" ;; esac
  done
done
for folder in "$DIST/c" "$DIST/php"; do
  [ -s "$folder/LICENSE-MIT" ] && [ -s "$folder/LICENSE-THIRD-PARTY.md" ] || fail "$folder lacks licences"
done
echo "tools: passed"
