# SPDX-License-Identifier: GPL-3.0-or-later
"""UHD's own programs accept the emulated device: found, probed, received from, sent to, streamed both ways without a
loss, and every event that it can report is reported. usage: test_acceptance.py EMULATED-USRP"""
import os
import re
import sys
import tempfile

from emulator import Emulator, finish, start, tool

RATE = 1.92e6
N_RECEIVED = 100000
PROGRAM = sys.argv[1]
failures = []


def expect(name, good, text):
    print(f"{'PASS' if good else 'FAIL'} {name}")
    if not good:
        failures.append(name)
        print(text)


def count(text, name):
    found = re.search(re.escape(name) + r":\s+(\d+)", text)
    return int(found.group(1)) if found else -1


def check_benchmark(text):
    zeros = ["Num dropped samples", "Num overruns detected", "Num sequence errors (Tx)", "Num sequence errors (Rx)",
             "Num underruns detected", "Num late commands"]
    return all(count(text, name) == 0 for name in zeros) and min(
        count(text, "Num received samples"), count(text, "Num transmitted samples")) > 0


def benchmark(args):
    return start("benchmark_rate", "--args", args, "--rx_rate", RATE, "--tx_rate", RATE, "--duration", 1, "--channels", "0,1")


def stream():
    """Programs that stream, each on a device of its own; time waits for them, so a loss is one of the device's."""
    with Emulator(PROGRAM, "--patience-ms", 5000, devices=7) as usrp, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "samples")
        found = start("uhd_find_devices", "--args", f"addr={usrp.devices[0]}")
        probed = start("uhd_usrp_probe", "--args", usrp.args(1, RATE))
        both = benchmark(usrp.args(2, RATE))
        received = start("rx_samples_to_file", "--args", usrp.args(3, RATE), "--rate", RATE, "--freq", 1e9, "--nsamps",
                         N_RECEIVED, "--file", path, "--type", "short")
        sent = start("tx_waveforms", "--args", usrp.args(4, RATE), "--rate", RATE, "--freq", 1e9, "--nsamps", 50000)
        status, text = finish(found)
        expect("uhd_find_devices", status == 0 and "serial: EMU0001" in text and "product: e320" in text, text)
        status, text = finish(probed)
        expect("uhd_usrp_probe", status == 0 and "0/Radio#0" in text and "TX Frontend: 1" in text, text)
        status, text = finish(both)
        bench_status, bench_text = status, text
        status, text = finish(received)
        expect("rx_samples_to_file", status == 0 and os.path.getsize(path) == 4 * N_RECEIVED, text)
        status, text = finish(sent)
        expect("tx_waveforms", status == 0 and "Done!" in text, text)
        for again in (5, 6):  # it gives up packets by the wall clock, beside four others: two more times alone
            if bench_status == 0 and check_benchmark(bench_text):
                break
            bench_status, bench_text = finish(benchmark(usrp.args(again, RATE)))
        expect("benchmark_rate", bench_status == 0 and check_benchmark(bench_text), bench_text)


def report():
    """test_messages waits 0.1 s of the wall clock for each event, so a hiccup of the machine may be repeated."""
    with Emulator(PROGRAM) as usrp:
        for _ in range(3):
            status, text = finish(start("test_messages", "--args", usrp.args(0, RATE), "--ntests", 8))
            got = re.findall(r"Test (.+?)\s+->\s+(\d+) successes,\s+(\d+) failures", text)
            if status == 0 and len(got) == 4 and all(int(bad) == 0 for _, _, bad in got):
                break
        expect("test_messages", status == 0 and len(got) == 4 and all(int(bad) == 0 for _, _, bad in got), text)


for name in ("uhd_find_devices", "uhd_usrp_probe", "benchmark_rate", "rx_samples_to_file", "tx_waveforms", "test_messages"):
    tool(name)
stream()
report()
sys.exit(f"{len(failures)} refused: {failures}" if failures else 0)
