# SPDX-License-Identifier: GPL-3.0-or-later
"""Users' data towards the access points: predicted and measured SINR of every combiner and fusion, what an encoding costs, antennas and
matched filters alike, a downlink that does not notice, users with offsets of their own under a schedule, and the formula of the central
combiner once more from the recorded estimates. Where runs are short, what only repeats arithmetic is left out. With an argument, the number of blocks (200: the figures of docs/uplink.md), all combiners and encodings."""
import re
import sys

import numpy as np

from network import SHORT, Network, blocks, check, db, finish, skip

FULL = len(sys.argv) > 1
N_BLOCKS = int(sys.argv[1]) if FULL else blocks(45)
FEW = N_BLOCKS if FULL else 25  # of what is the same, or not, in every block
SETTLED = 20
SAME = ["H_hat", "W", "sinr_predicted", "user/sinr_measured", "user/evm", "user/coded_bit_errors", "user/bit_errors", "applied/kind"]


class Run:
    def __init__(self, mode, combiner="mmse", fusion="instant", sets=(), n=N_BLOCKS, **more):
        self.n = n
        keys = {"mode": mode, "combiner": combiner, "fusion": fusion, **more}
        with Network(sets=[*(f"uplink.{k}={v}" for k, v in keys.items()), *sets], n_blocks=n) as net:
            self.text = net.run().text
            self.cpu_log = net.log("cpu.log")
            with net.file("run.h5") as f:
                self.in_solve = f["block/ap_used"][:]
                self.same = {name: f[name][:] for name in SAME}
                self.error_variance = f["error_variance"][:]
                if mode == "none":
                    check("uplink" not in f, "no uplink, no records of it")
                    return
                self.measured, self.predicted = f["uplink/sinr_measured"][:], f["uplink/sinr_predicted"][:]
                self.errors, self.blocks = f["uplink/code_block_errors"][:], f["uplink/code_blocks"][:]
                self.bits = [f["uplink/" + name][:] for name in ("bits", "bit_errors", "coded_bits", "coded_bit_errors")]
                self.bytes, self.used = f["uplink/bytes"][:], f["uplink/ap_used"][:]
            with net.file("truth.h5") as f:
                self.to_uplink = np.mean(f["beta_uplink_snr"][:] / f["beta"][:])

    def db(self):
        return np.mean(db(self.measured[SETTLED:]))


def judge(name, run, errors=True):
    check(run.measured.shape == (run.n, 4) and not np.any(np.isnan(run.measured)), f"{name}: every block, every user")
    difference = np.mean(db(run.measured[SETTLED:]) - db(run.predicted[SETTLED:]))
    check(abs(difference) <= 0.3, f"{name}: measured {run.db():.2f} dB, {difference:+.3f} dB off the prediction")
    check(np.all(run.blocks > 0) and (not errors or not np.any(run.errors)), f"{name}: {run.errors.sum()} of {run.blocks.sum()} blocks wrong")
    check(np.all(run.used == 1), f"{name}: all access points in all blocks")


def formula(run):
    """(5.11) and (5.5) of [Demir 2021] with v written out, from the recorded estimates."""
    H, e = run.same["H_hat"], run.error_variance * run.to_uplink
    G = H.conj() * np.sqrt(run.to_uplink)
    b, sb, n_ap, n_ant, k = G.shape
    z = np.repeat(1 + e.sum(-1), n_ant, axis=-1)
    G = G.reshape(b, sb, -1, k)
    covariance = np.einsum("bsmi,bsni->bsmn", G, G.conj()) + np.einsum("bsm,mn->bsmn", z, np.eye(n_ap * n_ant))
    v = np.linalg.solve(covariance, G)
    gain = np.abs(np.einsum("bsmk,bsmi->bski", v.conj(), G)) ** 2
    signal = np.einsum("bskk->bsk", gain)
    sinr = signal / (gain.sum(-1) - signal + np.einsum("bsm,bsmk->bsk", z, np.abs(v) ** 2))
    return 1 / np.mean(1 / sinr, axis=1)


def told(run):
    """The table says what the recording does."""
    row = re.search(r"Uplink data.*\nuser.*\n0 +([\d.]+) +([\d.]+)", run.text)
    learnt = db(run.measured[16:, 0]).mean()
    check(row and abs(float(row.group(1)) - learnt) < 0.006, f"user 0 in the table: {row and row.group(1)} dB, recorded {learnt:.2f} dB")


def test_lost():
    """Messages are lost on the way: the others are combined without them."""
    run = Run("central", sets=["fronthaul.faults.loss=0.1"], encoding="bfp")
    lost = np.sum((run.in_solve == 1) & (run.used == 0) & np.any(run.used, axis=1)[:, None])
    counted = sum(int(n) for n in re.findall(r"uplink_lost=(\d+)", run.cpu_log))
    said = int(re.search(r"\[uplink\] COUNTERS.* lost=(\d+)", run.cpu_log).group(1))
    check(lost > N_BLOCKS // 10 and lost <= said <= counted, f"{lost} recorded as missing, {said} missed, {counted} lost on purpose")
    whole = np.all(run.used == 1, axis=1)
    some = (np.sum(run.used, axis=1) == 3) & (np.arange(N_BLOCKS) >= SETTLED)
    check(whole.any() and some.any() and not np.any(run.errors), f"{some.sum()} blocks of three access points: all decoded")
    off = np.mean(db(run.measured[some]) - db(run.predicted[some]))
    check(abs(off) < 0.4, f"the prediction knows who is missing: {off:+.3f} dB")
    check(np.all(run.bytes[run.used == 1] == 80 + 16128), "9 bits a number and an exponent for twelve values")
    return run


def test_coded(central, coded):
    """What nine bits cost, in blocks in which nobody is missing."""
    whole = np.all(coded.used == 1, axis=1) & (np.arange(coded.n) >= SETTLED)
    lost = np.mean(db(central.measured[whole]) - db(coded.measured[whole]))
    check(-0.05 < lost < 0.3, f"bfp costs {lost:.3f} dB in {whole.sum()} blocks")


def wait_for_sets(net, n):
    """Until so many sets of users have sent data."""
    def sets():
        with net.file("run.h5") as f:
            return len(np.unique(f["uplink/bits"][()] > 0, axis=0)) if "uplink/bits" in f else 0
    net.wait_until(lambda: sets() >= n, f"{n} sets of users")


def test_scheduled():
    """Four of six users at a time, their oscillators up to 100 Hz off, over pilots that change hands; then kill -9 of an access point: the
    uplink goes on with the rest."""
    sets = ["uplink.mode=central", "scheduler={n_served: 4, blocks: 15, metric: random, sounding: rotate}", "frame.schedule=B G P5 U23 G D38 G",
            "air.impairments.ue.cfo_hz=100"]
    with Network(n_ue=6, n_blocks=0, args=["--keep-going"], sets=sets) as net:
        net.start()
        net.wait_for_block(SETTLED + 15)
        wait_for_sets(net, 2)
        killed_after = net.blocks_done() - 4  # rows of what users send come later than the others
        net.kill_node("tutti-ap", 2)
        net.wait_for_log("cpu.log", "AP-DOWN ap=2")
        net.wait_for_block(net.blocks_done() + 30)
        net.process.terminate()
        net.wait()
        with net.file("run.h5") as f:
            used, wrong, bits = f["uplink/ap_used"][:], f["uplink/code_block_errors"][:], f["uplink/bits"][:]
            seat, measured = f["schedule/seat"][:], f["uplink/sinr_measured"][:]
    some = np.flatnonzero(used[: len(seat)].any(1))
    check(np.array_equal(seat[some] >= 0, bits[some] > 0), f"in {some.size} blocks who has a place sends data, and nobody else")
    sinr = np.nanmedian(db(measured[SETTLED:killed_after]))  # of users that wait nothing is undone
    check(sinr > 35, f"offsets undone: {sinr:.2f} dB, 31 without")
    rest = np.flatnonzero((used[:, 2] == 0) & (used.sum(1) == 3))
    check(rest.size >= 20, f"{rest.size} blocks without access point 2, {used.shape[0]} in all")
    check(np.all((bits[rest] > 0).sum(1) == 4) and not np.any(wrong[SETTLED:]), "four users decode with the rest")


def test_central():
    """The downlink does not notice, the figures are the formula's, and matched filters are as good as antennas."""
    none, central = Run("none", n=FEW), Run("central")
    told(central)
    for name in SAME:
        check(none.same[name].tobytes() == central.same[name][:FEW].tobytes(), f"{name} does not change by the uplink")
    judge("central mmse", central)
    wrong = np.max(np.abs(formula(central) / central.predicted - 1)[SETTLED:])
    check(wrong < 1e-3, f"the prediction is the formula's, {wrong:.1e} off")
    check(np.all(central.bytes == 72 + 8 + 4 * 24 * 72 * 8), "four antennas, 24 symbols, 72 subcarriers of 8 bytes")
    matched = Run("central", streams="matched", n_workers=2, n=FEW)
    check(all(np.array_equal(a, b[:FEW]) for a, b in zip(matched.bits, central.bits)), "matched filters give the bits that antennas give")
    return central


if SHORT:
    skip("central, matched filters, a downlink that does not notice", "arithmetic again")
    judge("local mmse, lsfd", Run("local", "mmse", "lsfd", n_workers=2))
    test_lost()
    test_scheduled()
    finish()
central = test_central()
instant = Run("local")
judge("local mmse, instant", instant)
if FULL:
    judge("central zf", Run("central", "zf"))
    judge("central mr", Run("central", "mr"), errors=False)
    judge("local mr, instant", Run("local", "mr"))
    judge("local mr, lsfd", Run("local", "mr", "lsfd"), errors=False)
lsfd = Run("local", "mmse", "lsfd", n=max(N_BLOCKS, 60))
judge("local mmse, lsfd", lsfd)
check(abs(central.db() - instant.db() - 5.5) < 1, f"central is {central.db() - instant.db():.2f} dB above local")
check(abs(instant.db() - lsfd.db() - 4) < 1.5, f"instant fusion is {instant.db() - lsfd.db():.2f} dB above LSFD")
if FULL:
    for encoding, n_bytes in [("bfp", 16128), ("sc16", 27648 + 24 * 6 * 4)]:  # sc16 has a scale per symbol and subband
        coded = Run("central", encoding=encoding)
        lost = central.db() - coded.db()
        check(-0.05 < lost < 0.3, f"{encoding} costs {lost:.3f} dB")
        check(np.all(coded.bytes == 80 + n_bytes), f"{encoding}: {coded.bytes[0, 0]} bytes")
test_coded(central, test_lost())
test_scheduled()
finish()
