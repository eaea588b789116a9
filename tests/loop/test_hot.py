# SPDX-License-Identifier: GPL-3.0-or-later
"""No malloc-family call and no lock wait on the slot paths of access points and users and on the CPU node's solve path, in the real
daemons: with every kind of stream, and in every case that is not the normal one: lost messages, old precoders, own beams, silence,
lost samples, a central node that comes back, two of them, late bursts; with and without a recording of what the antennas receive."""
import os
import re
import signal
import time

from network import Network, check, finish

PROGRAMS = ("tutti-ap", "tutti-ue", "tutti-cpu")


def watched(net):
    log = os.path.join(net.dir, "hot.txt")
    net.env.update(LD_PRELOAD=os.environ["TUTTI_HOTCHECK_LIBRARY"], TUTTI_HOTCHECK=log)
    return log


def judge(log, what, programs=9):
    lines = [l for l in open(log) if l.split()[1] in PROGRAMS]
    check(len(lines) == programs, f"{what}: {len(lines)} of {programs} programs were watched")
    for line in lines:
        field = dict(w.split("=", 1) for w in line.split() if "=" in w)
        check(int(field["malloc"]) == 0 and int(field["lock_wait"]) == 0 and int(field["hot_entries"]) > 0, line.strip())


def counter(net, log, key):
    """Of the COUNTERS lines of one program."""
    text = open(os.path.join(net.out, "logs", log)).read()
    return sum(int(v) for line in text.splitlines() if "COUNTERS" in line for v in re.findall(rf"\b{key}=(\d+)", line))


def test_streams(sets, programs=9):
    with Network(n_blocks=60, sets=["payload.modulation=qam4", *sets]) as net:
        log = watched(net)
        net.run()
        judge(log, sets, programs)


def test_faults():
    """Lost messages; one AP silent until it mutes: stale, local CB and mute."""
    sets = ["payload.modulation=qam4", "fronthaul.faults.loss=0.2", "fronthaul.faults.silent_ap=2", "engine.mute_blocks=10",
            "fronthaul.faults.from_block=20", "fronthaul.faults.to_block=80"]
    with Network(n_blocks=100, sets=sets) as net:
        log = watched(net)
        net.run()
        for key in ("stale", "local_cb", "mute"):
            check(counter(net, "ap2.log", key) > 0, f"AP 2 has been {key} for {counter(net, 'ap2.log', key)} blocks")
        judge(log, "lost messages")


def test_gaps():
    """Paced: access points and a user stand still for a while, so that samples are lost and bursts come too late; the central node is
    killed and comes back."""
    with Network(n_blocks=500, args=["--keep-going"], sets=["payload.modulation=qam4", "air.mode=paced", "record.iq={dir: iq, nodes: [ap0, ue1], symbols: PG}"]) as net:
        log = watched(net)
        net.start()
        net.wait_for_block(40)
        for program, node_id in (("tutti-ap", 0), ("tutti-ue", 1), ("tutti-ap", 0)):
            pid = net.pid_of(program, node_id)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.3)
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.2)
        net.kill_node("tutti-cpu")  # leaves no line behind
        time.sleep(0.3)
        again = net.start_node("tutti-cpu")
        check(again.wait(timeout=200) == 0, "the second CPU node ended the run")
        net.wait()
        for name in ("ap0.log", "ue1.log"):
            check(counter(net, name, "rx_gaps") > 0, f"{name}: {counter(net, name, 'rx_gaps')} gaps")
        check(counter(net, "ap0.log", "missed") > 0, f"AP 0 missed {counter(net, 'ap0.log', 'missed')} blocks")
        judge(log, "gaps")


if __name__ == "__main__":
    for case in (["precoding.scheme=zf", "engine.n_workers=2", "record.iq={dir: iq, nodes: [ap0, ue0]}", "uplink.mode=central"], ["precoding.scheme=ob", "precoding.an=phase_only"],
                 ["precoding.scheme=ppzf", "precoding.an=nullspace", "uplink={mode: central, streams: matched, encoding: bfp}"],
                 ["frame.schedule=B G P4 U20 C4 G D38 G", "calibration.at_start=true", "air.impairments.ap.timing_offset_samples=4"],
                 ["frame.schedule=B3 G P4 G U17 C4 G D38 G", "sync.mode=air", "calibration.at_start=true", "air.impairments.ap.cfo_hz=300", "air.impairments.ue.cfo_hz=200",
                  "radio.ap.freq_hz=6e8", "radio.ue.freq_hz=6e8", "air.impairments.ap.timing_fraction_samples=0.5"],
                 ["precoding.scheme=ppzf", "precoding.local=true", "precoding.power=equal", "uplink={mode: local, encoding: sc16}"]):
        test_streams(case)
    test_streams(["cpus=[{aps: [0, 1]}, {aps: [2, 3]}]", "precoding.scheme=rzf", "uplink.mode=central"], programs=10)
    test_faults()
    test_gaps()
    finish()
