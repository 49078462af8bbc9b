#!/bin/sh
# release_flags.sh: what rustc is told for packages, in addition to the caller's RUSTFLAGS: paths of the
# machine that builds do not belong into what is shipped.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
echo "${RUSTFLAGS:-} --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=crates --remap-path-prefix=$root=katalys"
