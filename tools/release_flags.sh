#!/bin/sh
# release_flags.sh: prints the rustc flags for packages: the caller's RUSTFLAGS, and flags that keep paths of the
# build machine out of the binaries.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
echo "${RUSTFLAGS:-} --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=crates --remap-path-prefix=$root=katalys"
