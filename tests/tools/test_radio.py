# SPDX-License-Identifier: GPL-3.0-or-later
"""tutti radio on emulated USRPs: probe and check accept a good one on two boards; every fault is one sentence that says what to do and
status 1. argv: tutti, the emulator's program."""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "usrp"))
from emulator import Emulator, skip

TUTTI = sys.argv[1]
SHORT = float(os.environ.get("TUTTI_LOOP_SCALE", "1")) < 1
WORDS = ["--ref", "external", "--pps", "external", "--master-clock-rate", "1920000", "--freq", "2.4e9"]
# what is asked of the emulator, what of tutti, what its last line on stderr must have
FAULTS = [
    ([], ["probe", "addr=127.0.0.78"], "no radio answers at 'addr=127.0.0.78'"),
    (["--fault", "0:no-pps"], ["probe", "addr={0}"], "no PPS within"),
    (["--fault", "0:unlock"], ["probe", "addr={0}"], "not locked to its reference"),
    (["--fault", "1:no-pps"], ["probe", "addr0={0},addr1={1}", "--antennas", "4"], "boards 0 and 1 had the times"),
    ([], ["probe", "addr={0}", "--antennas", "3"], "has 2 receive and 2 transmit channels"),
    (["--fault", "0:vanish@0.3"], ["check", "addr={0},elastic=1", "--seconds", "5"], "does not answer any more"),
    (["--fault", "1:vanish@0.3"], ["check", "addr0={0},addr1={1},elastic=1", "--antennas", "4", "--seconds", "5"],
     "does not answer any more"),
    ([], ["lead", "addr={0},elastic=1"], "a lead means nothing"),
]
if SHORT:
    FAULTS = FAULTS[1::4]
MOST_CPU_S = 8  # of a command that ends by itself within seconds: far above what it needs, far below one that spins until it is killed
failed = False


def check(good, what):
    global failed
    failed = failed or not good
    print(("ok    " if good else "WRONG ") + what)


def start(devices, words):
    words = [w.format(*devices) for w in words]
    return subprocess.Popen([TUTTI, "radio", *words, *WORDS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process):
    """Output is a few lines: it fits the pipes while the process runs."""
    limit = time.monotonic() + 60
    pid = used = 0
    while pid == 0:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid == 0 and time.monotonic() > limit:
            process.kill()
            limit += 60
        time.sleep(0.02)
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu_s = used.ru_utime + used.ru_stime
    check(cpu_s < MOST_CPU_S, f"{' '.join(process.args[2:4])}: {cpu_s:.2f} s of a processor")
    return process.returncode, process.stdout.read(), process.stderr.read()


def emulators(n):
    """Each at its own addresses, though all belong to this process."""
    made = [Emulator(sys.argv[2], "--ahead-us", 900, *FAULTS[i][0], devices=2) for i in range(n)]
    for i, emulator in enumerate(made):
        first = emulator.first.rsplit(".", 1)[0] + f".{1 + 10 * i}"
        emulator.command[emulator.command.index("--address") + 1] = first
    return made


def test_faults():
    made = emulators(len(FAULTS))
    running = [(e.__enter__(), start(e.devices, f[1])) for e, f in zip(made, FAULTS)]
    for (emulator, process), (_, words, sentence) in zip(running, FAULTS):
        status, out, err = end(process)
        lines = [l for l in err.splitlines() if l.startswith("tutti radio:")]
        check(status == 1 and len(lines) == 1 and sentence in lines[0], f"{' '.join(words)}: status {status}: {lines or out + err}")
        emulator.__exit__()


def test_good():
    with Emulator(sys.argv[2], "--ahead-us", 900, devices=2) as e:
        status, out, err = end(start(e.devices, ["probe", "addr0={0},addr1={1},elastic=1", "--antennas", "4"]))
        check(status == 0 and "verdict    ready" in out and "reference  locked" in out, f"probe: {out}{err}")
        status, out, err = end(start(e.devices, ["check", "addr={0},elastic=1", "--antennas", "2", "--seconds", "1"]))
        check(status == 0 and "accepted, zero events" in out, f"check: {out}{err}")
    with Emulator(sys.argv[2], "--ahead-us", 900, "--fault", "0:late=2@0.3", devices=1) as e:
        status, out, err = end(start(e.devices, ["check", "addr={0},elastic=1", "--antennas", "2", "--seconds", "1"]))
        check(status == 1 and "NOT accepted" in out, f"check with late bursts: {out}{err}")


def test_lead():
    """What it concludes follows from what it counted. How much that is, is the machine's."""
    with Emulator(sys.argv[2], "--clock", "real", devices=1) as e:
        status, out, err = end(start(e.devices, ["lead", "addr={0}", "--bursts", "20"]))
    tries = [(int(us), int(n), int(bad)) for us, n, bad in re.findall(r"(\d+) us +(\d+) bursts +(\d+) not in time", out)]
    good = [us for us, _, bad in tries if bad == 0]
    want = f"engine.tx_lead_us: {1.5 * good[-1] + 100:.0f}\n" if good else "even 20000 us are too short"
    falling = [us for us, _, _ in tries] == sorted((us for us, _, _ in tries), reverse=True)
    check(tries and falling and all(bad == 0 for _, _, bad in tries[:-1]), f"lead: {tries} {err}")
    check(any(n > 0 for _, n, _ in tries) and want in out and status == (0 if good else 1), f"lead: status {status}: {out}")


if not os.access(sys.argv[2], os.X_OK):
    skip("no emulated USRPs in this build: install libmsgpack-dev")
first = subprocess.run([TUTTI, "radio", "probe", "addr=127.0.0.79"], capture_output=True, text=True).stderr
if "not built in" in first or "apt-get" in first:
    skip(f"this build has no libuhd: {first}")
test_faults()
test_good()
test_lead()
sys.exit(1 if failed else 0)
