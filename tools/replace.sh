#!/bin/sh
# replace.sh SOURCE TARGET: atomically replaces a file with a copy of a built one. Processes that run or map the
# old file keep it. Overwriting it would fail with "Text file busy", or change a library while a process uses it.
set -eu
new=$2.new.$$
trap 'rm -f "$new"' EXIT
cp "$1" "$new"
mv -f "$new" "$2"
