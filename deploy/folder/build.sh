#!/bin/sh
# Builds the agent as one folder with Python inside, for systems that have no Python 3.11, and tries it. Run it on the
# oldest system it is to run on, or in a container of that system: its C library decides.
#
#     build.sh [folder]      prints where it is; dist/ by default
set -eu
umask 022
root="$(cd "$(dirname "$0")/../.." && pwd)"
python="$root/.venv/bin/python"
out="${1:-$root/dist}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

"$python" "$root/deploy/deb/subset.py" "$root/requirements.lock" > "$work/agent.lock"
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input --require-hashes \
    --requirement "$work/agent.lock"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input 'pyinstaller==6.*'
# What PyInstaller does not find by itself: sensors and PyNaCl's C part are named at run time, the rest are files.
cd "$root"
"$work/venv/bin/pyinstaller" --onedir --noconfirm --log-level ERROR --name yuanjiao-agent --paths "$root" \
    --workpath "$work/build" --specpath "$work" --distpath "$out/folder" \
    --collect-submodules agent.probes --hidden-import _cffi_backend \
    --add-data "$root/agent/players/station_journal.lua:agent/players" \
    --add-data "$root/shared/wire/directable.json:shared/wire" \
    agent/__main__.py

built="$out/folder/yuanjiao-agent"
printf 'state_dir = "%s"\n' "$work/state" > "$work/agent.toml"
inside() { env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 "$built/yuanjiao-agent" --settings "$work/agent.toml" "$@"; }
inside doctor | grep -q '本站还没有密钥'
test -f "$(inside player-script)"
inside run 2>&1 | grep -q '本机还没有登记'
inside session --help > /dev/null
echo "$built"
