#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole networks whose radios break reciprocity (chains of any phase, clocks that are off), calibrated while they run."""
import os
import subprocess

import numpy as np
from network import BIN, SHORT, THREADS, Network, check, db, fewer, finish, skip

# What is calibrated does not depend on how many symbols there are besides: 28 instead of 70 where runs are short.
FRAME = ["frame.schedule=B G P4 U2 C4 G D14 G", "frame.block_us=2000"] if SHORT else ["frame.schedule=B G P4 U20 C4 G D38 G"]
CHAINS = ["air.impairments.ap.gain_mismatch_db=1", "air.impairments.ap.phase_mismatch_deg=180"]
CLOCKS = ["air.impairments.ap.timing_offset_samples=4"]
AHEAD, LEARN, SETTLE = 2, 16, 20  # blocks: from an order to its block; before the first run; until windows have followed shifted clocks


def harmonic(sinr):
    return -db((1 / sinr).mean())


def in_force(f, run, n):
    """First block whose estimates are turned by calibration `run`."""
    return int(np.argmax(f["block/calibration"][:n] == run))


def at_start(*sets, n):
    """SINR before and after, prediction after, blocks of what happened."""
    with Network(sets=[*FRAME, *sets], n_blocks=n) as net, net.run().file("run.h5") as f:
        measured, predicted = f["user/sinr_measured"][:n], 1 / (1 / f["sinr_predicted"][:n]).mean(axis=1)
        first = in_force(f, 1, n)
        texts = [t.decode() for t in f["events/text"][:] if t.startswith(b"CALIB")]
    after = first + SETTLE
    return harmonic(measured[LEARN:max(first, LEARN + 1)]), harmonic(measured[after:]), harmonic(predicted[after:]), first, texts


def ideal_radios(n):
    with Network(sets=FRAME, n_blocks=n) as net, net.run().file("run.h5") as f:
        check((f["block/calibration"][:n] == 0).all(), "nobody asked for a calibration: none")
        return harmonic(f["user/sinr_measured"][LEARN:n])


def chains_and_clocks():
    n = 100  # the same in short runs: what is judged is a mean over what is left after the calibration
    ideal = 39 if SHORT else ideal_radios(n)
    for what, sets, most in fewer([("chains", CHAINS, 0.7), ("clocks", CLOCKS, 0.7)]):
        before, after, told, first, texts = at_start(*sets, "calibration.at_start=true", n=n)
        check(before < 8, f"{what}, not calibrated: {before:.2f} dB")
        check(after > ideal - most, f"{what}, calibrated: {after:.2f} dB, ideal radios {ideal:.2f} dB")
        check(abs(after - told) < 0.5, f"{what}, predicted {told:.2f} dB")
        # 16 repeats, 4 a block, one AP a block
        check(first == LEARN + AHEAD + 16 + 4 + 3 + AHEAD, f"{what}: in force from block {first}: {texts}")


def noise_in_c():
    """What one run at 10 dB between access points costs the same radios: each antenna's C symbols have the energy of a symbol of its own. Deviation of a
    coefficient 0.0229 (12 subcarriers a subband, 12 antennas that hear, a line over six subbands), 3.9 dB of 40.8; without that energy 8 dB."""
    if SHORT:
        skip("noise in C symbols", "runs are short here")
        return
    n, left = 110, []
    for snr in (50, 10):
        sets = ["frame.schedule=B G P4 U23 C G D38 G", *CHAINS, "air.large_scale.snr_db=31.5", "calibration.at_start=true", "calibration.n_repeats=1",
                f"air.large_scale.ap_snr_db={snr}"]
        with Network(sets=sets, n_blocks=n) as net, net.run().file("run.h5") as f:
            left.append(harmonic(f["user/sinr_measured"][in_force(f, 1, n) + SETTLE // 2:n]))
    check(3.2 < left[0] - left[1] < 4.6, f"one run at 10 dB: {left[1]:.2f} dB, without noise in it {left[0]:.2f} dB")


def on_demand():
    """Asked for by hand in a running network; its file gives the same network when it is read at the start."""
    with Network(sets=[*FRAME, *CHAINS, "calibration.file=table.h5"], n_blocks=0) as net:  # until it is seen: the command comes when it comes
        net.start().wait_for_block(20)
        told = subprocess.run([os.path.join(BIN, "tutti"), "calibrate", "--config", os.path.join(net.out, "config.yaml")],
                              capture_output=True, text=True, timeout=120)
        check(told.returncode == 0 and "calibrated: error" in told.stdout, f"tutti calibrate: {told.stdout.splitlines()[-1:]} {told.stderr}")
        net.wait_past("CALIBRATED run=1", 60)
        n = net.blocks_done() - 20  # the last ones are not all reported
        net.process.terminate()
        check(net.wait() == 0, "the network went on until it was ended")
        with net.file("run.h5") as f:
            first = in_force(f, 1, n)
            measured = f["user/sinr_measured"][:n]
        check(harmonic(measured[first:]) > harmonic(measured[:first]) + 25, f"from block {first}: {harmonic(measured[first:]):.2f} dB")
        path = os.path.join(net.dir, "table.h5")
        check(os.path.exists(path), "the file is there")
        with Network(sets=[*FRAME, *CHAINS, f"calibration.file={path}"], n_blocks=40) as again, again.run().file("run.h5") as f:
            check(in_force(f, 1, 40) == AHEAD, f"read at the start, in force from block {in_force(f, 1, 40)}")
            once = f["user/sinr_measured"][AHEAD:40]
        if SHORT:
            skip("ideal radios, clocks that are off, the same file twice", "runs are short here")
        else:
            with Network(sets=[*FRAME, *CHAINS, f"calibration.file={path}"], n_blocks=40) as again, again.run().file("run.h5") as f:
                check((f["user/sinr_measured"][AHEAD:40] == once).all(), "twice the same")
        check(harmonic(once[LEARN:]) > 38, f"with the file: {harmonic(once[LEARN:]):.2f} dB")


def refused():
    with Network(n_blocks=10000) as net:
        net.start().wait_for_block(2)
        told = subprocess.run([os.path.join(BIN, "tutti"), "calibrate", "--config", os.path.join(net.out, "config.yaml")],
                              capture_output=True, text=True, timeout=120)
        check(told.returncode == 1 and "C symbols" in told.stderr, f"no C symbols: {told.stderr.strip()}")
        net.process.terminate()
        net.wait()


if THREADS:
    skip("a calibration at the start, one refused", "their threads are those of one that is asked for")
    on_demand()
else:
    chains_and_clocks()
    noise_in_c()
    on_demand()
    refused()
finish()
