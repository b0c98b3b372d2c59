#!/bin/bash
# Starts or stops a real SLURM on this machine, as root, whose nodes are daemons of this machine:
#   slurm_cluster.sh start FOLDER [NODES] [CPUS]    needs sbatch, slurmctld, slurmd and munged (Debian: slurm-wlm, munge)
#   slurm_cluster.sh stop FOLDER
# Its commands reach it with SLURM_CONF=FOLDER/slurm.conf.
set -eu
action=${1:?start or stop} folder=$(realpath -m "${2:?a folder for its state and logs}") nodes=${3:-2} cpus=${4:-1}
export SLURM_CONF=$folder/slurm.conf

if [ "$action" = stop ]; then
    for file in "$folder"/*.pid; do
        [ -s "$file" ] && kill "$(cat "$file")" 2>/dev/null || true
    done
    exit 0
fi

host=$(hostname -s)
mkdir -p "$folder/state" "$folder/log" /run/munge
cat > "$SLURM_CONF" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldLogFile=$folder/log/slurmctld
SlurmdLogFile=$folder/log/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
KillWait=5
CONF
for node in $(seq "$nodes"); do
    mkdir -p "$folder/spool-node$node"
    echo "NodeName=node$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$((16900 + node)) CPUs=$cpus RealMemory=4000" >> "$SLURM_CONF"
done
echo "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP" >> "$SLURM_CONF"

chown -R root:root /etc/munge /run/munge /var/lib/munge /var/log/munge
munge --no-input > /dev/null 2>&1 || munged --force --pid-file="$folder/munged.pid" 2> /dev/null
slurmctld
sleep 2
for node in $(seq "$nodes"); do slurmd -N "node$node"; done
for _ in $(seq 30); do
    test "$(sinfo --noheader --Node --format=%T | grep --count idle)" = "$nodes" && exit 0
    sleep 1
done
echo "the nodes of SLURM do not come up; see $folder/log" >&2
exit 1
