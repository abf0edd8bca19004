#!/bin/sh
# Proves the package in a Debian that has nothing else: installs it over what it depends on, asks it to speak, installs it
# again over what a station has recorded, removes it, purges it. Takes root, mmdebstrap and Debian's packages.
#
#     clean_root.sh PACKAGE
set -eu
package="$(readlink -f "$1")"
root="$(mktemp -d /var/tmp/yuanjiao-clean-XXXXXX)"
trap 'rm -rf "$root"' EXIT
began="$(date +%s)"

echo 'Making a clean Debian …'
mmdebstrap --quiet --variant=minbase --include=systemd,python3.11 bookworm "$root"
cp "$package" "$root/agent.deb"
mount -t proc proc "$root/proc"
trap 'umount "$root/proc"; rm -rf "$root" "$root.log"' EXIT
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }
say() { echo "$(($(date +%s) - began)) s: $*"; }

loud() { "$@" > "$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; exit 1; }; }

loud inside dpkg --install /agent.deb
say 'installed'
inside yuanjiao-agent --help > /dev/null
inside yuanjiao-agent doctor | grep -q '本站还没有密钥'
say 'doctor speaks'
inside sh -c 'mkdir -p /var/lib/yuanjiao/spool && echo kept > /var/lib/yuanjiao/spool/spool.db'
loud inside dpkg --install /agent.deb
test "$(cat "$root/var/lib/yuanjiao/spool/spool.db")" = kept
say 'an upgrade keeps the spool'
inside dpkg --remove yuanjiao-agent > /dev/null
test -e "$root/var/lib/yuanjiao/spool/spool.db"
test ! -e "$root/opt/yuanjiao"
say 'removal keeps the data'
inside dpkg --purge yuanjiao-agent > /dev/null
test ! -e "$root/var/lib/yuanjiao" && test ! -e "$root/etc/yuanjiao" && test ! -e "$root/var/spool/yuanjiao"
say 'purged'
