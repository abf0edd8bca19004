#!/bin/sh
# Runs as the first process of new namespaces: lays a writable layer over this machine's root, makes a small PC of it
# and becomes that PC's systemd.
#
#     boot.sh LAYER BOOT_ID [PACKAGE]      the layer outlives the boot; the package is installed when it is named
set -eu
layer="$1" boot_id="$2" package="${3:-}"
mount --make-rprivate /
mkdir -p "$layer/upper" "$layer/work" "$layer/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$layer/root"
root="$layer/root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys" -o ro
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir -p "$root/dev/pts" "$root/dev/shm" "$root/.old"
ln -s /proc/self/fd "$root/dev/fd"
mount -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=0666
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs tmpfs "$root/sys/fs/cgroup" 2> /dev/null || true
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
# The kernel is not started anew, so it gets a new boot's name here.
echo "$boot_id" > "$root/run/boot_id"
mount --bind "$root/run/boot_id" "$root/proc/sys/kernel/random/boot_id"

if [ -n "$package" ]; then
    rm -rf "$root"/etc/systemd/system/*.wants "$root"/etc/systemd/user/*.wants "$root/var/lib/systemd/linger"
    for unit in console-getty.service getty.target apt-daily.timer dpkg-db-backup.timer man-db.timer; do
        ln -sf /dev/null "$root/etc/systemd/system/$unit"
    done
    # A new PC, whatever was tried on this machine before.
    rm -rf "$root/var/lib/yuanjiao" "$root/var/lib/private/yuanjiao" "$root/etc/yuanjiao"
    # Images of containers forbid packages to start anything; a PC does not.
    rm -f "$root/usr/sbin/policy-rc.d"
    echo 0123456789abcdef0123456789abcdef > "$root/etc/machine-id"
    chroot "$root" useradd --create-home --uid 1742 villager
    mkdir -p "$root/var/lib/systemd/linger" "$root/srv/courseware"
    touch "$root/var/lib/systemd/linger/villager"
    cp "$package" "$root/srv/agent.deb"
    chroot "$root" dpkg --install --force-depends --force-unsafe-io /srv/agent.deb > "$layer/install.log" 2>&1
fi
cd "$root"
pivot_root . .old
cd /
umount -l /.old
mount --make-rshared /
exec /usr/bin/env -i container=yuanjiao PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=multi-user.target --log-target=journal --show-status=no
