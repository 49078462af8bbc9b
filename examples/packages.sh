# Functions that run the examples with the packages in dist/, installed as a user installs them. Source this file.

DIST=${DIST:-$PWD/dist}
RECEIVER=${RECEIVER:-$PWD/target/debug/katalys-receiver}

wait_for_line() {
  tries=0
  until [ -s "$1" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 200 ] || { echo "the server did not start" >&2; exit 1; }
    sleep 0.05
  done
}

# ready_url FILE KEY: prints a URL from the ready line of a server.
ready_url() {
  python3 -c 'import json, sys; print(json.loads(open(sys.argv[1]).readline())[sys.argv[2]])' "$@"
}

send_from_python() {
  python3 -m venv "$1/venv"
  "$1/venv/bin/pip" install -q --disable-pip-version-check --no-index "$DIST"/katalys-*.whl
  "$1/venv/bin/python" examples/python/report.py
}

send_from_node() {
  mkdir -p "$1/node"
  cp examples/node/report.mjs "$1/node/"
  (cd "$1/node" && npm install --silent --no-audit --no-fund --offline "$DIST"/*.tgz >/dev/null)
  node "$1/node/report.mjs"
}

send_from_php() {
  KATALYS_PHP_AUTOLOAD="$DIST/php/autoload.php" php -d ffi.enable=1 examples/php/report.php
}

send_from_c() {
  PKG_CONFIG_PATH="$DIST/c/lib/pkgconfig"
  export PKG_CONFIG_PATH
  # shellcheck disable=SC2046
  cc -std=c99 -Wall -Wextra -Werror -o "$1/update_order" bindings-c/examples/update_order.c \
    $(pkg-config --cflags --libs katalys)
  LD_LIBRARY_PATH="$DIST/c/lib" "$1/update_order" abcd.com C-1001
}
