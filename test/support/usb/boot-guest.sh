#!/usr/bin/env bash
# boot-guest.sh CMD [ARG...]
#
# Runs CMD as root inside a throw-away QEMU guest whose Linux kernel has a real USB stack
# (usbcore, xhci, vhci_hcd = USB/IP, udev). The guest's root file system is this machine's
# own root (read-only, writes go to a tmpfs overlay), so node, npm packages, etc. are the same.
# WORKDIR (default: the current directory) is shared read-write at the same path.
# Streams CMD's output, exits with CMD's exit status (124 = timed out, 125 = guest failed).
#
# Environment: WORKDIR, TIMEOUT (s, default 300), ACCEL (tcg, the default, or kvm),
#   MEM (MiB, 1024), SMP (2), MODULES (extra kernel modules), KERNEL_DIR (cache folder, default $XDG_CACHE_HOME/duramen/usb-guest),
#   KERNEL_PACKAGE (exact apt package), QEMU_ARGS (extra arguments), GUEST_LOG (kernel log file),
#   GUEST_ENV (names of variables to pass on; default: CI NODE_OPTIONS DEBUG FORCE_COLOR NO_COLOR)
set -euo pipefail
[ $# -gt 0 ] || { sed -n '2,15s/^# \{0,1\}//p' "$0"; exit 64; }
WORKDIR=$(cd "${WORKDIR:-$PWD}" && pwd -P)
KERNEL_DIR=${KERNEL_DIR:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/duramen/usb-guest}
SUDO=; [ "$(id -u)" = 0 ] || SUDO=sudo
log() { [ -z "${QUIET:-}" ] && echo "[boot-guest] $*" >&2 || true; }

# --- 1. what is missing -------------------------------------------------------------------
need=()
command -v qemu-system-x86_64 >/dev/null || need+=(qemu-system-x86)
[ -x /bin/busybox ] && ! ldd /bin/busybox >/dev/null 2>&1 || need+=(busybox-static)
[ -x /sbin/depmod ] || need+=(kmod)
[ -x /lib/systemd/systemd-udevd ] || need+=(udev)      # the usb package needs udevd for hotplug
command -v cpio >/dev/null || need+=(cpio)
apt_updated=
apt_update() { [ -n "$apt_updated" ] || { $SUDO apt-get update -qq >&2; apt_updated=1; }; }
if [ ${#need[@]} -gt 0 ]; then
  log "installing: ${need[*]}"; apt_update
  DEBIAN_FRONTEND=noninteractive $SUDO apt-get install -y -qq --no-install-recommends "${need[@]}" >&2
fi

# --- 2. kernel and initramfs (cached; the kernel package is unpacked, not installed) ---------
mkdir -p "$(dirname "$KERNEL_DIR")" 2>/dev/null || KERNEL_DIR=$(mktemp -d)/usb-guest   # nothing to cache it in
[ -f "$KERNEL_DIR/ok" ] || { exec 8>"$KERNEL_DIR.lock"; flock 8; }
if [ ! -f "$KERNEL_DIR/ok" ]; then
  rm -rf "$KERNEL_DIR"; mkdir -p "$KERNEL_DIR/root"; apt_update
  pkg=${KERNEL_PACKAGE:-$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)}
  log "downloading $pkg"
  (cd "$KERNEL_DIR" && apt-get download -qq -o APT::Sandbox::User=root "$pkg" >&2 && dpkg-deb -x ./*.deb root && rm -f ./*.deb)
  mv "$KERNEL_DIR"/root/boot/vmlinuz-* "$KERNEL_DIR/vmlinuz"
  ver=$(ls "$KERNEL_DIR/root/lib/modules"); rm -rf "$KERNEL_DIR"/root/{boot,usr}
  # keep what a USB guest can want, drop the bulk
  (cd "$KERNEL_DIR/root/lib/modules/$ver/kernel" && for d in drivers/* fs/* net/* sound; do case ${d##*/} in
     usb|virtio|char|hid|block|scsi|input|9p|netfs|fscache|overlayfs|fat|nls|ext4|jbd2|mbcache*|fuse) ;; *) rm -rf "$d" ;; esac; done)
  /sbin/depmod -b "$KERNEL_DIR/root" "$ver" 2>/dev/null
  echo "$ver" > "$KERNEL_DIR/ok"
fi
exec 8>&-
ver=$(cat "$KERNEL_DIR/ok")

# --- 3. the run's control folder: command in, exit status out ---------------------------------
CTL=$(mktemp -d "${TMPDIR:-/var/tmp}/boot-guest.XXXXXX"); trap 'rm -rf "$CTL"' EXIT
i=$CTL/initramfs; mkdir -p "$i"/{bin,mods,proc,sys,dev,lower,rw,new}; cp /bin/busybox "$i/bin/"; n=10
for ko in $(for m in virtio_pci 9pnet_virtio 9p overlay virtio_console virtio_rng; do
  /sbin/modprobe -d "$KERNEL_DIR/root" -S "$ver" --show-depends "$m" | awk '$1=="insmod"{print $2}'; done | awk '!s[$0]++'); do
  cp "$ko" "$i/mods/$n-${ko##*/}"; n=$((n+1)); done
cat > "$i/init" <<'INIT'
#!/bin/busybox sh
export PATH=/bin; /bin/busybox mount -t proc proc /proc; /bin/busybox --install -s /bin
mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for m in /mods/*.ko; do insmod $m; done
o=trans=virtio,version=9p2000.L,msize=512000
mount -t 9p -o $o,ro,cache=loose root /lower || poweroff -f
mount -t tmpfs tmpfs /rw; mkdir -p /rw/up /rw/work
mount -t overlay -o lowerdir=/lower,upperdir=/rw/up,workdir=/rw/work root /new || poweroff -f
for d in proc sys dev; do mkdir -p /new/$d; mount --move /$d /new/$d; done
mkdir -p /new/run /new/tmp
mount -t tmpfs -o mode=755 tmpfs /new/run; mount -t tmpfs -o mode=1777 tmpfs /new/tmp
mkdir -p /new/run/guest; mount -t 9p -o $o,cache=none ctl /new/run/guest || poweroff -f
W=$(cat /new/run/guest/workdir); K=$(cat /new/run/guest/kerneldir)
mkdir -p "/new$W" /new/lib/modules; mount -t 9p -o $o,cache=loose work "/new$W" || poweroff -f
mount --bind "/lower$K/root/lib/modules" /new/lib/modules
exec /bin/busybox switch_root /new /bin/bash /run/guest/stage2
INIT
chmod +x "$i/init"; (cd "$i" && find . | cpio -o -H newc --quiet > "$CTL/initrd"); rm -rf "$i"
echo "$WORKDIR" > "$CTL/workdir"; echo "$KERNEL_DIR" > "$CTL/kerneldir"
{ for v in PATH ${GUEST_ENV:-CI NODE_OPTIONS DEBUG FORCE_COLOR NO_COLOR}; do [ -z "${!v:-}" ] || printf 'export %s=%q\n' "$v" "${!v}"; done
  echo 'export HOME=/root LANG=C.UTF-8 BOOT_GUEST=1'; printf 'cd %q\n' "$PWD"; printf '%q ' "$@"; echo; } > "$CTL/cmd"
cat > "$CTL/stage2" <<STAGE2
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p /dev/shm /dev/pts; mount -t tmpfs -o mode=1777 tmpfs /dev/shm; mount -t devpts devpts /dev/pts
ln -sfn /proc/self/fd /dev/fd; ip link set lo up 2>/dev/null || busybox ip link set lo up; hostname guest
modprobe -a usbcore vhci-hcd          # before udevd: it need not look at vhci's sixteen root hubs
[ -n "${NO_UDEV:-}" ] || /lib/systemd/systemd-udevd --daemon 2>/dev/null
modprobe -a xhci-pci ${MODULES:-}
cut -d' ' -f1 /proc/uptime > /run/guest/uptime
/bin/bash /run/guest/cmd > /dev/vport0p1 2>&1 < /dev/null; rc=\$?
# bring out what is still in flight, then off
sync; echo \$rc > /run/guest/rc; sync; echo 1 > /proc/sys/kernel/sysrq; echo o > /proc/sysrq-trigger; sleep 20
STAGE2
sed -i 's#/dev/vport0p1#$(ls /dev/virtio-ports/out /dev/vport*p1 2>/dev/null | head -1)#' "$CTL/stage2"

# --- 4. boot ------------------------------------------------------------------------------------
ACCEL=${ACCEL:-tcg}   # a /dev/kvm that can be opened need not work (nested): kvm is for those who know
case $ACCEL in kvm) accel=(-accel kvm -accel tcg) ;; *) accel=(-accel tcg,thread=multi) ;; esac
p9() { echo "local,path=$2,mount_tag=$1,security_model=none,multidevs=remap$3"; }
mkfifo "$CTL/out"; cat "$CTL/out" & cat_pid=$!   # (a stdio chardev would hang up at the end of stdin)
rc=0; t0=$(date +%s.%N)
timeout -k 5 "${TIMEOUT:-300}" qemu-system-x86_64 \
  -M q35,usb=off "${accel[@]}" -cpu "${CPU:-max,arch-capabilities=off}" -smp "${SMP:-2}" -m "${MEM:-1024}" \
  -nodefaults -no-user-config -display none -no-reboot \
  -kernel "$KERNEL_DIR/vmlinuz" -initrd "$CTL/initrd" \
  -append "console=ttyS0 quiet loglevel=5 panic=-1 tsc=reliable random.trust_cpu=on mitigations=off" \
  -chardev file,id=console,path="${GUEST_LOG:-$CTL/console}" -serial chardev:console \
  -device virtio-serial-pci -chardev file,id=out,path="$CTL/out" -device virtserialport,chardev=out,name=out \
  -device virtio-rng-pci \
  -virtfs "$(p9 root / ,readonly=on)" -virtfs "$(p9 ctl "$CTL" "")" -virtfs "$(p9 work "$WORKDIR" "")" \
  -device qemu-xhci,id=xhci ${QEMU_ARGS:-} < /dev/null & qemu=$!
trap 'kill $qemu 2>/dev/null; exit 130' INT TERM HUP
wait $qemu || rc=$?
kill -0 $cat_pid 2>/dev/null && { : 3<>"$CTL/out"; } ; wait $cat_pid 2>/dev/null || true
if [ "$rc" = 124 ] || [ "$rc" = 137 ]; then log "timed out after ${TIMEOUT:-300} s"; rc=124
elif [ -s "$CTL/rc" ]; then rc=$(cat "$CTL/rc")
else log "the guest did not finish (qemu: $rc); its console:"; tail -40 "${GUEST_LOG:-$CTL/console}" >&2 || true; rc=125; fi
log "$ACCEL: guest ready after $(cat "$CTL/uptime" 2>/dev/null || echo '?') s of guest uptime; total $(echo "$(date +%s.%N) - $t0" | bc 2>/dev/null || awk "BEGIN{print $(date +%s.%N)-$t0}") s; exit $rc"
exit "$rc"
