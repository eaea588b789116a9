#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged and absurd files given to the commands that read them: status 0 or 1, with 1 a line that says why, in bounded
time, and nothing left behind. The HDF5 library itself crashes on some of these files.

usage: test_damaged.py PATH_OF_TUTTI FOLDER_OF_DATA SANITIZERS
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import synthetic_run  # noqa: E402

TUTTI = DATA = SANITIZERS = ""
# A crash shall be a crash under sanitizers, too; a leak in a library that gave a file up is not looked at.
ENVIRONMENT = {"PATH": "/nonexistent", "OPENBLAS_NUM_THREADS": "1",
               "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:symbolize=0:" +
               ":".join(f"handle_{name}=0" for name in ("segv", "abort", "sigfpe", "sigbus", "sigill"))}
KNOWN_HDF5 = h5py.version.hdf5_version == "1.10.8"


def is_the_librarys(report):
    """Did AddressSanitizer see libhdf5 (through memcpy, free ..) and not Tutti do it?"""
    frames = [line for line in report.splitlines() if line.lstrip().startswith(("#0 ", "#1 ", "#2 "))][:3]
    return any("libhdf5" in line for line in frames)


class Damaged(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tutti-damaged-")
        self.file, self.out = self.path("run.h5"), self.path("out.h5")

    def tearDown(self):
        shutil.rmtree(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def tutti(self, command):
        arguments = {"inspect": ("inspect", self.file), "report": ("report", self.file, "--out", self.path("page.html")),
                     "sync-check": ("sync-check", self.file),
                     "precode": ("precode", "--scheme", "cb", "--channel", self.file, "--out", self.out, "--threads", "1",
                                 "--quiet")}[command]
        answer = subprocess.run([TUTTI, *arguments], capture_output=True, env=ENVIRONMENT, timeout=70)
        answer.stderr = answer.stderr.decode(errors="replace")
        return answer

    def check(self, command, what):
        """Returns the status and the last line said."""
        answer = self.tutti(command)
        lines = answer.stderr.splitlines()
        if SANITIZERS and "Sanitizer" in answer.stderr:
            self.assertTrue(is_the_librarys(answer.stderr), (what, command, answer.stderr))
            return answer.returncode, ""
        self.assertIn(answer.returncode, (0, 1), (what, command, answer.stderr))
        self.assertEqual([line for line in lines if not line.startswith(f"tutti {command}: ")], [], (what, command))
        if answer.returncode == 1:
            self.assertGreaterEqual(len(lines), 1, (what, command))
        if command != "inspect":
            self.assertLessEqual(len(lines), 1, (what, command, lines))
        self.assertFalse(os.path.exists(self.out + ".part"), (what, command))
        self.assertEqual(os.path.exists(self.out), command == "precode" and answer.returncode == 0, (what, command))
        for name in (self.out, self.path("page.html")):
            if os.path.exists(name):
                os.unlink(name)
        return answer.returncode, lines[-1] if lines else ""

    def small_run(self, oldest):
        """The newest format has checksums, in the oldest damage goes deeper."""
        config = "network:\n  name: small\n"
        made = self.path("made.h5")
        synthetic_run.write(made, config, n_block=4, n_ap=1, n_ue=1, n_sb=1)
        if not oldest:
            return made
        old = self.path("old.h5")
        with h5py.File(made) as source, h5py.File(old, "w") as file:
            for name in source:
                if name not in ("H_hat", "user", "config"):
                    source.copy(name, file)
            file["config"] = config
            file.create_group("user")
            for name, data in source["user"].items():
                file["user"].create_dataset(name, data=data[()], chunks=True, maxshape=(None,) + data.shape[1:])
            file.create_dataset("H_hat", data=source["H_hat"][()], chunks=True, compression="gzip")
            file["H_hat"].attrs["ap_power"] = np.ones(1)
        return old

    def damage(self, oldest, n):
        with open(self.small_run(oldest), "rb") as file:
            whole = file.read()
        used = [i for i in range(len(whole)) if any(whole[max(0, i - 4):i + 4])]
        pick = random.Random(5 + oldest)
        seen = {"inspect": set(), "report": set(), "precode": set()}
        for k in range(n):
            data = bytearray(whole)
            if k == 0:
                what = "as it was"
            elif k % 8 == 7:
                what = f"cut at {(cut := pick.randrange(len(whole)))}"
                data = data[:cut]
            else:
                at, n_byte = pick.choice(used), pick.choice((1, 1, 2, 4, 8))
                value = pick.choice((0, 1, 0x7F, 0x80, 0xFF, pick.randrange(256)))
                data[at:at + n_byte] = bytes([value]) * min(n_byte, len(data) - at)
                what = f"{n_byte} bytes of {value} at {at}"
            with open(self.file, "wb") as file:
                file.write(data)
            for command, statuses in seen.items():
                statuses.add(self.check(command, what)[0])
                if k == 0:
                    self.assertEqual(statuses, {0}, command)
        for command, statuses in seen.items():
            self.assertEqual(statuses, {0, 1}, command)

    def test_damaged_newest_format(self):
        self.damage(oldest=False, n=9 if SANITIZERS else 24)

    def test_damaged_oldest_format(self):
        self.damage(oldest=True, n=16 if SANITIZERS else 64)

    def test_known_to_crash(self):
        for command in ("inspect", "report", "precode", "sync-check"):
            crashing = "report" if command == "sync-check" else command
            shutil.copy(os.path.join(DATA, f"crashes_libhdf5_{crashing}"), self.file)
            status, line = self.check(command, "known to crash")  # and leaves no .part
            if KNOWN_HDF5 and not SANITIZERS:
                self.assertEqual(status, 1)
                self.assertEqual(line, f"tutti {command}: {self.file}: damaged: the HDF5 library crashed on it (SIGSEGV)")

    def test_nothing(self):
        for data in (b"", b"this is no HDF5 file\n" * 100, b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + b"\xff" * 2000):
            with open(self.file, "wb") as file:
                file.write(data)
            for command in ("inspect", "report", "precode", "sync-check"):
                status, line = self.check(command, data[:20])
                self.assertEqual(status, 1)
                self.assertIn(self.file, line)

    # well-formed, but with more rows than there can be

    def claim(self, name, shape, dtype=np.float64):
        with h5py.File(self.file, "w") as file:
            file["error_variance"] = np.full((2, 2), 0.1)
            file["user/bits"] = np.ones((3, 2), np.int64)
            file["hops/capture_end_ns"] = np.ones((3, 2), np.uint64)
            if name in file:
                del file[name]
            file.create_dataset(name, shape, dtype, maxshape=(None,) * len(shape), chunks=(1,) * len(shape))

    def test_rows_that_cannot_be_there(self):
        for n_row in (2**32, 2**40, 2**62):
            self.claim("H_hat", (n_row, 1, 2, 3, 2), np.complex64)
            for command in ("inspect", "precode"):
                status, line = self.check(command, n_row)
                self.assertEqual(status, 1)
                self.assertRegex(line, r"damaged: /H_hat claims .* GB, but the file has ")
            self.claim("hops/capture_end_ns", (n_row, 2), np.uint64)
            for command in ("inspect", "report"):
                status, line = self.check(command, n_row)
                self.assertEqual(status, 1)
                self.assertRegex(line, r"damaged: (/hops/capture_end_ns|its number of blocks) claims .* GB, but the file has")

    def test_long_rows(self):
        self.claim("H_hat", (1, 2**40), np.uint8)
        self.assertRegex(self.check("inspect", "a long row")[1], "claims")
        self.claim("H_hat", (2**20, 2**20, 2**20, 2**20))  # together 0 modulo 2^64
        self.assertRegex(self.check("inspect", "a product that wraps")[1], "claims more than")
        self.claim("H_hat", (2**61, 8, 0))
        self.assertEqual(self.check("inspect", "nothing, many times")[0], 0)

    def test_names_do_not_reach_the_terminal(self):
        with h5py.File(self.file, "w") as file:
            file["a\033[2J\nb"] = "text\033[2J\n"
            file["a\033[2J\nb"].attrs["c\033[2J\n"] = "d\033[2J\n"
            file.create_dataset("x\033[2J\ny", (2**50,), np.float64, maxshape=(None,), chunks=(1,))
        answer = self.tutti("inspect")
        self.assertEqual(answer.returncode, 1)
        self.assertEqual(answer.stderr.count("\n"), 1)
        self.assertNotIn("\033", answer.stderr + answer.stdout.decode())
        self.assertIn("a?[2J?b", answer.stdout.decode())
        self.events([b"SYNC-LOCKED ap=0 \033[2J", b"AP-UP ap=0"])
        answer = self.tutti("sync-check")
        self.assertEqual((answer.returncode, answer.stderr), (0, ""))
        self.assertIn("SYNC-LOCKED ap=0 ?[2J", answer.stdout.decode())

    # the time line, as sync-check reads it

    def events(self, texts, n_row=None):
        with h5py.File(self.file, "w") as file:
            for name, data in (("events/text", np.array(texts, "S160")), ("events/block", np.arange(len(texts), dtype=np.uint64))):
                file.create_dataset(name, (n_row or len(texts),), data.dtype, maxshape=(None,), chunks=(1,))[:len(texts)] = data

    def test_a_time_line_that_cannot_be(self):
        self.events([b"SYNC-LOCKED ap=0"], 2**50)
        status, line = self.check("sync-check", "rows without end")
        self.assertEqual(status, 1)
        self.assertIn("claims", line)
        with h5py.File(self.file, "w") as file:
            file["events/text"] = "one text"
            file["events/block"] = np.arange(1)
        self.assertIn(self.check("sync-check", "no rows")[0], (0, 1))
        with h5py.File(self.file, "w") as file:
            file["events/text"] = np.array([b"SYNC-LOCKED ap=0"], "S160")
            file["events/block"] = np.zeros((1, 64), np.uint64)  # where room for one number is
        status, line = self.check("sync-check", "a row of many blocks")
        self.assertEqual(status, 1)
        self.assertIn("/events/block has rank 2", line)

class Programs(unittest.TestCase):
    """What a network file names is read by programs that serve others: in a child first."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tutti-damaged-")
        with open(os.path.join(self.folder, "net.yaml"), "w") as file:
            file.write("network: {n_ap: 2, n_ue: 2, n_ant: 2}\nrecord: {file: ''}\n")

    def tearDown(self):
        shutil.rmtree(self.folder)

    def check(self, kind, program, *arguments):
        name = os.path.join(self.folder, "odd.h5")
        shutil.copy(os.path.join(DATA, f"crashes_libhdf5_{kind}"), name)
        words = [word.replace("FILE", name) for word in arguments]
        command = [os.path.join(os.path.dirname(TUTTI), program), "--config", os.path.join(self.folder, "net.yaml"), *words]
        answer = subprocess.run(command, capture_output=True, env=ENVIRONMENT, timeout=70, text=True, errors="replace")
        if SANITIZERS and "Sanitizer" in answer.stderr:
            self.assertTrue(is_the_librarys(answer.stderr), answer.stderr)
        self.assertEqual(answer.returncode, 1, (program, answer.stderr))
        lines = answer.stderr.splitlines()
        self.assertTrue(lines[-1].startswith(f"{program}: "), answer.stderr)
        self.assertIn(name, lines[-1])
        if KNOWN_HDF5 and not SANITIZERS:
            self.assertEqual(lines, [f"{program}: {name}: damaged: the HDF5 library crashed on it (SIGSEGV)"])

    def test_a_calibration(self):
        self.check("calibration", "tutti-cpu", "--set", "calibration.file=FILE")

    def test_a_replay(self):
        self.check("replayed", "tutti-cpu", "--replay", "FILE", "--set", "radio.ap.backend=file")

    def test_a_channel_to_play(self):
        for gains in ("file", "uniform"):
            self.check("played", "tutti-air", "--set", "air.fading.model=file", "--set", "air.fading.file=FILE",
                       "--set", f"air.large_scale.model={gains}")


if __name__ == "__main__":
    SANITIZERS = sys.argv.pop(3) if len(sys.argv) > 3 else ""
    DATA = os.path.abspath(sys.argv.pop(2))
    TUTTI = os.path.abspath(sys.argv.pop(1))
    unittest.main()
