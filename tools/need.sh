#!/bin/sh
# need.sh build|demo|test: checks that the programs a step needs are installed. As root on Debian it installs
# missing ones, otherwise it prints the command that does.
set -eu

# command:Debian package. These packages include PHP's FFI and OPcache.
build="cc:gcc make:make"
demo="$build php:php-cli pkg-config:pkg-config curl:curl"
test="$demo php-fpm:php-fpm nginx:nginx-light composer:composer phpunit:phpunit phpcs:php-codesniffer strace:strace
  valgrind:valgrind g++:g++ wrk:wrk openssl:openssl file:file xargs:findutils faketime:faketime
  chromium:chromium cmake:cmake"

case "$1" in
  build) wanted=$build ;;
  demo) wanted=$demo ;;
  test) wanted=$test ;;
esac

has() {
  case "$1" in
    php-fpm) ls /usr/sbin/php-fpm* >/dev/null 2>&1 ;;
    *) command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] ;;
  esac
}

missing=""
for pair in $wanted; do
  has "${pair%%:*}" || missing="$missing ${pair##*:}"
done
if ! python3 -c 'import ensurepip' 2>/dev/null; then missing="$missing python3-venv"; fi
if [ "$1" = test ]; then
  for extension in curl mbstring sqlite3 xml; do
    php -m 2>/dev/null | grep -qi "^$extension" || missing="$missing php-$extension"
  done
  [ -f /usr/include/sqlite3.h ] || missing="$missing libsqlite3-dev"
fi

for tool in cargo python3 node npm; do
  if ! has "$tool"; then
    echo "$tool is missing: this project needs Rust 1.88, Python 3.10 and Node 20, or later" >&2
    exit 1
  fi
done
[ -n "$missing" ] || exit 0
install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing$missing"
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  if apt-get update -q >"$log" 2>&1 && $install >>"$log" 2>&1; then exit 0; fi
  tail -20 "$log" >&2
  exit 1
fi
echo "missing:$missing" >&2
echo "run: sudo $install" >&2
exit 1
