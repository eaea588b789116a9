#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a run.h5 (docs/files.md) with known contents, for the tests of what reads it.

usage: synthetic_run.py FILE CONFIG.yaml [N_BLOCKS] [perfect|faulty]
"""
import sys

import h5py
import numpy as np


def powers(H, W, variance):
    """Signal and error power [block][subband][user]: |h_k^H w_k|^2 against interference, noise 1 and estimation error."""
    gains = np.abs(np.einsum("bsmnk,bsmnj->bskj", H.conj(), W)) ** 2
    signal = np.einsum("bskk->bsk", gains)
    unknown = np.einsum("bsmk,bsmnj->bsk", variance, np.abs(W) ** 2)
    return signal, gains.sum(axis=3) - signal + 1 + unknown


def powers_seen(H, W, variance):
    """The same at a user that learns its own gain: what the estimation error adds to its stream is signal."""
    signal, error = powers(H, W, variance)
    own = np.einsum("bsmk,bsmnk->bsk", variance, np.abs(W) ** 2)
    return signal + own, error - own


def write(path, config, n_block=200, perfect=True, n_ap=4, n_ue=4, n_sb=6, n_ant=2, seed=1):
    rng = np.random.default_rng(seed)
    t0 = 1_773_595_765 * 10**9
    block_ns = 5_000_000
    with h5py.File(path, "w", libver="latest") as f:
        f["config"] = config
        f["version"] = "0.1.0-synthetic"
        f["config"].attrs["made_up"] = 42.0
        c64 = np.dtype(np.complex64)
        H = rng.standard_normal((n_block, n_sb, n_ap, n_ant, n_ue, 2)).astype(np.float32).view(c64)[..., 0]
        # Regularised zero-forcing of all antennas; user k gets about 20 + k dB.
        A = H.reshape(n_block, n_sb, n_ap * n_ant, n_ue)
        gram = np.swapaxes(A.conj(), 2, 3) @ A + 0.1 * np.eye(n_ue)
        W = (A @ np.linalg.inv(gram) * 10 ** ((20 + np.arange(n_ue)) / 20)).reshape(H.shape).astype(c64)
        variance = rng.uniform(0, 0.002, (n_block, n_sb, n_ap, n_ue))
        signal, error = powers(H, W, variance)
        f["H_hat"] = H
        f["W"] = W
        f["error_variance"] = variance
        f["sinr_predicted"] = signal / error
        f["sinr_bound"] = np.full((n_block, n_sb), np.nan)
        measured = signal.sum(axis=1) / error.sum(axis=1) * 10 ** (0.03 * rng.standard_normal((n_block, n_ue)))
        bits = np.full((n_block, n_ue), 2400, np.int64)
        errors = np.zeros_like(bits)
        blocks = np.full_like(bits, 2)
        block_errors = np.zeros_like(bits)
        f["solve_time_s"] = rng.gamma(4, 50e-6, n_block)
        f["scheme"] = np.ones(n_block, np.int32)
        f["reason"] = np.zeros(n_block, np.int32)
        f["block/tick"] = np.arange(n_block, dtype=np.uint64) * 9600
        f["block/ap_used"] = np.ones((n_block, n_ap), np.uint8)
        f["block/user_used"] = np.ones((n_block, n_ue), np.uint8)
        base = np.uint64(t0) + np.arange(n_block, dtype=np.uint64)[:, None] * np.uint64(block_ns)

        def after(stamp, scale_us, shape):
            return stamp + (rng.gamma(6, scale_us * 1000 / 6, shape)).astype(np.uint64)

        shape = (n_block, n_ap)
        stamps = {"capture_end_ns": base + np.zeros(shape, np.uint64)}
        stamps["csi_sent_ns"] = after(stamps["capture_end_ns"], 60, shape)
        stamps["csi_received_ns"] = after(stamps["csi_sent_ns"], 150, shape)
        start = after(stamps["csi_received_ns"].max(axis=1), 5, n_block)
        end = after(start, 200, n_block)
        stamps["precoder_sent_ns"] = after(end[:, None], 25, shape)
        stamps["precoder_received_ns"] = after(stamps["precoder_sent_ns"], 140, shape)
        stamps["applied_ns"] = after(stamps["precoder_received_ns"], 900, shape)
        kind = np.ones(shape, np.uint8)
        arrival = np.where(rng.random(shape) < 0.8, 1, 2).astype(np.uint8)
        if not perfect:
            errors[10, 1] = 37
            block_errors[10, 1] = 1
            bits[20:25, 0] = 0
            arrival[50:60, n_ap - 1] = 3
            kind[50:54, n_ap - 1] = 2
            kind[54:60, n_ap - 1] = 3
            kind[60:64, n_ap - 1] = 4
            arrival[60:64, n_ap - 1] = 0
            stamps["applied_ns"][60:64, n_ap - 1] = 0
            stamps["csi_received_ns"][70, 1] = stamps["csi_sent_ns"][70, 1] - np.uint64(5)
            end[n_block - 1] = 0
        silent = bits == 0
        measured[silent] = np.nan
        evm = 1 / np.sqrt(measured)
        for name, value in stamps.items():
            f["hops/" + name] = value
        f["hops/solve_start_ns"] = start
        f["hops/solve_end_ns"] = end
        f["applied/kind"] = kind
        f["applied/arrival"] = arrival
        events = np.zeros((n_block, n_ap, 5), np.int64)
        events[30:, 0, 1] = 3  # three overflows, then a restart and two more
        events[100:, 0, 1] = 2
        f["radio/events"] = events
        f["user/sinr_measured"] = measured
        f["user/evm"] = evm
        f["user/bits"] = bits
        f["user/bit_errors"] = errors
        f["user/coded_bits"] = bits * 2
        f["user/coded_bit_errors"] = errors * 3
        f["user/code_blocks"] = np.where(silent, 0, blocks)
        f["user/code_block_errors"] = block_errors
        levels = np.array([-3, -1, 1, 3]) / np.sqrt(10)
        n_row = (n_block + 15) // 16
        points = levels[rng.integers(4, size=(n_row, n_ue, 128))] + 1j * levels[rng.integers(4, size=(n_row, n_ue, 128))]
        points = points + 0.06 * (rng.standard_normal(points.shape) + 1j * rng.standard_normal(points.shape))
        points[-1:, 0] = np.nan
        f["user/constellation"] = points.astype(c64)


def use_schemes(path, scheme, reason, gap):
    """Scheme and reason of each block; where gap [block][subband] is not NaN, a bound that much above the least SINR."""
    with h5py.File(path, "r+") as f:
        f["scheme"][...] = scheme
        f["reason"][...] = reason
        f["sinr_bound"][...] = f["sinr_predicted"][:].min(axis=2) / (1 - gap)


def serve_in_turn(path):
    """One user per block, as with precoding.scheme analog. The others decode rubbish and report it. Returns who was
    served [block][user]."""
    with h5py.File(path, "r+") as f:
        n_block, n_ue = f["block/user_used"].shape
        used = np.arange(n_block)[:, None] % n_ue == np.arange(n_ue)
        f["block/user_used"][...] = used
        f["sinr_predicted"][...] = np.where(used[:, None], f["sinr_predicted"][:], 0)
        f["user/sinr_measured"][...] = np.where(used, f["user/sinr_measured"][:], 1e-3)
        f["user/evm"][...] = np.where(used, f["user/evm"][:], 3.0)
        for name, most in (("bit_errors", "bits"), ("coded_bit_errors", "coded_bits"), ("code_block_errors", "code_blocks")):
            f["user/" + name][...] = np.where(used, f["user/" + name][:], f["user/" + most][:] // 2 + 1)
    return used


if __name__ == "__main__":
    with open(sys.argv[2]) as text:
        write(sys.argv[1], text.read(), int(sys.argv[3]) if len(sys.argv) > 3 else 200, sys.argv[4:5] != ["faulty"])
