#!/bin/sh
# Installs the Debian packages of tests/packages.txt that are missing; without the right to do so it names them.
set -eu
list="$(dirname "$0")/packages.txt"
command -v dpkg-query > /dev/null || exit 0

missing=""
for package in $(grep -v '^#' "$list"); do
    status="$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2> /dev/null || true)"
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "Some tests will fail; install as root:  apt-get install --no-install-recommends$missing" >&2
    exit 0
fi
echo "Installing Debian packages:$missing"
log="$(mktemp)"
if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $missing; } \
    > "$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "apt-get could not install:$missing" >&2
    exit 1
fi
rm -f "$log"
