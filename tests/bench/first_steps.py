# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of somebody new, timed: from a clone to a report, to the live page, to GNU Radio as the air, to a precoder of one's own; wall clock and
processor seconds of every step (the latter hardly depend on what else the machine does). Prints the table of docs/tutorial.md.
  /usr/bin/python3 tests/bench/first_steps.py REPOSITORY [BIN_DIR]     with BIN_DIR its programs are used and nothing is built"""
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request

OUTSIDE = """network: {name: outside, n_ap: 2, n_ant: 2, n_ue: 2, n_blocks: 100}
air: {medium: zmq, zmq: {tx: "tcp://127.0.0.1:2000", rx: "tcp://127.0.0.1:3000"}, fading: {model: none}}
"""
MINE = """network: {name: mine, seed: 3, n_ap: 6, n_ant: 2, n_ue: 4, n_blocks: 60}
air: {truth: truth.h5, large_scale: {model: geometry, area_m: 200}, fading: {model: rician, rician_k_db: 3}}
"""


class Way:
    def __init__(self, folder, bin_dir):
        self.folder, self.rows, self.begun, self.used = folder, [], time.monotonic(), 0.0
        self.bin = bin_dir or os.path.join(folder, "build/release/bin")
        self.env = {**os.environ, "PATH": self.bin + ":/usr/bin:/bin:/usr/sbin:/sbin"}

    def run(self, command):
        subprocess.run(command, shell=True, check=True, cwd=self.folder, env=self.env, stdout=subprocess.DEVNULL)

    def start(self, command, out=subprocess.DEVNULL):
        return subprocess.Popen("exec " + command, shell=True, cwd=self.folder, env=self.env, stdout=out, stderr=subprocess.STDOUT, text=True)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as f:
            f.write(text)

    def step(self, what):
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        now, used = time.monotonic(), children.ru_utime + children.ru_stime
        print(f"| {what} | {now - self.begun:.1f} | {used - self.used:.1f} |", flush=True)
        self.begun, self.used = now, used


def everybody_is_seen(url):
    with urllib.request.urlopen(url + "state") as answer:
        users = json.load(answer)["user"]
    return len(users) == 4 and all(u and u.get("sinr_db") for u in users)


def live_page(way):
    run = way.start("tutti run examples/demo.yaml --set network.n_blocks=0 --dashboard --listen 127.0.0.1:0 --out out/live", subprocess.PIPE)
    url = None
    while not url:
        line = run.stdout.readline()
        if not line:
            sys.exit("no page")
        url = re.search(r"http://\S+", line)
    while not everybody_is_seen(url.group()):
        time.sleep(0.02)
    run.terminate()
    run.communicate()


def gnuradio(way):
    way.write("net.yaml", OUTSIDE)
    way.run("tutti flowgraph net.yaml > air.py")
    run = way.start("tutti run net.yaml --out out/gnuradio --quiet")
    links = os.path.join(way.folder, "out/gnuradio/links.json")
    while not (os.path.exists(links) and open(links).read().rstrip().endswith("}")):
        time.sleep(0.02)
    air = way.start("/usr/bin/python3 air.py out/gnuradio/links.json")
    if run.wait():
        sys.exit("the run through GNU Radio failed")
    air.kill()
    air.wait()


def precoder(way):
    way.write("mine.yaml", MINE)
    for command in ("tutti run mine.yaml --out out/mine --quiet", "tutti precode --channel out/mine/run.h5 --scheme zf --out zf.h5",
                    "tutti precode --channel out/mine/run.h5 --scheme ob --out ob.h5", "python3 examples/own_precoder.py out/mine zf.h5 ob.h5"):
        way.run(command)


def main():
    with tempfile.TemporaryDirectory() as folder:
        way = Way(os.path.join(folder, "tutti"), sys.argv[2] if len(sys.argv) > 2 else None)
        print("| step | s | processor s |\n|---|---|---|")
        subprocess.run(["git", "clone", "-q", sys.argv[1], way.folder], check=True)
        way.step("clone")
        if len(sys.argv) == 2:
            way.run("./demo.sh")
            way.step("`./demo.sh`: build, network, report")
        else:
            way.run("tutti run examples/demo.yaml --set uplink.mode=central --check --out out/demo")
            way.step("network of 400 blocks, report")
        for what, act in (("live page, all users on it", live_page), ("GNU Radio as the air, 100 blocks", gnuradio),
                          ("own network, own precoder in Python beside zf and ob", precoder)):
            act(way)
            way.step(what)


main()
