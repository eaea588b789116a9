# SPDX-License-Identifier: GPL-3.0-or-later
"""What samples cost a host's processor through libuhd, not a test: CPU time of an access point's process per million samples that
it receives or sends (all channels), in the same network on emulated USRPs and on the emulated air, and of UHD's own benchmark_rate.
The two networks do the same baseband work, so the difference is the radio's. Figures of one run are comparable with each other.
usage: TUTTI_BIN_DIR=build/release/bin cost.py EMULATED-USRP [NETWORK-FILE [BLOCKS]], from the source directory"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "loop"))
from emulator import Emulator, finish, start
from network import Network

AIR = ["radio.ap_list=[]", "radio.ue_list=[]", "radio.ap.backend=air", "radio.ue.backend=air"]
WARM = 30  # blocks
RATE = 1.92e6
FRAME_BYTES = 1600  # 0.2 ms at this rate, as hw/uhd/words.c chooses


def cpu_s(pid):
    """Of all its threads, as the scheduler counts it, in ns."""
    tasks = f"/proc/{pid}/task"
    return sum(int(open(f"{tasks}/{tid}/schedstat").read().split()[0]) for tid in os.listdir(tasks)) / 1e9


def samples_per_block(text):
    """Received and sent by one antenna of an access point, by the schedule in the run's own file."""
    number = {k: int(float(re.search(rf"^\s*{k}: *([\d.e+]+)", text, re.M).group(1)))
              for k in ("fft_size", "n_cp_samples", "block_us", "sample_rate_hz")}
    symbol = number["fft_size"] + number["n_cp_samples"]
    schedule = re.search(r"schedule: *\"?([A-Z0-9 ]+)", text).group(1)
    downlink = sum(int(n or 1) for n in re.findall(r"D(\d*)", schedule))
    return number["block_us"] * number["sample_rate_hz"] / 1e6 + downlink * symbol


def measure(text, sets, n_blocks, others=()):
    """CPU milliseconds per million samples of an access point's process, and of others that carry samples."""
    net = Network(sets=sets)
    with net:
        open(net.config, "w").write(text)
        net.start()
        net.wait_for_block(WARM)
        pids = [net.pid_of("tutti-ap", 0)] + [pid or net.pid_of("tutti-air") for pid in others]
        first, before = net.blocks_done(), [cpu_s(pid) for pid in pids]
        net.wait_for_block(first + n_blocks)
        last, after = net.blocks_done(), [cpu_s(pid) for pid in pids]
        config = open(os.path.join(net.out, "config.yaml")).read()
        net.process.terminate()
        net.wait(30)
    n_ant = int(re.search(r"^\s*n_ant: *(\d+)", config, re.M).group(1))
    million = (last - first) * samples_per_block(config) * n_ant / 1e6
    return [1e3 * (b - a) / million for a, b in zip(before, after)]


def benchmark(usrp, *words):
    """benchmark_rate, two channels both ways, received packets as large as a link carries or as words say; its start is measured by a run of no length and taken off."""
    def run(seconds):
        before = os.times()
        status, text = finish(start("benchmark_rate", "--args", usrp.args(0, RATE, *words), "--rx_rate", RATE, "--tx_rate", RATE,
                                    "--duration", seconds, "--channels", "0,1"))
        after = os.times()
        moved = sum(int(n) for n in re.findall(r"Num (?:received|transmitted) samples:\s+(\d+)", text))
        return (after.children_user + after.children_system - before.children_user - before.children_system), moved
    (short_s, short_n), (long_s, long_n) = run(0.5), run(5.5)
    return 1e3 * (long_s - short_s) / ((long_n - short_n) / 1e6)


def main():
    program = sys.argv[1]
    path = sys.argv[2] if len(sys.argv) > 2 else "examples/usrp.yaml"
    n_blocks = int(sys.argv[3]) if len(sys.argv) > 3 else 400
    text = re.sub(r"n_blocks: *\d+", "n_blocks: 0", open(path).read())
    with Emulator(program, "--config", path, devices=0) as usrp:
        words = text
        for i, address in enumerate(usrp.devices):
            words = words.replace(f"127.0.0.{i + 1},", f"{address},")
        through_usrp, emulator = measure(words, [], n_blocks, [usrp.process.pid])
    through_air, medium = measure(text, AIR, n_blocks, [None])
    with Emulator(program) as usrp:
        rate, small = benchmark(usrp), benchmark(usrp, f"recv_frame_size={FRAME_BYTES}", f"send_frame_size={FRAME_BYTES}")
    print(f"""CPU ms per million samples received or sent
access point on emulated USRPs   {through_usrp:8.2f}
access point on the emulated air {through_air:8.2f}
  difference: libuhd and backend {through_usrp - through_air:8.2f}
UHD's benchmark_rate             {rate:8.2f}
  with the backend's packets     {small:8.2f}
emulated-usrp (all its devices, per sample of one access point) {emulator:8.2f}
tutti-air (the same)                                            {medium:8.2f}""")


main()
