# SPDX-License-Identifier: GPL-3.0-or-later
"""A paced network under random harm: access points, users and the central node killed and started again, every kind of process stopped
and continued, one daemon's wall clock stepped, standard error of a daemon not read, foreign and absurd messages. No process ends that was not killed, no
recorded block is lost, every block of every AP that was there has exactly one account.
chaos.py [SECONDS] [SEED], TUTTI_BIN_DIR set; the short form runs in ctest."""
import glob
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time

from network import BIN, Network, check, finish, is_gone

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 30
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 1
N_AP, N_UE = 4, 4
SHIFT = os.environ.get("TUTTI_CLOCKSHIFT_LIBRARY", "")
ABSURD = os.path.join(BIN, "absurd")


class Chaos:
    def __init__(self, net, dice):
        self.net, self.dice = net, dice
        self.log, self.again, self.pipes = [], [], []
        self.strangers = 0
        self.seen = []  # (blocks recorded, their ticks) before each kill of the central node
        self.absurdities = []  # (AP in whose place, data messages, texts)
        self.clock = os.path.join(net.dir, "clock")
        with open(self.clock, "wb") as f:
            f.write(struct.pack("<q", 0))

    def say(self, text):
        self.log.append(f"{time.time() - self.start:7.2f} s block {self.net.blocks_done()}: {text}")

    def restart(self, program, number, environment=None, stderr=None):
        env = {**self.net.env, **(environment or {})}
        log = open(os.path.join(self.net.out, "logs", f"again-{program}-{number}-{len(self.again)}.log"), "a")
        seat = [] if number is None else ["--id", str(number)]
        child = subprocess.Popen([os.path.join(BIN, program), "--config", "config.yaml", *seat], cwd=self.net.out, stdout=log,
                                 stderr=stderr or log, env=env)
        self.again.append((child, f"{program} {number}", log.name))
        return child

    def kill(self, program, number):
        pid = self.net.pid_of(program, number)
        if pid:
            os.kill(pid, signal.SIGKILL)
            self.expected.add(pid)
            self.net.wait_until(lambda: is_gone(pid), f"the end of {program} {number}, killed", 60)
        return pid is not None

    def kill_and_restart(self):
        program, n = self.dice.choice((("tutti-ap", N_AP), ("tutti-ue", N_UE)))
        number = self.dice.randrange(n)
        self.say(f"kill {program} {number}")
        self.kill(program, number)
        self.restart(program, number)

    def kill_central_node(self):
        """What could be read of the recording stays, and the next life goes on in it."""
        with self.net.file("run.h5") as f:
            self.seen.append((f["block/tick"].shape[0], f["block/tick"][-500:]))
        self.say("kill tutti-cpu")
        self.kill("tutti-cpu", None)
        left = self.net.blocks_done()
        time.sleep(self.dice.choice((0, 0.5, 3)))
        self.restart("tutti-cpu", None)
        self.net.wait_until(lambda: self.net.blocks_done() > left + 20, "blocks after the central node's return")

    def stop_and_continue(self):
        program, number = self.dice.choice([("tutti-ap", i) for i in range(N_AP)] + [("tutti-ue", i) for i in range(N_UE)]
                                           + [("tutti-cpu", None), ("tutti-air", None)])
        pid = self.net.pid_of(program, number)
        if pid:
            seconds = self.dice.choice((0.05, 0.3, 1.0, 2.5))
            self.say(f"stop {program} {number} for {seconds} s")
            os.kill(pid, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(pid, signal.SIGCONT)

    def step_clock(self):
        ns = int(self.dice.choice((-3600, -1.5, -0.5, 0.5, 7200)) * 1e9)
        self.say(f"step the CPU node's wall clock by {ns / 1e9} s")
        with open(self.clock, "r+b") as f:
            f.write(struct.pack("<q", ns))

    def stall_reader(self):
        """An AP whose standard error is a pipe nobody reads."""
        number = self.dice.randrange(N_AP)
        reader, writer = os.pipe()
        self.pipes.append(reader)
        self.say(f"restart AP {number} with a standard error that nobody reads")
        self.kill("tutti-ap", number)
        self.restart("tutti-ap", number, stderr=writer)
        os.close(writer)

    def absurd(self):
        number = self.dice.randrange(N_AP)
        self.say(f"something absurd in the place of AP {number}")
        self.kill("tutti-ap", number)
        child = subprocess.run([ABSURD, "--config", "config.yaml", "--id", str(number), "--seed", str(self.dice.randrange(10**6))],
                               cwd=self.net.out, timeout=60, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        line = (child.stdout.strip().splitlines() or ["absurd: said nothing"])[-1]
        self.say(f"{line}, status {child.returncode}")
        told = re.search(r"absurd: (\d+) data messages, (\d+) texts", line)
        if child.returncode == 0 and told:
            self.absurdities.append((number, int(told[1]), int(told[2])))
        self.restart("tutti-ap", number)

    def foreign(self):
        """Whoever may open the sockets and speaks no protocol of ours: bytes, and connections that say nothing for a while."""
        places = glob.glob(os.path.join(self.net.out, "sock", "*"))
        self.say(f"strangers at {len(places)} sockets")
        silent = []
        for place in places:
            for n in (0, 1, 7, 4096, 100000):
                stranger = socket.socket(socket.AF_UNIX)
                silent.append(stranger)
                try:
                    stranger.settimeout(0.2)
                    stranger.connect(place)
                    stranger.sendall(self.dice.randbytes(n))
                    self.strangers += 1
                except OSError:
                    pass  # thrown out in the middle of it, or not let in
        time.sleep(self.dice.uniform(0, 1))
        for stranger in silent:
            stranger.close()

    def give_up(self):
        """The logs of the last minutes, and nothing left running."""
        for log in glob.glob(os.path.join(self.net.out, "logs", "*cpu*.log")):
            print(log, *open(log).readlines()[-8:])
        for child, _, _ in self.again:
            child.kill()
        self.net.process.terminate()
        print(self.net.process.communicate(timeout=60)[0][-2000:])

    def run(self, seconds):
        self.start, self.expected = time.time(), set()
        harms = [self.kill_and_restart, self.stop_and_continue, self.stop_and_continue, self.stall_reader]
        harms += [self.step_clock] if SHIFT else []
        harms += [self.absurd, self.foreign, self.kill_central_node]
        self.absurd()
        self.foreign()
        self.kill_central_node()
        while self.net.process.poll() is None and time.time() - self.start < seconds:
            self.dice.choice(harms)()
            time.sleep(self.dice.uniform(0.2, 2.0))
            for child, name, log in self.again:
                if child.poll() is not None and child.pid not in self.expected:
                    check(False, f"{name} ended by itself with status {child.returncode}")
                    print("".join(open(log).readlines()[-12:]))
                    self.expected.add(child.pid)


def nodes(net):
    """Process ids of the network's programs."""
    names = [("tutti-cpu", None), ("tutti-air", None)] + [("tutti-ap", i) for i in range(N_AP)] + [("tutti-ue", i) for i in range(N_UE)]
    return {name: net.pid_of(*name) for name in names}


def main():
    dice = random.Random(SEED)
    sets = ["air.mode=paced", "payload.modulation=qam4", "record.constellation_points=0", "air.truth="]
    with Network(n_blocks=0, sets=sets, args=["--keep-going"]) as net:
        chaos = Chaos(net, dice)
        if SHIFT:
            net.env["LD_PRELOAD"], net.env["TUTTI_CLOCKSHIFT"] = SHIFT, chaos.clock
        net.start()
        net.wait_for_block(100)
        try:
            chaos.run(SECONDS)
        finally:
            print("\n".join(chaos.log))
            if sys.exc_info()[0]:
                chaos.give_up()
        time.sleep(2)
        alive = nodes(net)
        check(all(alive.values()), "every program is there at the end: " + ", ".join(f"{k[0]} {k[1]}" for k, v in alive.items() if not v))
        done = net.blocks_done()
        with net.file("run.h5") as f:
            before = {name: f[name][:done] for name in ("block/tick", "block/ap_used")}
        net.process.send_signal(signal.SIGINT)
        net.wait(900)  # the table at the end reads all of a long recording
        for child, _, _ in chaos.again:
            if child.poll() is None:
                child.terminate()
                child.wait(20)
        check(chaos.absurdities, f"{len(chaos.absurdities)} times something absurd was let in: {sum(a[1] for a in chaos.absurdities)} data "
              f"messages, {sum(a[2] for a in chaos.absurdities)} texts")
        check(chaos.strangers, f"{chaos.strangers} strangers were heard to the end")
        files = sorted(os.path.basename(f) for f in glob.glob(os.path.join(net.out, "run*.h5")))
        check(files == ["run.h5"], f"nobody moved the network's time, which would have begun another recording: {files}")
        if files != ["run.h5"]:
            for log in glob.glob(os.path.join(net.out, "logs", "*cpu*.log")):
                lines = open(log).readlines()
                at = [i for i, line in enumerate(lines) if "TIME-" in line or "RECORDING" in line or "OUTAGE" in line]
                print(log, *(l for i in at for l in lines[max(i - 12, 0):i + 4]), sep="\n")
        examine(net, before, done, chaos.seen)
    finish()


def examine(net, before, done, seen):
    with net.file("run.h5") as f:
        kept = [bool((f["block/tick"][max(rows - 500, 0):rows] == ticks).all()) for rows, ticks in seen]
        check(all(kept), f"the central node was killed {len(seen)} times; what had been recorded stayed as it was {sum(kept)} times")
        n = f["block/tick"].shape[0]
        lengths = {name: f[name].shape[0] for name in ("block/tick", "applied/kind", "applied/chosen", "hops/applied_ns", "user/bits", "H_hat", "W")}
        check(len(set(lengths.values())) == 1, f"all datasets have the same number of rows: {lengths}")
        check((f["block/tick"][:done] == before["block/tick"]).all() and (f["block/ap_used"][:done] == before["block/ap_used"]).all(),
              f"all {done} blocks recorded before the end are still there, of {n}")
        used, kind = f["block/ap_used"][()], f["applied/kind"][()]
        events = [t.decode() if isinstance(t, bytes) else str(t) for t in f["events/text"][()]] if "events" in f else []
    names = ["none", "fresh", "stale", "local CB", "mute", "late", "cut", "missed", "lost"]
    for ap in range(N_AP):
        print(f"AP {ap}: " + ", ".join(f"{name} {int((kind[:, ap] == i).sum())}" for i, name in enumerate(names)))
        owed = int(((used[:, ap] == 1) & (kind[:, ap] == 0)).sum())
        check(owed == 0 and (kind[:, ap] < len(names)).all(), f"AP {ap}: {owed} blocks in a solve without an account")
        # what a kill takes with it is not told yet: the account waits for the radio and travels with the next estimates
        lost, lives = int((kind[:, ap] == 8).sum()), sum("AP-UP" in e and f"ap={ap}" in e for e in events)
        check(lost <= 16 * (lives + len(seen)), f"AP {ap}: {lost} accounts lost in {lives} lives")
    print(f"{n} blocks, {len(events)} events")


main()
