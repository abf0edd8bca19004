#!/bin/sh
# Proves the package in a Debian that has nothing else: installs it over what it depends on, enrols at a real centre with
# one command and lets the agent report, installs it again over what is recorded, removes it, purges it. Takes root,
# mmdebstrap, Debian's packages, and this folder's .venv for the centre.
#
#     clean_root.sh PACKAGE
set -eu
package="$(readlink -f "$1")"
bin="$(cd "$(dirname "$0")/../.." && pwd)/.venv/bin"
root="$(mktemp -d /var/tmp/yuanjiao-clean-XXXXXX)"
centre="$(mktemp -d)"
state="$root/var/lib/yuanjiao"
began="$(date +%s)"
pids=''
clean_up() {
    for pid in $pids; do kill "$pid" 2> /dev/null || true; done
    umount "$root/proc" 2> /dev/null || true
    rm -rf "$root" "$root.log" "$centre"
}
trap clean_up EXIT
bare='env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8'
inside() { chroot "$root" $bare "$@"; }
say() { echo "$(($(date +%s) - began)) s: $*"; }
loud() { "$@" > "$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; exit 1; }; }
# At most a minute for the rest of the line to become true.
wait_for() {
    for _ in $(seq 120); do "$@" > /dev/null 2>&1 && return; sleep 0.5; done
    echo "did not come true: $*" >&2
    cat "$centre"/*.log >&2
    exit 1
}

echo 'Making a clean Debian …'
mmdebstrap --quiet --variant=minbase --include=systemd,python3.11 bookworm "$root"
cp "$package" "$root/agent.deb"
mount -t proc proc "$root/proc"

export YUANJIAO_PORT YUANJIAO_PUBLIC_URL YUANJIAO_DATABASE="sqlite+aiosqlite:///$centre/centre.db"
YUANJIAO_PORT="$("$bin/python" -c 'import socket; door = socket.create_server(("127.0.0.1", 0)); print(door.getsockname()[1])')"
YUANJIAO_PUBLIC_URL="https://127.0.0.1:$YUANJIAO_PORT"
loud "$bin/yuanjiao-collector" init
loud "$bin/yuanjiao-collector" codes --township 宝轮镇 --out "$centre/codes.csv"
"$bin/yuanjiao-collector" serve > "$centre/centre.log" 2>&1 &
pids="$!"
slip="$(sed -n 2p "$centre/codes.csv" | tr -d '\r')"
code="$(echo "$slip" | cut -d, -f3)" fingerprint="$(echo "$slip" | cut -d, -f4)"

loud inside dpkg --install /agent.deb
say 'installed'
inside yuanjiao-agent --help > /dev/null
inside yuanjiao-agent session --help > /dev/null
inside yuanjiao-agent doctor | grep -q '本站还没有密钥'
say 'doctor speaks'
wait_for inside yuanjiao-agent enroll "$code" "$fingerprint" --centre "$YUANJIAO_PUBLIC_URL"
chroot "$root" $bare yuanjiao-agent run > "$centre/agent.log" 2>&1 &
agent="$!" pids="$pids $!"
wait_for grep -q 'agent.started' "$centre/agent.log"
wait_for test -s "$state/lease"
inside yuanjiao-agent doctor | grep -q '与区中心通信正常'
kill "$agent"
wait "$agent"
test -s "$state/clean"
say 'enrolled by one command, reported to the centre, ended cleanly'

sum() { cat "$state/spool/spool.db" "$state/identity.json" | sha256sum; }
before="$(sum)"
loud inside dpkg --install /agent.deb
test "$(sum)" = "$before"
say 'an upgrade keeps the spool and who the station is'
inside dpkg --remove yuanjiao-agent > /dev/null
test "$(sum)" = "$before"
test ! -e "$root/opt/yuanjiao"
say 'removal keeps the data'
inside dpkg --purge yuanjiao-agent > /dev/null
test ! -e "$state" && test ! -e "$root/etc/yuanjiao" && test ! -e "$root/var/spool/yuanjiao"
say 'purged'
