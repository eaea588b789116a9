#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`tutti study`: whoever computes a drop, the result is the same; checks fail when they should; every assumed parameter is told.

usage: test_study.py BIN_DIR SANITIZERS; under them every study computes one small drop and its checks are not held against it
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest

BIN, SANITIZED = "", False
# Sanitized, a drop of a few access points goes through the same code as one of a hundred.
SMALL = {"isac": ("n_ap=4",), "isac-exhaustive": ("n_ap=4", "sca=0"), "isac-fig2": ("n_ap=4", "n_ue=2"), "spzf": ("channels=5",),
         "ob-fig1": ("lsf_realisations=2", "n_ap=60"), "ob-fig2": ("lsf_realisations=2", "n_ap=60"), "cluster": ("n_ap=20", "n_ue=12"),
         "ppzf-closed-form": ("draws=50",), "rlspa-lambda": ("n_ue=32", "n_served=8")}


def drops():
    """Of the study that is computed by one, by two, by three, and again."""
    return 5 if SANITIZED else 13


def study(*arguments):
    return subprocess.run([os.path.join(BIN, "tutti"), "study", *arguments], capture_output=True, text=True, check=False)


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


class Study(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def compute_all(self):
        """What was printed on the way."""
        if not SANITIZED:
            return self.succeeds("all", "--quick", "--check", "--out", self.path("all"))
        text = ""
        for name in [line.split()[0] for line in study("list").stdout.splitlines()]:
            sets = SMALL.get(name, SMALL.get(name.split("-")[0], ()))
            text += self.succeeds(name, "--quick", "--drops", "1", "--out", self.path("all"), *(w for s in sets for w in ("--set", s)))
        return text

    def succeeds(self, *arguments):
        answer = study(*arguments)
        self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
        return answer.stdout

    def compute(self, name, *more):
        answer = study("ppzf-precoders", "--drops", str(drops()), "--quick", "--out", self.path(name), *more)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        return read(self.path(name), "ppzf-precoders.csv")

    def test_result_does_not_depend_on_who_computes(self):
        one = self.compute("one", "--jobs", "1")
        self.assertGreater(len(one.splitlines()), 100)
        self.assertEqual(one, self.compute("two", "--jobs", "2"))
        for shard in range(3):
            self.compute(f"shard{shard}", "--shard", f"{shard}/3")
        answer = study("merge", "ppzf-precoders", *[self.path(f"shard{i}") for i in range(3)], "--drops", str(drops()), "--quick", "--out",
                       self.path("merged"))
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertEqual(one, read(self.path("merged"), "ppzf-precoders.csv"))
        self.assertNotEqual(one, self.compute("other", "--seed", "2"))

    def test_an_interrupted_study_goes_on(self):
        one = self.compute("one")
        rows = read(self.path("one"), "ppzf-precoders.quick.rows")
        with open(os.path.join(self.path("one"), "ppzf-precoders.quick.rows"), "w", encoding="utf-8") as file:
            file.write(rows[:len(rows) // 2])  # in the middle of a line, as after kill -9
        self.assertEqual(one, self.compute("one"))
        again = [line for line in read(self.path("one"), "ppzf-precoders.quick.rows").splitlines() if re.match(r"\d+ ", line)]
        self.assertLess(len(again), drops() + 3)  # the rows that were there were not computed again

    def test_killed_and_begun_again(self):
        """kill -9 with some drops done and others begun, by two threads: the same command ends with the same table."""
        whole, cut = self.path("whole"), self.path("cut")
        words = ["ppzf-precoders", "--drops", "600" if SANITIZED else "2000", "--quick", "--jobs", "2", "--out"]
        run = subprocess.Popen([os.path.join(BIN, "tutti"), "study", *words, cut], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        rows = os.path.join(cut, "ppzf-precoders.quick.rows")
        while run.poll() is None and not (os.path.exists(rows) and read(rows).count("\n") > 20):
            time.sleep(0.002)
        run.kill()
        run.wait()
        self.assertFalse(os.path.exists(os.path.join(cut, "ppzf-precoders.csv")), "killed too late for this test")
        self.succeeds(*words, cut)
        self.succeeds(*words, whole)
        self.assertEqual(read(cut, "ppzf-precoders.csv"), read(whole, "ppzf-precoders.csv"))

    def test_rows_of_another_seed_are_refused(self):
        self.compute("new/one")
        answer = study("ppzf-precoders", "--drops", str(drops()), "--quick", "--seed", "5", "--out", self.path("new/one"))
        self.assertEqual(answer.returncode, 1)
        self.assertIn("ppzf-precoders.quick.rows", answer.stderr)
        self.assertEqual(len(answer.stderr.strip().splitlines()), 1)

    def documented(self):
        """The names of docs/studies.md in its order, `-fig2` behind `ob-fig1` for ob-fig2, `spzf-fig5` to `-fig10` for six of them."""
        table = read(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "studies.md")
        names = []
        for row in re.findall(r"^\| (`.*?) \|", table, re.M):
            for between, name in re.findall(r"(to )?`([a-z0-9-]+)`", row):
                name = names[-1].split("-")[0] + name if name.startswith("-") else name
                if between:
                    stem, last = re.match(r"(.*?)(\d+)$", name).groups()
                    names += [f"{stem}{i}" for i in range(int(re.search(r"\d+$", names[-1]).group()) + 1, int(last))]
                names.append(name)
        self.assertEqual(len(set(names)), 36)
        return names

    def test_every_study_holds_its_checks_in_quick_mode(self):
        printed = self.compute_all()
        names = [line.split()[0] for line in study("list").stdout.splitlines()]
        self.assertEqual(sorted(names), sorted(self.documented()))
        for name in names:
            result = json.loads(read(self.path("all"), name + ".json"))
            drawing = read(self.path("all"), name + ".svg")
            self.assertGreater(len(result["checks"]), 0)
            shown = "" if SANITIZED and "-fig" in name else study("show", name).stdout
            for parameter in result["scenario"]:
                self.assertIn(parameter["provenance"], "TIA")
                if shown:
                    self.assertIn(parameter["key"] + ":", shown)
                if parameter["provenance"] != "T":
                    self.assertIn(parameter["key"] + "=", drawing)
            for caveat in result["caveats"]:
                self.assertIn(caveat, printed)
            self.assertIn(name, read(self.path("all"), "index.html"))

    def test_a_failed_check_fails(self):
        """A pilot power of nothing leaves no secrecy to gain: the order of the precoders falls."""
        arguments = ["ppzf-precoders", "--quick", "--drops", "6", "--set", "pilot_dbm=-200", "--out", self.path("weak")]
        self.assertEqual(study(*arguments).returncode, 0)
        self.assertEqual(study(*arguments, "--check").returncode, 1)

    def test_wrong_usage(self):
        for arguments in (["nonesuch"], ["ppzf-an", "--drops", "0"], ["ppzf-an", "--shard", "3/3"], [], ["show", "nonesuch"]):
            answer = study(*arguments)
            self.assertEqual(answer.returncode, 2, arguments)
            self.assertEqual(len(answer.stderr.strip().splitlines()), 1, answer.stderr)
        answer = study("ppzf-an", "--set", "area=3", "--out", self.path("set"))
        self.assertEqual(answer.returncode, 1)
        self.assertIn("area_m", answer.stderr)
        answer = study("isac-fig4", "--quick", "--set", "n_ue=2", "--out", self.path("set"))  # fewer than it has room for
        self.assertEqual(answer.returncode, 1)
        self.assertIn("leave n_ue", answer.stderr)


if __name__ == "__main__":
    BIN, SANITIZED = sys.argv.pop(1), sys.argv.pop(1) != ""
    unittest.main()
