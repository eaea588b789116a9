# SPDX-License-Identifier: GPL-3.0-or-later
"""examples/to_renew.py: channels computed from the exported pilot slots as RENEW's tools do, a transform and a division by the pilot, are the
run's own estimates; users on other pilots are not in a slot."""
import os
import subprocess

import h5py
import numpy as np
from network import Network, check, finish

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/to_renew.py")
SETS = ["record.iq={dir: iq, nodes: [ap0, ap1], symbols: PG}", "pilots.assignment=[1, 2]"]


def main():
    with Network(sets=SETS, n_ap=2, n_ant=2, n_ue=2, n_blocks=40, snr_db=20) as net:
        net.run()
        out = os.path.join(net.dir, "renew.hdf5")
        subprocess.run(["/usr/bin/python3", EXAMPLE, os.path.join(net.out, "run.h5"), os.path.join(net.out, "iq"), out], check=True)
        with h5py.File(out, "r") as f, net.file("run.h5") as run:
            data, H = f["Data"], run["H_hat"][:40]
            a, pilots, noise = dict(data.attrs), data["Pilot_Samples"][:].astype(float), data["Noise_Samples"][:].astype(float)
    check(pilots.shape == (len(H), 1, 2, 4, 2 * a["SLOT_SAMP_LEN"]) and a["SLOT_SAMP_LEN"] == 137, f"shape {pilots.shape}")
    slots = (pilots[..., 0::2] + 1j * pilots[..., 1::2])[:, 0, :, :, a["CP_LEN"]:]
    sent = np.fft.ifftshift(a["OFDM_PILOT_F"][0::2] + 1j * a["OFDM_PILOT_F"][1::2])
    bins = np.concatenate([np.arange(-36, 0), np.arange(1, 37)])
    check(np.array_equal(np.flatnonzero(sent), np.sort(bins % 128)), "72 bins carry pilots, none at the carrier")
    csi = (np.fft.fft(slots)[..., bins] / sent[bins]).reshape(*slots.shape[:3], 6, 12).mean(axis=-1)  # block, user, antenna, subband
    ours = H.reshape(len(H), 6, 4, 2).conj().transpose(0, 3, 2, 1)
    g = np.vdot(ours[20:], csi[20:]) / np.vdot(ours[20:], ours[20:])
    rest = csi[20:] - g * ours[20:]
    ratio_db = 10 * np.log10((np.abs(g * ours[20:]) ** 2).mean() / (np.abs(rest) ** 2).mean())
    check(ratio_db > 20, f"channels from the slots are the run's estimates: {ratio_db:.1f} dB above what is left")
    floor = (np.abs(noise[..., 0::2] + 1j * noise[..., 1::2]) ** 2).mean() / a["TUTTI_SCALE"] ** 2
    want = 10 ** ((-174 + 10 * np.log10(1.92e6) + 9 + 40) / 10)  # full scale -40 dBm
    check(abs(10 * np.log10(floor / want)) < 0.5, f"noise {10 * np.log10(floor):.2f} dBFS, thermal {10 * np.log10(want):.2f}")
    finish()


main()
