# SPDX-License-Identifier: GPL-3.0-or-later
"""What samples cost a host's processor through libuhd: processor seconds of an access point's process per million samples that one antenna
receives or sends, in the same network on emulated USRPs and on the emulated air, and of UHD's own benchmark_rate on the same device, in
turn, several times. The two networks do the same baseband work, so the difference is the radio's. Only ratios of one run speak.
usage: TUTTI_BIN_DIR=build/release/bin usrp_cost.py EMULATED-USRP [BLOCKS [ROUNDS]], from the source directory"""
import os
import re
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [os.path.join(HERE, "..", "usrp"), os.path.join(HERE, "..", "loop")]
from emulator import Emulator, finish, start
from network import Network

FILE = os.path.join(HERE, "..", "..", "examples", "usrp.yaml")
AIR = ["radio.ap_list=[]", "radio.ue_list=[]", "radio.ap.backend=air", "radio.ue.backend=air"]
WARM = 30  # blocks
RATE = 1.92e6
FRAME_BYTES = 1600  # 0.2 ms at this rate, as hw/uhd/words.c chooses


def cpu_s(pid):
    """{name of thread: s}, as the scheduler counts it, in ns."""
    tasks, used = f"/proc/{pid}/task", {}
    for tid in os.listdir(tasks):
        name = re.sub(r"\d+$", "", open(f"{tasks}/{tid}/comm").read().strip())
        used[name] = used.get(name, 0) + int(open(f"{tasks}/{tid}/schedstat").read().split()[0]) / 1e9
    return used


def samples_per_block(text):
    """Received and sent by one antenna of an access point, by the schedule in the run's own file."""
    number = {k: int(float(re.search(rf"^\s*{k}: *([\d.e+]+)", text, re.M).group(1)))
              for k in ("fft_size", "n_cp_samples", "block_us", "sample_rate_hz")}
    symbol = number["fft_size"] + number["n_cp_samples"]
    schedule = re.search(r"schedule: *\"?([A-Z0-9 ]+)", text).group(1)
    downlink = sum(int(n or 1) for n in re.findall(r"D(\d*)", schedule))
    return number["block_us"] * number["sample_rate_hz"] / 1e6 + downlink * symbol


def measure(text, sets, n_blocks):
    """{thread: ms per million samples} of an access point's process."""
    with Network(sets=sets) as net:
        open(net.config, "w").write(text)
        net.start()
        net.wait_for_block(WARM)
        pid = net.pid_of("tutti-ap", 0)
        first, before = net.blocks_done(), cpu_s(pid)
        net.wait_for_block(first + n_blocks)
        last, after = net.blocks_done(), cpu_s(pid)
        config = open(os.path.join(net.out, "config.yaml")).read()
        net.process.terminate()
        net.wait(30)
    n_ant = int(re.search(r"^\s*n_ant: *(\d+)", config, re.M).group(1))
    million = (last - first) * samples_per_block(config) * n_ant / 1e6
    return {name: 1e3 * (after[name] - before.get(name, 0)) / million for name in after}


def benchmark(usrp, *words):
    """benchmark_rate, two channels both ways; its start is measured by a short run and taken off."""
    def run(seconds):
        before = os.times()
        _, text = finish(start("benchmark_rate", "--args", usrp.args(0, RATE, *words), "--rx_rate", RATE, "--tx_rate", RATE,
                               "--duration", seconds, "--channels", "0,1"))
        after = os.times()
        moved = sum(int(n) for n in re.findall(r"Num (?:received|transmitted) samples:\s+(\d+)", text))
        return after.children_user + after.children_system - before.children_user - before.children_system, moved
    (short_s, short_n), (long_s, long_n) = run(0.5), run(3.5)
    return 1e3 * (long_s - short_s) / ((long_n - short_n) / 1e6)


def one_round(program, text, n_blocks):
    with Emulator(program, "--config", FILE, devices=0) as usrp:
        words = text
        for i, address in enumerate(usrp.devices):
            words = words.replace(f"127.0.0.{i + 1},", f"{address},")
        through_usrp = measure(words, [], n_blocks)
    through_air = measure(text, AIR, n_blocks)
    with Emulator(program) as usrp:
        small = benchmark(usrp, f"recv_frame_size={FRAME_BYTES}", f"send_frame_size={FRAME_BYTES}")
    return through_usrp, sum(through_air.values()), small


def main():
    program = sys.argv[1]
    n_blocks, n_rounds = (int(sys.argv[i]) if len(sys.argv) > i else n for i, n in ((2, 200), (3, 3)))
    text = re.sub(r"n_blocks: *\d+", "n_blocks: 0", open(FILE).read())
    rounds = [one_round(program, text, n_blocks) for _ in range(n_rounds)]
    usrp, air, uhd = [sum(r[0].values()) for r in rounds], [r[1] for r in rounds], [r[2] for r in rounds]
    print(f"""processor ms per million samples of one antenna, {n_rounds} rounds in turn (median; all)
access point on emulated USRPs        {statistics.median(usrp):8.2f}   {' '.join(f'{x:.1f}' for x in usrp)}
access point on the emulated air      {statistics.median(air):8.2f}   {' '.join(f'{x:.1f}' for x in air)}
benchmark_rate, packets of that size  {statistics.median(uhd):8.2f}   {' '.join(f'{x:.1f}' for x in uhd)}
ratio to the emulated air {statistics.median(a / b for a, b in zip(usrp, air)):.1f}, to benchmark_rate {statistics.median(a / b for a, b in zip(usrp, uhd)):.2f}
of the access point on USRPs:""")
    for name in sorted(rounds[0][0], key=lambda n: -statistics.median(r[0].get(n, 0) for r in rounds))[:6]:
        value = statistics.median(r[0].get(name, 0) for r in rounds)
        print(f"  {name:18s} {value:8.2f}   {100 * value / statistics.median(usrp):3.0f} %")


main()
