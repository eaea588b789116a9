# SPDX-License-Identifier: GPL-3.0-or-later
"""The outside medium with GNU Radio itself: the flowgraph that `tutti flowgraph` prints, as it is; once more with it killed in between."""
import os
import subprocess
import sys

from network import BIN, finish
from outside import Flowgraph, judge, on_own_medium, outside_network, real_time

if subprocess.run(["/usr/bin/python3", "-c", "from gnuradio import zeromq"], capture_output=True).returncode:
    print("SKIPPED: test_gnuradio.py: GNU Radio as the air: not installed (Debian: gnuradio)")
    sys.exit(77)


def run(what, sinr_db, act=None):
    with outside_network() as net:
        graph = os.path.join(net.dir, "air.py")
        with open(graph, "w") as f:
            f.write(subprocess.run([os.path.join(BIN, "tutti"), "flowgraph", net.config, "--set", "air.medium=zmq", "--set", "air.truth="],
                                   check=True, capture_output=True, text=True).stdout)
        net.start()
        with Flowgraph(["/usr/bin/python3", graph, os.path.join(net.out, "links.json")]) as process:  # it waits for the file
            if act:
                act(net, process)
            if net.wait(250):
                net.fail(f"{what}: exit status {net.process.returncode}")
        judge(net, what, sinr_db)
        print("     ", real_time(net))


def kill(net, process):
    net.wait_for_block(20)
    process.kill()
    process.start()


own_db = on_own_medium()
run("GNU Radio", own_db)
run("GNU Radio, killed and started again", own_db, kill)
finish()
