# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels from a file: what one run wrote down as the truth is played in another, whose truth must be the same, for users and
eavesdroppers; impulse responses in the order of MATLAB against their formula; the seeds of positions, shadowing and fading; channels
of other tools through examples/channel_file.py against sums over paths."""
import os
import subprocess
import sys
import tempfile

import h5py
import numpy as np
from network import BIN, Network, check, db, fewer, finish

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples"))
import channel_file  # noqa: E402

SIZE = dict(n_ap=3, n_ant=2, n_ue=2, n_blocks=40)
PLACES = ["air.large_scale.model=geometry", "air.large_scale.area_m=100", "air.large_scale.drop_seed=5"]
TAPS = ["air.fading.model=tdl", "air.fading.tap_delays_samples=[0, 2]", "air.fading.tap_powers_db=[0, -3]"]
CENTRES_TURNS = channel_file.subband_centres_hz() / 1.92e6


def network(sets, **size):
    return Network(sets=["network.n_eve=1", "eve.n_ant=2", *sets], **{**SIZE, **size}).run()


def read(net, *names):
    with net.file("truth.h5") as f:
        return [f[name][()] for name in names]


def play(path, sets, **size):
    return network(["air.fading.model=file", f"air.fading.file={path}", *sets], **size)


def off(a, b):
    return np.abs(a - b).max() / np.sqrt((np.abs(b) ** 2).mean())


def examine_truth(first):
    """The same channels again, and again from the beginning when the file is over."""
    H, eve = read(first, "H", "eve/H")
    with play(os.path.join(first.out, "truth.h5"), ["air.large_scale.model=file"], n_blocks=50) as second:
        G, eve_again = read(second, "H", "eve/H")
        check(len(G) >= 50 and len(eve_again) >= 50 and len(H) < 50, f"{len(G)} blocks of a file of {len(H)}")
        G, eve_again, rows = G[:50], eve_again[:50], np.arange(50) % len(H)
        for name, a, b in (("users", G, H[rows]), ("eavesdropper", eve_again, eve[rows])):
            check(off(a, b) < 2e-3, f"{name}: the truth of a run, played: {off(a, b):.1e} of the rms off")
        with first.file("run.h5") as run, second.file("run.h5") as again:
            gap = db(again["user/sinr_measured"][20:40]) - db(run["user/sinr_measured"][20:40])
            check(abs(gap.mean()) < 0.2, f"users measure what they measured: {gap.mean():+.3f} dB")


def examine_taps(folder):
    """Gains of paths, MATLAB's order, two blocks a row."""
    rng = np.random.default_rng(1)
    taps = 1e-5 * (rng.normal(size=(20, 2, 3, 2, 2)) + 1j * rng.normal(size=(20, 2, 3, 2, 2)))
    path = os.path.join(folder, "taps.h5")
    with h5py.File(path, "w") as f:
        f["taps"] = np.ascontiguousarray(taps.T).astype(np.complex64)
        f["tap_delays_samples"] = [1.0, 3.0]
    turn = np.exp(-2j * np.pi * CENTRES_TURNS[:, None] * np.array([1, 3]))
    H = np.einsum("st,btmau->bsmau", turn, taps).conj()
    with play(path, ["air.large_scale.model=file", "air.large_scale.file_units=gain", "air.fading.layout=columns",
                     "air.fading.row_blocks=2", "network.n_eve=0"]) as net:
        G = read(net, "H")[0][:40]
        # 23 dBm over 72 subcarriers, noise of 15 kHz with 9 dB
        snr = 10 ** ((23 - db(72) - (-174 + db(15000) + 9)) / 10)
        check(off(G, np.sqrt(snr) * np.repeat(H, 2, axis=0)) < 1e-3, "impulse responses in reverse order, as gains of paths, two blocks a row")


def examine_seeds(first):
    names = ("positions/ap_m", "positions/ue_m", "beta", "H")
    place, users, beta, H = read(first, *names)
    for key, same in fewer((("air.large_scale.shadowing_seed", (True, False, False)), ("air.fading.seed", (True, True, False)),
                            ("air.large_scale.drop_seed", (False, False, False)))):
        with network([*PLACES, *TAPS, f"{key}=9"], n_blocks=3) as net:
            again = read(net, *names)
            found = tuple(np.array_equal(a, b) for a, b in ((again[1], users), (again[2], beta), (again[3][:3], H[:3])))
            check(found == same, f"{key}: positions, gains, channels the same: {found}")


def examine_tools():
    """Arrays as other tools have them, against sums over paths written out."""
    rng = np.random.default_rng(2)
    n_ue, n_ap, n_ant, n_path, n_time = 2, 3, 4, 5, 6
    a = rng.normal(size=(1, n_ue, 1, n_ap, n_ant, n_path, n_time)) + 1j * rng.normal(size=(1, n_ue, 1, n_ap, n_ant, n_path, n_time))
    tau = rng.uniform(0, 2e-6, size=(1, n_ue, n_ap, n_path))
    f = channel_file.subband_centres_hz()
    H = np.zeros((n_time, len(f), n_ap, n_ant, n_ue), complex)
    for t, s, m, n, k, p in np.ndindex(n_time, len(f), n_ap, n_ant, n_ue, n_path):
        H[t, s, m, n, k] += np.conj(a[0, k, 0, m, n, p, t] * np.exp(-2j * np.pi * f[s] * (tau[0, k, m, p] - tau.min())))
    check(np.allclose(channel_file.from_sionna_cir(a, tau, f), H), "Sionna's impulse responses")
    full = np.broadcast_to(tau[:, :, None, :, None], a.shape[:-1])
    check(np.allclose(channel_file.from_sionna_cir(a, full, f), H), "Sionna's impulse responses with delays per antenna")
    at = [1, 4, 2, 0, 3, 5]
    grid = np.zeros((1, n_ue, 1, n_ap, n_ant, n_time, 6), complex)
    grid[0, :, 0][..., at] = H.conj().transpose(4, 2, 3, 0, 1)
    check(np.allclose(channel_file.from_sionna_ofdm(grid, at), H), "Sionna's responses per subcarrier")
    scenes = [[grid[0, :, :, m, :, t] for m in range(n_ap)] for t in range(n_time)]
    check(np.allclose(channel_file.from_deepmimo(scenes, at), H), "DeepMIMO's channels")
    coeff = [[a[0, k, :, m] for k in range(n_ue)] for m in range(n_ap)]
    delay = [[np.repeat(tau[0, k, m][:, None], n_time, axis=1) for k in range(n_ue)] for m in range(n_ap)]
    check(np.allclose(channel_file.from_quadriga(coeff, delay, f), H), "QuaDRiGa's channels")


def examine_refusals(folder):
    """What does not fit is told with the file and what about it."""
    path = os.path.join(folder, "wrong.h5")
    ok = np.ones((3, 2, 3, 2, 2), np.complex64)
    cases = [(ok[:, :, :2], [0, 2], [], "is of 2 access points with 2 antennas and 2 columns; the network has 3, 2 and 2"),
             (ok * np.nan, [0, 2], [], "not finite"), (ok, [2, 2], [], "ascend"), (ok, [0, 1, 2], [], "3 tap_delays_samples for 2 taps"),
             (ok, [0, 7], [], "half of frame.n_cp_samples"), (ok, [0, 2], ["air.fading.variation=jakes"], "must be block"),
             (ok, [0, 2], ["air.fading.file="], "name it"), (ok[:0], [0, 2], [], "no block"), (ok.real, [0, 2], [], "must be complex")]
    for taps, delays, sets, sentence in cases:
        with h5py.File(path, "w") as f:
            f["taps"], f["tap_delays_samples"] = taps, delays
        command = [os.path.join(BIN, "tutti-air")]
        for key in ["network.n_ap=3", "network.n_ant=2", "network.n_ue=2", "air.fading.model=file", f"air.fading.file={path}",
                    f"network.runtime_dir={folder}", *sets]:
            command += ["--set", key]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        check(done.returncode == 1 and sentence in done.stderr, f"refused: ...{sentence}...")


def main():
    examine_tools()
    with network([*PLACES, *TAPS]) as first:
        examine_truth(first)
        examine_seeds(first)
    with tempfile.TemporaryDirectory() as folder:
        examine_taps(folder)
        examine_refusals(folder)
    finish()


main()
