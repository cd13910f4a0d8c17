#!/usr/bin/env bash
# make.sh HOME
#
# Makes a server that speaks MongoDB's protocol from what package registries have: PostgreSQL with the DocumentDB
# extension, of a Debian that is newer than this one, in a folder of its own (chroot), and FerretDB before it (a Go
# program). Once a machine: HOME is a cache folder, HOME/ok says what is in it. Needs root, apt and go; a minute or
# three, and 730 MB.
set -euo pipefail
home=$1 release=forky postgres=18 ferretdb=v2.7.0
made="FerretDB $ferretdb on PostgreSQL $postgres with DocumentDB, of Debian $release"
say() { echo "[mongodb] $*" >&2; }
failed() { tail -5 "$1" >&2; say "that failed: $1"; exit 1; }

[ "$(id -u)" = 0 ] || { say 'making a server needs root'; exit 1; }
for tool in apt-get go flock unshare; do command -v $tool >/dev/null || { say "making a server needs $tool"; exit 1; }; done
mkdir -p "$home"
# Once more in namespaces of our own, so that no mount and no process outlives us. The second argument says where we came
# from: among the mounts of the machine nothing is mounted or removed.
here=$(readlink /proc/self/ns/mnt)
[ $# = 2 ] || exec unshare --mount --pid --fork --kill-child bash "$0" "$home" "$here"
[ "$here" != "$2" ] && [ $$ = 1 ] || { say 'no namespaces of its own'; exit 1; }
trap 'exit 130' INT TERM          # the first process of a namespace ignores them else
exec 8>"$home/lock"; flock 8
[ "$(cat "$home/ok" 2>/dev/null)" != "$made" ] || exit 0

root=$home/root
keys=/usr/share/keyrings/debian-archive-keyring.gpg
rm -rf --one-file-system "$home/ok" "$root" "$home/template"
if ! command -v debootstrap >/dev/null || ! command -v gpgv >/dev/null || [ ! -e $keys ]; then
  say 'installing debootstrap, and what it tells packages of Debian by'
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap gpgv debian-archive-keyring >&2
fi
# meanwhile (static: it is to run on that Debian)
CGO_ENABLED=0 GOFLAGS= GOBIN="$home" go install "github.com/FerretDB/FerretDB/v2/cmd/ferretdb@$ferretdb" \
  > "$home/go.log" 2>&1 & building=$!
# where this machine gets its own packages
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' | grep -m1 -E '/debian/?$' || true)
say "installing Debian $release with PostgreSQL $postgres and DocumentDB, building FerretDB $ferretdb"
# (an older debootstrap has no script of this release's name: `sid` is the one for all that come)
debootstrap --variant=minbase --force-check-gpg --keyring=$keys "$release" "$root" \
  "${mirror:-http://deb.debian.org/debian}" sid > "$home/make.log" 2>&1 || failed "$home/make.log"
mount -t proc proc "$root/proc"          # the set-up of PostgreSQL's packages asks for it
mount --rbind /dev "$root/dev"
DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install -y -q --no-install-recommends \
  "postgresql-$postgres" "postgresql-$postgres-documentdb" >> "$home/make.log" 2>&1 ||
  failed "$home/make.log"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/*
ln -s "/usr/lib/postgresql/$postgres/bin" "$root/pg"

wait $building || failed "$home/go.log"
mv "$home/ferretdb" "$root/usr/local/bin"

say 'laying out an empty database'
as_postgres() { chroot --userspec=postgres "$root" "$@"; }
mkdir -p "$root/data" "$home/template"
chown --reference="$root/var/lib/postgresql" "$home/template"; chmod 700 "$home/template"
mount --bind "$home/template" "$root/data"
as_postgres /pg/initdb -D /data -U postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 >> "$home/make.log" 2>&1
# Only sockets in /data: both of the extension's own ways back into the server have to be told.
cat >> "$home/template/postgresql.conf" <<'CONF'
listen_addresses = ''
unix_socket_directories = '/data'
shared_preload_libraries = 'pg_cron,pg_documentdb_core,pg_documentdb'
cron.database_name = 'postgres'
cron.host = '/data'
cron.log_run = off
documentdb.localhost_connection_string = 'host=/data'
CONF
as_postgres /pg/pg_ctl -D /data -w -l /data/log start >> "$home/make.log" 8>&-
as_postgres psql -q -h /data -U postgres -c 'create extension documentdb cascade' \
  -c "create role tester login superuser password 'secret'" >> "$home/make.log" 2>&1
as_postgres /pg/pg_ctl -D /data -w stop >> "$home/make.log"
rm -f "$home/template/log"
echo "$made" > "$home/ok"
say "$made: $(du -smx "$home" | cut -f1) MB, $SECONDS s"
