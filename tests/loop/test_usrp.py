# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of examples/usrp.yaml through libuhd on emulated USRPs against the same one on the emulated air: the same channel, so
the same estimates and SINR, and nothing allocates or waits for a lock on the slot paths; an access point killed and started again is back in service without touching the others.
argv: the network file, the emulator's program; which parts (air, lead, restart, calibrate; all)."""
import os
import signal
import subprocess
import sys
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "usrp"))
from emulator import Emulator, skip
from network import BIN, SHORT, Network, check, db, finish
from test_hot import judge, watched

# One channel for all blocks: block numbers are UTC's with radios and begin with 0 on the emulated air.
STILL = ["air.fading.variation=jakes", "air.fading.doppler_hz=0"]
AIR = ["radio.ap_list=[]", "radio.ue_list=[]", "radio.ap.backend=air", "radio.ue.backend=air"]
SETTLED = 40  # blocks: all have begun, gains and noise are learnt


def usrps(net, file, n_blocks, **keys):
    """Writes net's file for these emulated devices; the words of the example with other addresses."""
    text = open(file).read().replace("n_blocks: 400", f"n_blocks: {n_blocks}")
    for i, address in enumerate(net):
        text = text.replace(f"127.0.0.{i + 1},", f"{address},")
    return text


def network(file, text, sets):
    net = Network(sets=sets)
    open(net.config, "w").write(text)
    return net


def emulator(program, file, *sets, faults=()):
    words = [w for s in (*STILL, *sets) for w in ("--set", s)] + [w for f in faults for w in ("--fault", f)]
    return Emulator(program, "--ahead-us", 900, "--config", file, *words, devices=0)


def rows(net):
    with net.file("run.h5") as f:
        return {k: f[k][SETTLED:] for k in ("H_hat", "user/sinr_measured", "applied/kind", "radio/events", "user/code_block_errors")}


def later(r):
    """Events of the access points since row SETTLED: how soon a node is under way is the machine's speed."""
    return (r["radio/events"][-2] - r["radio/events"][0]).tolist()


def examine_recording(net):
    """What came off the wire, recorded as its integers, gives the same estimates and precoders again."""
    words = [l for n in ("ap0", "ap1") for l in net.log(n + ".log").splitlines() if "IQ-RECORDED" in l]
    check(len(words) == 2 and all(" inexact=0 " in l and " iq_dropped=0 " in l for l in words), "the samples are whole numbers of the wire")
    done = subprocess.run([os.path.join(BIN, "tutti"), "replay", net.out, "--iq", os.path.join(net.out, "iq"), "--out",
                           os.path.join(net.dir, "again")], capture_output=True, text=True, timeout=100)
    check(done.returncode == 0 and " blocks identical" in done.stdout, f"replayed: {done.stdout.strip()} {done.stderr[-200:]}")


def test_same_as_the_air(file, program):
    with emulator(program, file) as devices:
        with network(file, usrps(devices.devices, file, 140), STILL + ["record.iq={dir: iq, nodes: [ap0, ap1]}"]) as net:
            hot = None if SHORT else watched(net)  # a sanitizer's own allocator cannot be counted
            net.run()
            if hot:
                judge(hot, "USRPs", 5)
            usrp = rows(net)
            examine_recording(net)
            ends = [l for n in ("ap0", "ap1") for l in net.log(n + ".log").splitlines() if "USRP restarts" in l]
    with network(file, usrps([], file, 140), STILL + AIR) as net:
        net.run()
        air = rows(net)
    for k in range(2):
        a, b = (db(np.mean(r["user/sinr_measured"][:, k])) for r in (usrp, air))
        check(abs(a - b) < 0.3, f"user {k}: SINR {a:.2f} dB through libuhd, {b:.2f} dB on the emulated air")
    mean = {name: np.mean(r["H_hat"], axis=0) for name, r in (("usrp", usrp), ("air", air))}
    # 100 blocks of 12 subcarriers average the noise of 30 dB SNR to far below 1 %
    error = np.linalg.norm(mean["usrp"] - mean["air"]) / np.linalg.norm(mean["air"])
    check(error < 0.02, f"mean estimates differ by {100 * error:.2f} %")
    fresh = np.count_nonzero(usrp["applied/kind"] == 1)
    check(fresh == usrp["applied/kind"].size - np.count_nonzero(usrp["applied/kind"] == 0) and fresh >= 2 * 100 - 8,
          f"{fresh} of {usrp['applied/kind'].size} downlinks were fresh and sent")
    check(not np.any(later(usrp)), f"U O D S L of the access points: {later(usrp)}")
    check(not np.any(usrp["user/code_block_errors"]), "every code block is right")
    at_start = usrp["radio/events"][0, :, 4]  # late, by the devices as well
    check(len(ends) == 2 and all(f" device_late={n} " in l and " untold=0 " in l for n, l in zip(at_start, ends)), "the devices saw nothing late")


def test_lead_beyond_the_gap(file, program):
    """Bursts handed over 4 ms before their time: with the precoder of the block before. The channel stands still, so nothing is lost."""
    with emulator(program, file) as devices:
        with network(file, usrps(devices.devices, file, 80), STILL + ["engine.tx_lead_us=4000"]) as net:
            net.run()
            usrp = rows(net)
            said = "1 block after their pilots" in net.text
    kind = usrp["applied/kind"][:-3]
    check(said and np.all(kind == 1), f"lead 4 ms: the precoder of the block before was applied in {np.count_nonzero(kind == 1)} of {kind.size}")
    check(not np.any(later(usrp)), f"U O D S L of the access points: {later(usrp)}")
    check(not np.any(usrp["user/code_block_errors"]), "every code block is right")


def harmonic(sinr):
    with np.errstate(divide="ignore"):  # a user that hears nothing measures 0
        return -db((1 / sinr).mean())


def test_calibration(file, program):
    """Transmitters of any phase and 1 dB, in the devices themselves: the network does not know of it before it is calibrated, live."""
    frame = "frame.schedule=B G P4 U20 C4 G D38 G"
    with emulator(program, file, frame, faults=["0:chains=1", "1:chains=1"]) as devices:
        with network(file, usrps(devices.devices, file, 0), [*STILL, frame]) as net:
            net.start().wait_for_block(60)
            told = subprocess.run([os.path.join(BIN, "tutti"), "calibrate", "--config", os.path.join(net.out, "config.yaml")],
                                  capture_output=True, text=True, timeout=120)
            net.wait_for_block(net.blocks_done() + 60)
            net.process.send_signal(signal.SIGINT)
            net.wait()
            with net.file("run.h5") as f:
                first = int(np.argmax(f["block/calibration"][:] == 1))
                measured, expected, errors = (f[k][:-5] for k in ("user/sinr_measured", "sinr_expected", "user/code_block_errors"))
    check(told.returncode == 0 and "calibrated: error" in told.stdout, f"tutti calibrate: {told.stdout.splitlines()[-1:]} {told.stderr}")
    before, after, ideal = harmonic(measured[SETTLED:first]), harmonic(measured[first + 2:]), harmonic(expected[first + 2:])
    check(before < ideal - 20, f"not calibrated: {before:.2f} dB")
    check(after > ideal - 0.7, f"calibrated, from block {first} on: {after:.2f} dB, with ideal radios {ideal:.2f} dB")
    check(not np.any(errors[first + 2:]), "every code block is right from then on")


def wait_until_used(net):
    """Until access point 1 is in a solve again; how many blocks that takes is the machine's speed."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with net.file("run.h5") as f:
            if f["block/ap_used"][-1, 1] == 1:
                return
        time.sleep(0.1)


def test_kill_and_restart(file, program):
    """Others go on: their processes are the same ones, and none of their downlinks is lost to their radios."""
    with emulator(program, file) as devices:
        with network(file, usrps(devices.devices, file, 0), STILL + ["engine.gather_deadline_us=100000"]) as net:
            net.command += ["--keep-going"]
            net.start()
            net.wait_for_block(60)
            others = {(p, i): net.pid_of(p, i) for p, i in (("tutti-ap", 0), ("tutti-ue", 0), ("tutti-ue", 1))}
            net.kill_node("tutti-ap", 1)
            net.wait_for_log("cpu.log", "AP-DOWN ap=1")
            again = net.start_node("tutti-ap", "--id", "1")
            net.wait_for_log("cpu.log", "AP-UP ap=1", 2)
            wait_until_used(net)
            net.wait_for_block(net.blocks_done() + 60)
            same = all(net.pid_of(p, i) == pid for (p, i), pid in others.items())
            net.process.send_signal(signal.SIGINT)
            net.wait()
            again.terminate()
            check(again.wait(60) == 0, "the access point started by hand ends cleanly")
            with net.file("run.h5") as f:
                used, kind = f["block/ap_used"][-30:-5], f["applied/kind"][:]
                errors = f["user/code_block_errors"][-30:-5]
            check(same, "the other nodes are the same processes")
            check(np.all(used == 1), f"access point 1 is in the solve again: {used[:, 1].tolist()}")
            check(np.all(kind[-30:-8, 1] == 1), f"and sends what it is told: {kind[-30:-8, 1].tolist()}")
            check(not np.any(np.isin(kind[SETTLED:, 0], (5, 6, 7))), "nothing of access point 0 was late, cut or missed")
            check(not np.any(errors), "users decode")


if __name__ == "__main__":
    if subprocess.run([os.path.join(BIN, "tutti"), "config", "check", sys.argv[1]], capture_output=True).returncode:
        skip("this build has no libuhd")
    if len(sys.argv) < 3 or not os.access(sys.argv[2], os.X_OK):
        skip("no emulated USRPs in this build: install libmsgpack-dev")
    parts = {"air": test_same_as_the_air, "lead": test_lead_beyond_the_gap, "restart": test_kill_and_restart,
             "calibrate": test_calibration}
    for name in sys.argv[3:] or parts:
        parts[name](*sys.argv[1:3])
    finish()
