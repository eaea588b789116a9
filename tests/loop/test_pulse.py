#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""One clock for all, verified: in a frame that begins with B3 access points hear whether they have the reference's pulse and its 10 MHz;
`tutti sync-check` names those that have not, by as much as the emulated air has drawn for them."""
import os
import re
import subprocess

from network import BIN, SHORT, Network, check, finish, skip

FRAME = ["frame.schedule=B3 G P4 U2 G D14 G", "frame.block_us=2000", "air.large_scale.ap_snr_db=20"]
SEED, HARDWARE = 7, 7  # the network's; what random numbers are drawn for, common/channel/random.h
MASK = 2**64 - 1


def random_u64(key, counter):
    x = (key + (counter + 1) * 0x9E3779B97F4A7C15) & MASK
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def drawn(ap, counter):
    """Uniform in [0, 1): an access point's oscillator (0) or clock (1)."""
    key = random_u64(SEED, HARDWARE)
    for label in (ap, 0, 0):
        key = random_u64(key, label)
    return (random_u64(key, counter) >> 11) * 2.0**-53


def late_samples(most):
    """Of access points against the first, the reference."""
    own = [int(drawn(ap, 1) * (2 * most + 1)) - most for ap in range(4)]
    return [x - own[0] for x in own[1:]]


def off_hz(most):
    own = [most * (2 * drawn(ap, 0) - 1) for ap in range(4)]
    return [x - own[0] for x in own[1:]]


def sync_check(*sets):
    """Status and what is said of access points 1, 2, 3."""
    with Network(sets=[*FRAME, *sets], n_blocks=0, n_ant=2, n_ue=2) as net:
        net.start().wait_for_block(60)  # they tell at 20 and 40
        told = subprocess.run([os.path.join(BIN, "tutti"), "sync-check", "--config", os.path.join(net.out, "config.yaml")],
                              capture_output=True, text=True, timeout=120)
        net.process.terminate()
        net.wait()
    text = told.stdout + told.stderr
    lines = re.findall(r"^AP [123]: (.*)$", text, re.M)
    check(len(lines) == 3, f"a verdict each: {text}")
    return told.returncode, lines


def figure(pattern, line):
    """(value, word) or (0, None)."""
    found = re.search(pattern, line)
    return (float(found[1]), found[2]) if found else (0.0, None)


if not SHORT:
    status, lines = sync_check()
    check(status == 0 and all(x.startswith("verified: within 0.0") for x in lines), f"one clock: status {status}, {lines}")

status, lines = sync_check("air.impairments.ap.timing_offset_samples=4")
for line, late in zip(lines, late_samples(4)):
    value, word = figure(r"NOT in step: ([\d.]+) samples (late|early): does it get the same pulse\?$", line)
    check(abs(value - abs(late)) < 0.15 and word == ("late" if late > 0 else "early") if late else line.startswith("verified"),
          f"{late:+d} samples: {line}")
check(status == 1 and any(late_samples(4)), f"other pulses: status {status}")

if SHORT:
    skip("one clock, other oscillators", "runs are short here")
    finish()
status, lines = sync_check("air.impairments.ap.cfo_hz=300")  # blocks of 2 ms: a turn is 500 Hz
for line, off in zip(lines, off_hz(300)):
    value, word = figure(r"NOT in step: ([\d.]+) Hz too (high|low): does it get the same 10 MHz\?$", line)
    check(abs(value - abs(off)) < 0.5 and word == ("high" if off > 0 else "low"), f"{off:+.2f} Hz: {line}")
check(status == 1 and max(map(abs, off_hz(300))) > 250, f"other oscillators: status {status}")
finish()
