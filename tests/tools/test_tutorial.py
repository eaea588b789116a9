# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/tutorial.md: every command in it, as it stands, in a fresh folder; each must end well, and leave what the text says it leaves."""
import os
import re
import subprocess
import sys
import tempfile
import time

BIN, SOURCE = (os.path.abspath(w) for w in sys.argv[1:3])
LEAVES = ["out/demo/report.html", "out/demo/run.h5", "out/mine/truth.h5", "out/eve/report.html", "zf.h5", "ob.h5", "study/rlspa-bound.csv",
          "study/rlspa-bound.svg", "study/index.html", "out/sweep/sweep.csv", "out/played/run.h5"]
SAYS = ["measured dB", "H_hat", "median SINR", "mine.yaml: ok", "worst user", "secrecy", "rlspa-bound", "precoding.scheme,blocks,solved,sinr_measured_db", "left_over_db=-"]


def main():
    with open(os.path.join(SOURCE, "docs/tutorial.md")) as f:
        blocks = re.findall(r"^```sh\n(.*?)^```$", f.read(), re.M | re.S)
    wrong, said = [], ""
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(os.path.join(SOURCE, "examples"), os.path.join(folder, "examples"))
        env = {**os.environ, "PATH": f"{BIN}:/usr/bin:/bin"}
        for block in blocks:
            start = time.monotonic()
            answer = subprocess.run(["sh", "-eu", "-c", block], cwd=folder, env=env, capture_output=True, text=True, timeout=600)
            said += answer.stdout
            print(f"--- {time.monotonic() - start:.1f} s\n{block}{answer.stdout[-3000:]}{answer.stderr}")
            wrong += [f"exit status {answer.returncode}: {block}"] if answer.returncode else []
        wrong += [f"{name} is not there" for name in LEAVES if not os.path.exists(os.path.join(folder, name))]
    wrong += [f"nothing says '{word}'" for word in SAYS if word not in said]
    if len(blocks) < 6:
        wrong.append("the commands were not found")
    # The optimum serves the worst user better than zero-forcing, and that better than the plain example.
    worst = {name: float(x) for name, x in re.findall(r"^(own|zf|ob) +worst user +(-?[\d.]+) dB", said, re.M)}
    if len(worst) != 3 or not worst["own"] < worst["zf"] + 0.01 or not worst["zf"] < worst["ob"] + 0.5:
        wrong.append(f"own precoder: {worst}")
    for line in wrong:
        print("WRONG", line)
    sys.exit(1 if wrong else 0)


main()
