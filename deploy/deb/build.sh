#!/bin/sh
# Builds the agent's Debian package: its own Python environment under /opt/yuanjiao, from the lock's hashes.
#
#     build.sh [folder] [version]      prints the path of the package; dist/ and the project's version by default
#
# RELEASE_KEYS names the file with the public halves of the release keys (docs/install.md). Without it the package trusts
# no release, and stations are upgraded by packages alone.
#
# The environment holds no path of the machine that built it: pyvenv.cfg and one link lead to Debian's Python 3.11.
set -eu
umask 022
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
python="$root/.venv/bin/python"
out="${1:-$root/dist}"
version="${2:-$(cd "$root" && "$python" -c 'from agent.version import VERSION; print(VERSION)')}"
architecture="$(dpkg --print-architecture)"
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo 'The package needs a .venv of Python 3.11.' >&2; exit 1; }

stage="$(mktemp -d)"
trap 'rm -rf "$stage"' EXIT
chmod 755 "$stage"
home="$stage/opt/yuanjiao"
site="$home/lib/python3.11/site-packages"
mkdir -p "$site" "$home/bin" "$stage/DEBIAN" "$out"

"$python" "$here/subset.py" "$root/requirements.lock" > "$stage/agent.lock"
"$python" -m pip install -qq --disable-pip-version-check --no-input --require-hashes --no-deps --no-compile \
    --only-binary :all: --target "$site" --requirement "$stage/agent.lock"
rm -rf "$stage/agent.lock" "$site/bin"
tar -C "$root" --exclude=__pycache__ -cf - agent shared | tar -C "$site" --no-same-owner -xf -

printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11\n' > "$home/pyvenv.cfg"
ln -s /usr/bin/python3.11 "$home/bin/python"
install -m 755 "$here/yuanjiao-agent.sh" "$home/bin/yuanjiao-agent"
if [ -n "${RELEASE_KEYS:-}" ]; then
    (cd "$root" && "$python" deploy/release/release.py check "$RELEASE_KEYS")
    install -m 644 "$RELEASE_KEYS" "$home/release_keys.toml"
fi
# Compiled here, because the agent may not write there; by hash, so that file dates mean nothing.
"$python" -m compileall -q -j 2 --invalidation-mode unchecked-hash -s "$stage" -p / "$site"

units="$root/deploy/systemd"
install -D -m 644 -t "$stage/lib/systemd/system" "$units/yuanjiao-agent.service"
install -D -m 644 -t "$stage/usr/lib/systemd/user" "$units/yuanjiao-session.service"
install -D -m 644 "$units/yuanjiao-agent.sysusers.conf" "$stage/usr/lib/sysusers.d/yuanjiao-agent.conf"
install -D -m 644 "$units/yuanjiao-agent.tmpfiles.conf" "$stage/usr/lib/tmpfiles.d/yuanjiao-agent.conf"
install -D -m 644 -t "$stage/etc/yuanjiao" "$units/agent.toml"
install -D -m 644 -t "$stage/etc/mpv/script-opts" "$units/station_journal.conf"
install -D -m 644 -t "$stage/usr/share/doc/yuanjiao-agent" "$root/docs/install.md" "$root/docs/install.zh-CN.md"
mkdir -p "$stage/usr/bin" "$stage/etc/mpv/scripts"
ln -s /opt/yuanjiao/bin/yuanjiao-agent "$stage/usr/bin/yuanjiao-agent"
ln -s /opt/yuanjiao/lib/python3.11/site-packages/agent/players/station_journal.lua "$stage/etc/mpv/scripts/"

size="$(du -sk --exclude=DEBIAN "$stage" | cut -f1)"
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@SIZE@/$size/" "$here/control.in" \
    > "$stage/DEBIAN/control"
install -m 644 "$here/conffiles" "$stage/DEBIAN/"
install -m 755 "$here/postinst" "$here/prerm" "$here/postrm" "$stage/DEBIAN/"
SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2> /dev/null || date +%s)}"
export SOURCE_DATE_EPOCH
package="$out/yuanjiao-agent_${version}_$architecture.deb"
dpkg-deb --root-owner-group -Zxz -z1 --build "$stage" "$package" > /dev/null
echo "$package"
