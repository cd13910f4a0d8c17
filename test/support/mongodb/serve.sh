#!/usr/bin/env bash
# serve.sh HOME PORT AUTH DISK PROGRAM
#
# One server on 127.0.0.1:PORT with data of its own, steered by lines on stdin: start, stop, kill, fill, free. Each is
# answered by one line, `ok` or what went wrong. At the end of stdin, so also when the tests were killed, the server is
# killed and its data are removed; data of those that were killed themselves go at the next start. Only ever the first
# process of PID and mount namespaces of its own (unshare): what it starts can't outlive it, and `kill` ends nothing else.
#   HOME: what make.sh has made. AUTH: auth, when names and passwords are asked for. DISK: a size (400m), for data on
#   a disk of that size. PROGRAM: a mongod; none: the FerretDB in HOME.
set -u
[ $$ = 1 ] || { echo 'serve.sh: only under unshare --pid --mount --fork' >&2; exit 1; }   # or `kill -1` is everybody
home=$1 port=$2 auth=$3 disk=$4 program=$5 root=$1/root

mkdir -p "$home/run"
exec 8>"$home/run.lock"; flock 8
for old in "$home"/run/*; do [ ! -d "$old" ] || flock -n "$old" rm -rf "$old"; done    # (a lock is gone with its owner)
data=$(mktemp -d "$home/run/XXXXXX")
exec 9<"$data"; flock 9; exec 8>&- 2>>"$data/log"

ferretdb=$([ -n "$program" ] || echo yes)
db=$data/db; mkdir "$db"
[ -z "$disk" ] || mount -t tmpfs -o "size=$disk" tmpfs "$db" || exit 1
if [ -n "$ferretdb" ]; then
  mount --rbind /dev "$root/dev" && mount -t proc proc "$root/proc" && mount --bind "$db" "$root/data" || exit 1
  cp -a "$home/template/." "$db"
  if [ -n "$disk" ]; then     # its log in advance of a full disk would end PostgreSQL: that's another trouble
    mv "$db/pg_wal" "$data/wal"; chown --reference="$db" "$data" "$data/wal"; mkdir "$root/data/pg_wal"
    mount --bind "$data/wal" "$root/data/pg_wal"
  fi
fi

as_postgres() { chroot --userspec=postgres "$root" "$@" </dev/null; }
server=
listens() { (exec 7<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

start() {
  if [ -n "$ferretdb" ]; then
    as_postgres /pg/pg_ctl -D /data -w -l /data/log start >/dev/null || { tail -3 "$db/log" | tr "\n" " "; echo; return; }
    chroot --userspec=postgres "$root" ferretdb --postgresql-url='postgres://postgres@/postgres?host=/data' --listen-addr="127.0.0.1:$port" \
      --debug-addr= --state-dir=/tmp --telemetry=disable $([ -n "$auth" ] || echo --no-auth) >>"$data/log" 2>&1 &
  else
    "$program" --dbpath "$db" --port "$port" --bind_ip 127.0.0.1 ${auth:+--auth} >>"$data/log" 2>&1 &
  fi
  server=$!
  until listens; do
    kill -0 $server 2>/dev/null || { tail -3 "$data/log" | tr "\n" " "; echo; return; }
    sleep 0.02
  done
  echo ok
}

stop() {
  # FerretDB has nothing of its own to save, and would wait seconds for its clients
  [ -z "$server" ] || { kill ${ferretdb:+-KILL} "$server"; wait "$server"; }
  [ -z "$ferretdb" ] || as_postgres /pg/pg_ctl -D /data -w -m fast stop >/dev/null
  echo ok
}

end() { kill -KILL -1; wait; }      # all of this namespace but us

while read -r order; do
  case $order in
    start) start ;;
    stop) stop ;;
    kill) end; echo ok ;;
    fill) fallocate -l "$(df --output=avail -B1 "$db" | tail -1)" "$db/filler" && echo ok || echo 'the disk was not filled' ;;
    free) rm -f "$db/filler"; echo ok ;;
    *) echo "no such order: $order" ;;
  esac
done
end
[ -z "$disk" ] || umount -R "$root/data" "$db"
rm -rf "$data"
