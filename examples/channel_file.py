#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels of other tools as a file that the emulated air plays (air.fading.model: file, docs/channel.md).

    channel_file.py --demo FILE.h5     # three access points, two users walking past a mirror: to try it out

In a program of your own, `write(FILE, H)` with H from one of the functions below. H is [block][subband][ap][antenna][user], what
h^H x needs: the conjugate of the propagation. A delay common to all is taken out, since access points and users are synchronised.
"""
import sys

import h5py
import numpy as np


def subband_centres_hz(rate_hz=1.92e6, fft_size=128, n_used=72, per_subband=12):
    """Frequencies at which H is wanted: those of the frame's subbands (here: of the defaults)."""
    i = np.arange(n_used)
    tone = np.where(i < n_used // 2, i - n_used // 2, i - n_used // 2 + 1)  # nothing at the carrier
    first = tone.reshape(-1, per_subband)
    return (first[:, 0] + first[:, -1]) / 2 * rate_hz / fft_size


def from_paths(amplitude, delay_s, centres_hz):
    """amplitude, delay_s [block][ap][antenna][user][path] -> H."""
    turn = np.exp(-2j * np.pi * centres_hz[:, None, None, None, None] * (delay_s - delay_s.min())[:, None])
    return (amplitude[:, None] * turn).sum(axis=-1).conj()


def from_sionna_cir(a, tau, centres_hz):
    """Sionna's downlink `a` [batch, rx, rx_ant, tx, tx_ant, path, time] and `tau` [batch, rx, tx, path] (or with antennas, as `a`
    without time). Access points are tx, users rx (first antenna); batches and times become blocks."""
    a = np.asarray(a)[:, :, 0]
    tau = np.asarray(tau)
    tau = tau[:, :, 0] if tau.ndim == 6 else np.broadcast_to(tau[:, :, :, None], a.shape[:-1])
    amplitude = a.transpose(0, 5, 2, 3, 1, 4).reshape(-1, *a.shape[2:4], a.shape[1], a.shape[4])
    delay_s = np.repeat(tau.transpose(0, 2, 3, 1, 4), a.shape[-1], axis=0)
    return from_paths(amplitude, delay_s, centres_hz)


def from_sionna_ofdm(h_freq, at):
    """Sionna's `h_freq` [batch, rx, rx_ant, tx, tx_ant, symbol, subcarrier]; at: its subcarriers that are the subbands' centres."""
    h = np.asarray(h_freq)[:, :, 0][..., at]  # batch, rx, tx, ant, symbol, subband
    h = h.transpose(0, 4, 5, 2, 3, 1)
    return h.reshape(-1, *h.shape[2:]).conj()


def from_deepmimo(scenes, at):
    """scenes [block][ap]: DeepMIMO's `channel` [user, rx_ant, tx_ant, subcarrier] of every base station in every scene."""
    h = np.array([[np.asarray(ap)[:, 0][..., at] for ap in scene] for scene in scenes])  # block, ap, user, ant, subband
    return h.transpose(0, 4, 1, 3, 2).conj()


def from_quadriga(coeff, delay, centres_hz):
    """coeff [ap][user] of [rx_ant, tx_ant, path, snapshot], delay [ap][user] of [path, snapshot], as QuaDRiGa's qd_channel has
    them (without individual delays per antenna). Snapshots become blocks."""
    c = np.array([[np.asarray(u)[0] for u in ap] for ap in coeff])  # ap, user, ant, path, snapshot
    d = np.broadcast_to(np.array(delay)[:, :, None], c.shape)
    return from_paths(c.transpose(4, 0, 2, 1, 3), d.transpose(4, 0, 2, 1, 3), centres_hz)


def write(path, H):
    with h5py.File(path, "w") as f:
        f["H"] = H.astype(np.complex64)


def demo(path, n_block=400, freq_hz=3.5e9):
    """Lines of sight and one mirror at y = 60 m; arrays of half a wavelength along y. Amplitudes are path gains: file_units gain."""
    c = 299792458.0
    ap = np.array([[0, 0], [100, 0], [50, 50]], float)
    ue = np.array([[[20 + 0.01 * b, 20], [70, 10 + 0.01 * b]] for b in range(n_block)])
    antenna = ap[:, None] + np.arange(4)[:, None] * [0, c / freq_hz / 2]  # [ap][antenna][xy]
    amplitude, delay_s = [], []
    for mirror in (False, True):
        at = antenna * [1, -1] + [0, 120] if mirror else antenna
        d = np.linalg.norm(at[None, :, :, None] - ue[:, None, None], axis=-1)
        amplitude.append((0.3 if mirror else 1) * c / freq_hz / (4 * np.pi * d) * np.exp(-2j * np.pi * freq_hz * d / c))
        delay_s.append(d / c)
    write(path, from_paths(np.stack(amplitude, -1), np.stack(delay_s, -1), subband_centres_hz()))


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "--demo":
        sys.exit(__doc__)
    demo(sys.argv[2])
