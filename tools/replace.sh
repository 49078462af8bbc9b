#!/bin/sh
# replace.sh SOURCE TARGET: puts a copy of a built file in place of another one, in one step. A
# process that runs or has mapped the old file keeps it; copying over it would fail with "Text file
# busy", or change a library under the process that uses it.
set -eu
new=$2.new.$$
trap 'rm -f "$new"' EXIT
cp "$1" "$new"
mv -f "$new" "$2"
