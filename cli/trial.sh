#!/bin/sh
# trial.sh PROGRAM…: checks that each installed program is the complete command, whichever package contains it.
set -eu

fail() { echo "$1" >&2; exit 1; }

for program; do
  "$program" --version | grep -qx "katalys [0-9.]*" || fail "$program: --version"
  payload=$("$program" send 1001 order_status=paid --site-id abcd.com --dry-run)
  [ "$payload" = '{"site_id":"abcd.com","order_id":"1001","order_status":"paid"}' ] ||
    fail "$program: $payload"
  code=0
  "$program" send 1001 'sale_amount=$5' --site-id abcd.com --dry-run 2>/dev/null || code=$?
  [ "$code" = 1 ] || fail "$program: the exit code is $code"
done

size=$(wc -c <"$1")
[ "$size" -le 12582912 ] || fail "$1 has $size bytes; the limit is 12 MiB"
foreign=$(ldd "$1" | grep -vE 'linux-vdso|ld-linux|lib(c|m|pthread|dl|rt)\.so' || true)
[ -z "$foreign" ] || fail "$1 needs more than the C library: $foreign"
