#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`tutti-study-mpi` by Debian's Open MPI, and job arrays and MPI jobs in a Slurm of one machine that the test starts: the same bytes as
`tutti study` by itself, also after a process was killed and the study begun again with another number of them.

usage: test_study_mpi.py BIN_DIR SOURCE_DIR mpi|slurm
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

BIN, SOURCE = "", ""
STUDY, DROPS = "ppzf-precoders", "40"
ENV = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_btl_vader_single_copy_mechanism="none",
           OMPI_MCA_rmaps_base_oversubscribe="1")


def skip(what):
    print("SKIPPED: studies on many machines: " + what)
    sys.exit(77)


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


class Base(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tutti-mpi-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def csv(self, name):
        return read(self.path(name), STUDY + ".csv")

    def alone(self, drops=DROPS):
        subprocess.run([os.path.join(BIN, "tutti"), "study", STUDY, "--drops", drops, "--jobs", "1", "--out", self.path("alone")],
                       check=True, stdout=subprocess.DEVNULL)
        return self.csv("alone")


class Mpi(Base):
    def mpirun(self, n, name, *more, drops=DROPS):
        return ["mpirun", "-n", str(n), os.path.join(BIN, "tutti-study-mpi"), STUDY, "--drops", drops, "--out", self.path(name), *more]

    def test_same_bytes_for_any_number_of_processes(self):
        alone = self.alone()
        self.assertGreater(len(alone.splitlines()), 50)
        for n in (1, 2, 4):
            done = subprocess.run(self.mpirun(n, f"of{n}"), env=ENV, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.csv(f"of{n}"), alone, f"{n} processes")
        done = subprocess.run(self.mpirun(2, "threads", "--jobs", "4"), env=ENV, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.csv("threads"), alone)

    def rows(self, name):
        try:
            return sum(line[0].isdigit() for line in read(self.path(name), STUDY + ".rows").splitlines())
        except OSError:
            return 0

    def test_a_process_killed(self):
        drops = "1500"
        job = subprocess.Popen(self.mpirun(3, "killed", drops=drops), env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               start_new_session=True)
        while self.rows("killed") < 30 and job.poll() is None:
            time.sleep(0.02)
        ranks = subprocess.run(["pgrep", "-P", str(job.pid), "-x", "tutti-study-mpi"], capture_output=True, text=True, check=False).stdout.split()
        if not ranks:  # comm is cut to 15 letters
            ranks = subprocess.run(["pgrep", "-P", str(job.pid)], capture_output=True, text=True, check=True).stdout.split()
        os.kill(int(ranks[-1]), signal.SIGKILL)
        said = job.communicate()[1]
        self.assertNotEqual(job.returncode, 0)
        self.assertIn("are kept in", said)
        done = self.rows("killed")
        self.assertGreaterEqual(done, 30)
        self.assertLess(done, int(drops))
        again = subprocess.run(self.mpirun(2, "killed", drops=drops), env=ENV, capture_output=True, text=True, check=False)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(self.csv("killed"), self.alone(drops))
        self.assertEqual(self.rows("killed"), int(drops), "no drop was computed twice")

    def test_it_says_what_it_is_without_mpirun(self):
        for word, begin in (("--help", "Usage: tutti-study-mpi NAME"), ("--version", "tutti-study-mpi ")):
            said = subprocess.run([os.path.join(BIN, "tutti-study-mpi"), word], capture_output=True, text=True, check=True).stdout
            self.assertTrue(said.startswith(begin), said)

    def test_what_cannot_be_is_said(self):
        for more, words in ((["--set", "n_ant=0"], "n_ant"), (["--shard", "0/2"], "--shard"), (["--set", "nothing=1"], "nothing")):
            done = subprocess.run(self.mpirun(2, "bad", *more), env=ENV, capture_output=True, text=True, timeout=60, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(words, done.stderr)


CONFIG = """ClusterName=tutti
SlurmctldHost=tutti0(10.99.0.1)
MpiDefault=none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation={0}/state
SlurmdSpoolDir={0}/spool
SlurmctldPidFile={0}/ctld.pid
SlurmdPidFile={0}/d.pid
SlurmctldLogFile={0}/ctld.log
SlurmdLogFile={0}/d.log
AuthType=auth/munge
AuthInfo=socket={0}/munge.socket
CredType=cred/munge
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
NodeName=tutti0 NodeAddr=10.99.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
"""
# In a name space of its own: its network, its host name, its processes, which end with it.
START = """set -eu
ip link set lo up
ip link add tutti0 type dummy 2>/dev/null || ip link add tutti0 type veth peer name tutti1; ip link set tutti1 up 2>/dev/null || true; ip addr add 10.99.0.1/24 dev tutti0; ip link set tutti0 up
hostname tutti0
cp /etc/hosts "$0/hosts"; echo "10.99.0.1 tutti0" >> "$0/hosts"; mount --bind "$0/hosts" /etc/hosts
export SLURM_CONF="$0/slurm.conf"
dd if=/dev/urandom of="$0/munge.key" bs=1024 count=1 2>/dev/null; chmod 400 "$0/munge.key"
munged --force --key-file="$0/munge.key" --socket="$0/munge.socket" --pid-file="$0/munge.pid" --log-file="$0/munge.log" --seed-file="$0/munge.seed"
slurmctld; slurmd -N tutti0
i=0; until sinfo -h -o %T | grep -q idle; do i=$((i+1)); [ $i -lt 300 ] || exit 3; sleep 0.1; done
cd "$0"
TUTTI_BIN="$1" sbatch --wait --output=array.log "$2/examples/slurm/array.sbatch" "$3" "$4" "$0/array"
TUTTI_BIN="$1" sbatch --wait --output=mpi.log "$2/examples/slurm/mpi.sbatch" "$3" "$4" "$0/mpi"
"""


class Slurm(Base):
    def test_array_and_mpi_job(self):
        for name in ("state", "spool"):
            os.mkdir(self.path(name))
        with open(self.path("slurm.conf"), "w", encoding="utf-8") as file:
            file.write(CONFIG.format(self.folder))
        command = ["unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", START, self.folder, BIN,
                   SOURCE, STUDY, DROPS]
        done = subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=200, check=False)
        logs = "".join(read(self.path(n)) for n in ("ctld.log", "d.log", "array.log", "mpi.log") if os.path.exists(self.path(n)))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + logs[-3000:])
        parts = [self.path(f"array/part{i}") for i in range(4)]
        subprocess.run([os.path.join(BIN, "tutti"), "study", "merge", STUDY, *parts, "--drops", DROPS, "--out", self.path("merged")],
                       check=True, stdout=subprocess.DEVNULL)
        alone = self.alone()
        self.assertEqual(self.csv("merged"), alone)
        self.assertEqual(self.csv("mpi"), alone)


def main():
    global BIN, SOURCE
    BIN, SOURCE, kind = sys.argv[1:4]
    if not os.path.exists(os.path.join(BIN, "tutti-study-mpi")):
        skip("libopenmpi-dev was not there when this was built")
    if not shutil.which("mpirun"):
        skip("package openmpi-bin is not installed")
    if kind == "slurm":
        if not all(shutil.which(p) for p in ("slurmctld", "slurmd", "munged", "sbatch")):
            skip("packages slurm-wlm, munge are not installed")
        if os.geteuid() != 0 or subprocess.run(["unshare", "--net", "--uts", "--mount", "--pid", "--fork", "true"], capture_output=True,
                                               check=False).returncode != 0:
            skip("Slurm's daemons want root and name spaces of their own")
    unittest.main(argv=[sys.argv[0]], defaultTest="Slurm" if kind == "slurm" else "Mpi")


if __name__ == "__main__":
    main()
