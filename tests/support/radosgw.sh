#!/usr/bin/env bash
# Ceph's own S3 gateway on this machine, on loopback only: one monitor, one OSD in memory, and radosgw.
#   apt-get install --no-install-recommends ceph-mon ceph-osd ceph-common radosgw
#   radosgw.sh start FOLDER PORT [MONITOR_PORT]   prints AWS_... lines for the environment
#   radosgw.sh stop FOLDER                        ends the daemons it started
set -euo pipefail
action=$1
folder=$(realpath -m "$2")

stop() {
    local file
    for file in "$folder"/run/*.pid; do
        [ -f "$file" ] && kill "$(cat "$file")" 2>/dev/null || true
    done
}
if [ "$action" = stop ]; then stop; exit 0; fi

port=$3
monitor="127.0.0.1:${4:-$((port - 1))}"
mkdir -p "$folder"/{mon,osd,gateway,run}
fsid=$(cat /proc/sys/kernel/random/uuid)
cat > "$folder/ceph.conf" <<CONF
[global]
fsid = $fsid
mon initial members = a
mon host = v1:$monitor
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
run dir = $folder/run
admin socket = $folder/run/\$name.asok
pid file = $folder/run/\$name.pid
log file = $folder/\$name.log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 4294967296
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
[mon.a]
mon data = $folder/mon
mon addr = $monitor
[osd.0]
osd data = $folder/osd
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:$port
rgw data = $folder/gateway
rgw thread pool size = 32
CONF

exec 3>&1 > "$folder/start.log" 2>&1
trap 'tail -5 "$folder/start.log" >&3; stop; exit 1' ERR
ceph() { timeout 30 "$(type -P ceph)" -c "$folder/ceph.conf" "$@"; }
# A monitor that was started a moment ago turns commands and daemons down.
patiently() { for _ in $(seq 20); do "$@" && return; sleep 1; done; return 1; }

monmaptool --create --fsid "$fsid" --addv a "[v1:$monitor]" "$folder/monmap"
ceph-mon -c "$folder/ceph.conf" --mkfs -i a --monmap "$folder/monmap"
ceph-mon -c "$folder/ceph.conf" -i a 3>&-
osd=$(cat /proc/sys/kernel/random/uuid)
patiently ceph osd new "$osd" 0
ceph-osd -c "$folder/ceph.conf" -i 0 --mkfs --osd-uuid "$osd"
patiently ceph-osd -c "$folder/ceph.conf" -i 0 3>&-
patiently ceph osd crush add osd.0 1.0 root=default || true  # some versions have added it already
timeout 120 radosgw -c "$folder/ceph.conf" -n client.rgw 3>&-
patiently curl -fs "http://127.0.0.1:$port/"
timeout 60 radosgw-admin -c "$folder/ceph.conf" -n client.rgw user create \
    --uid=tests --display-name=tests --access-key=testskey --secret-key=testssecret
printf '%s\n' "AWS_ENDPOINT_URL=http://127.0.0.1:$port" AWS_ACCESS_KEY_ID=testskey AWS_SECRET_ACCESS_KEY=testssecret \
    AWS_DEFAULT_REGION=us-east-1 >&3
