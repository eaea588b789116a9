#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A recorded run as a file with the names that RENEW's and Agora's tools read: one pilot slot per user.

    to_renew.py RUN.h5 IQ_FOLDER OUT.hdf5

The run must have recorded its access points' samples from block 0 on (record.iq, docs/recordings.md; symbols: PG is enough). Users of
Tutti send at the same time in tau pilot symbols, orthogonal over them: a user's slot is what is left when the others are taken out, in
samples. All access points' antennas are one row of antennas. Attribute TUTTI_SCALE: int16 values per unit of our samples.
"""
import glob
import json
import os
import re
import sys

import h5py
import numpy as np


def setting(config, key):
    return int(re.search(rf"^\s+{key}: (\d+)", config, re.M).group(1))


def letters_of(schedule):
    return "".join(letter * int(n or 1) for letter, n in re.findall(r"([A-Z])(\d*)", schedule))


def symbols(stem, wanted, n_block, per_block, per_symbol):
    """Samples of the wanted symbols, [block][wanted][sample]; zeros where there are none."""
    meta = json.load(open(stem + ".sigmf-meta", encoding="utf-8"))
    g, captures = meta["global"], meta["captures"]
    if g["core:datatype"] == "ci16_le":
        data = np.fromfile(stem + ".sigmf-data", "<i2").reshape(-1, 2).astype(float) @ [1, 1j] * g["tutti:step"]
    else:
        data = np.fromfile(stem + ".sigmf-data", "<c8")
    starts = np.array([c["core:sample_start"] for c in captures])
    ticks = np.array([c["core:global_index"] for c in captures]) - g["tutti:epoch"]
    ends = np.append(starts[1:], min(len(data), g["tutti:n_samples"]))
    out = np.zeros((n_block, len(wanted), per_symbol), complex)
    for b in range(n_block):
        for i, s in enumerate(wanted):
            tick = b * per_block + s * per_symbol
            at = np.searchsorted(ticks, tick, "right") - 1
            first = starts[at] + tick - ticks[at]
            if at >= 0 and first + per_symbol <= ends[at]:
                out[b, i] = data[first:first + per_symbol]
    return out


def pilot(fft_size, n_sc):
    """What a user sends on every bin, DC first; quarter turns of a chirp (docs/frame.md)."""
    i = np.arange(n_sc)
    bins = np.where(i < n_sc // 2, i - n_sc // 2, i - n_sc // 2 + 1)
    out = np.zeros(fft_size, complex)
    out[bins] = 1j ** ((2 * ((2 * i * i) % (4 * n_sc)) + n_sc) // (2 * n_sc) % 4)
    return out


def interleaved(x):
    return np.stack([x.real, x.imag], axis=-1).reshape(*x.shape[:-1], -1)


def main(run, folder, out):
    with h5py.File(run, "r") as f:
        config = f["config"][()].decode()
        n_block, _, n_ap, n_ant, n_ue = f["H_hat"].shape
    meta = json.load(open(os.path.join(folder, "ap0_ant0.sigmf-meta"), encoding="utf-8"))["global"]
    per_block, per_symbol, letters = meta["tutti:samples_per_block"], meta["tutti:samples_per_symbol"], letters_of(meta["tutti:schedule"])
    at, quiet = [i for i, x in enumerate(letters) if x == "P"], letters.rindex("G")
    tau, fft_size, n_sc = len(at), setting(config, "fft_size"), setting(config, "n_used_subcarriers")
    own = re.search(r"^\s+assignment: \[(.*)\]", config, re.M).group(1)
    assignment = [int(x) for x in own.split(",")] if own else [k % tau for k in range(n_ue)]
    despread = np.exp(2j * np.pi * np.outer(assignment, np.arange(tau)) / tau) / tau  # [user][pilot symbol]
    stems = [os.path.join(folder, f"ap{m}_ant{a}") for m in range(n_ap) for a in range(n_ant)]
    missing = [s for s in stems if not glob.glob(s + ".sigmf-meta")]
    if missing:
        sys.exit(f"to_renew.py: {missing[0]}.sigmf-meta is missing: record all access points (record.iq.nodes)")
    y = np.stack([symbols(s, [*at, quiet], n_block, per_block, per_symbol) for s in stems], axis=1)  # block, antenna, symbol, sample
    slots = np.einsum("kt,batn->bkan", despread, y[:, :, :-1])
    scale = 0.9 * 32767 / max(np.abs(slots).max(), np.abs(y[:, :, -1]).max(), 1e-30)
    sent = pilot(fft_size, n_sc)
    time = np.fft.ifft(sent)
    texts = lambda *x: np.array(x, "S64")  # noqa: E731
    attributes = {
        "FREQ": float(meta.get("core:frequency", 0)), "RATE": float(meta["core:sample_rate"]), "PREFIX_LEN": 0, "POSTFIX_LEN": 0,
        "SLOT_SAMP_LEN": per_symbol, "FFT_SIZE": fft_size, "CP_LEN": per_symbol - fft_size, "DATA_SUBCARRIER_NUM": n_sc, "DL_PILOTS_EN": 0,
        "BEACON_SEQ_TYPE": texts("zadoff-chu"), "PILOT_SEQ_TYPE": texts("tutti"), "BS_SDR_ID": texts(*[f"ap{m}" for m in range(n_ap)]),
        "BS_NUM_CELLS": 1, "BS_CH_PER_RADIO": n_ant, "BS_FRAME_SCHED": texts("P" * n_ue + "N"), "BS_FRAME_LEN": n_ue + 1, "ANT_OFFSET": 0,
        "ANT_NUM": n_ap * n_ant, "ANT_TOTAL": n_ap * n_ant, "UL_SLOTS": 0, "RECIPROCAL_CALIB": 0, "FULL_MATRIX_MEAS": 0, "PILOT_NUM": n_ue,
        "OFDM_PILOT_F": interleaved(np.fft.fftshift(sent)), "OFDM_PILOT": interleaved(np.concatenate([time[fft_size - (per_symbol - fft_size):], time])),
        "CL_NUM": n_ue, "CL_MODULATION": texts("QPSK"), "CL_FRAME_SCHED": texts(*["G" * k + "P" + "G" * (n_ue - k) for k in range(n_ue)]),
        "CL_SDR_ID": texts(*[f"ue{k}" for k in range(n_ue)]), "TUTTI_SCALE": scale}
    with h5py.File(out, "w") as f:
        data = f.create_group("Data")
        for name, x in (("Pilot_Samples", slots), ("Noise_Samples", y[:, None, :, -1])):
            data[name] = np.rint(interleaved(x * scale)).astype(np.int16)[:, None]
        data.attrs.update(attributes)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
