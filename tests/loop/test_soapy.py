# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of examples/usrp.yaml through the real SoapySDR and Debian's module for USRPs, on emulated USRPs: the same estimates and
SINR as on the emulated air, every downlink sent at its time, nothing allocated on the slot paths; then bursts late and cut, samples lost,
and a device that is gone and comes back.
argv: the network file, the emulator's program."""
import glob
import os
import signal
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "usrp"))
from emulator import skip
from network import BIN, check, db, finish
from test_hot import judge, watched
from test_usrp import AIR, STILL, emulator, network, usrps
from test_ap import ask

N_BLOCKS = 40
KEYS = ("H_hat", "user/sinr_measured", "applied/kind", "radio/events", "user/code_block_errors")
MODULES = "/usr/lib/*/SoapySDR/modules0.8/libuhdSupport.so"


def soapy(text):
    return text.replace("backend: uhd", "backend: soapy").replace('"addr=', '"driver=uhd,recv_frame_size=1936,addr=')


def only_module(folder):
    """No other module is loaded: they look for devices of their own."""
    os.symlink(glob.glob(MODULES)[0], os.path.join(folder, "module.so"))
    os.environ.update(SOAPY_SDR_ROOT=os.path.join(folder, "nowhere"), SOAPY_SDR_PLUGIN_PATH=folder)


def settled(net):
    """The last N_BLOCKS blocks of which all is known, when everybody is in service and has been for a while: noise and gains are learnt."""
    last = {}

    def look():
        if net.blocks_done() > 3 * N_BLOCKS + 8:
            with net.file("run.h5") as f:
                n = min(f[k].shape[0] for k in KEYS) - 8  # rows of reports and accounts come later than those of blocks
                if n >= 3 * N_BLOCKS:
                    last.update({k: f[k][n - 3 * N_BLOCKS:n] for k in KEYS})
        return last and np.all(last["applied/kind"] == 1) and np.all(last["user/sinr_measured"] > 0)
    net.wait_until(look, "everybody in service for a while")
    return {k: v[-N_BLOCKS:] for k, v in last.items()}


def compare(radio, air):
    for k in range(2):
        a, b = (db(np.mean(r["user/sinr_measured"][:, k])) for r in (radio, air))
        check(abs(a - b) < 0.3, f"user {k}: SINR {a:.2f} dB through SoapySDR, {b:.2f} dB on the emulated air")
    mean = {name: np.mean(r["H_hat"], axis=0) for name, r in (("radio", radio), ("air", air))}
    # N_BLOCKS blocks of 12 subcarriers average the noise of 30 dB SNR to far below 1 %
    error = np.linalg.norm(mean["radio"] - mean["air"]) / np.linalg.norm(mean["air"])
    check(error < 0.02, f"mean estimates differ by {100 * error:.2f} %")
    events = (radio["radio/events"][-1] - radio["radio/events"][0]).tolist()
    check(not np.any(events), f"all {radio['applied/kind'].size} downlinks were fresh and sent; U O D S L of the access points: {events}")
    check(not np.any(radio["user/code_block_errors"]), "every code block is right")


def events(net, ap=0):
    with net.file("run.h5") as f:
        return f["radio/events"][-1, ap].astype(int)


def is_served(net, n=8):
    """The last n accounts of access point 0 that are surely there."""
    with net.file("run.h5") as f:
        kind = f["applied/kind"][-n - 4:-4, 0]
    return len(kind) == n and np.all(kind == 1)


def try_fault(net, address, text, letter, kind):
    """A fault counts under its letter and, if it harms bursts, makes a block of this kind; then everything is as before."""
    net.wait_until(lambda: is_served(net), "all is well")
    before, first = events(net), net.blocks_done() - 4
    check(ask(address, "FAULT " + text) == "OK", f"FAULT {text}")
    i = "UODSL".index(letter)
    net.wait_until(lambda: events(net)[i] > before[i], f"{text} counts as {letter}")

    def seen():
        with net.file("run.h5") as f:
            return kind is None or np.any(f["applied/kind"][first:, 0] == kind)
    net.wait_until(seen, f"{text}: a block of kind {kind}")
    net.wait_until(lambda: is_served(net), f"{text}: back in service")
    check(True, f"{text}: {letter} {events(net)[i] - before[i]}, back in service")


def test_gone_and_back(net, address):
    others = {(p, i): net.pid_of(p, i) for p, i in (("tutti-ap", 1), ("tutti-ue", 0), ("tutti-ue", 1))}
    ask(address, "FAULT vanish")
    net.wait_until(lambda: net.pid_of("tutti-ap", 0) is None, "the access point whose radio is gone ends")
    said = [l for l in net.log("ap0.log").splitlines() if "does not answer any more" in l]
    check(len(said) == 1, f"a device vanishes: {said}")
    ask(address, "FAULT return")
    again = net.start_node("tutti-ap", "--id", "0")
    net.wait_for_log("cpu.log", "AP-UP ap=0", 2)
    net.wait_until(lambda: is_served(net), "access point 0 is back")
    check(all(net.pid_of(p, i) == pid for (p, i), pid in others.items()), "it is back, the others are the same processes")
    return again


def test_network(file, program):
    with emulator(program, file) as devices:
        with network(file, soapy(usrps(devices.devices, file, 0)), STILL + ["engine.gather_deadline_us=100000"]) as net:
            hot = watched(net)
            net.command += ["--keep-going"]
            net.start()
            radio = settled(net)
            address = devices.devices[0]
            for fault in (("late 2", "L", 5), ("underrun 2", "U", 6), ("overrun", "O", None)):
                try_fault(net, address, *fault)
            again = test_gone_and_back(net, address)
            net.process.send_signal(signal.SIGINT)
            net.wait()
            again.terminate()
            check(again.wait(60) == 0, "the access point started by hand ends cleanly")
            ends = [l for l in net.log("ap1.log").splitlines() if "SOAPY restarts" in l]
            check(len(ends) == 1 and " untold=0 " in ends[0], f"every burst of access point 1 was acknowledged: {ends}")
            judge(hot, "SoapySDR", 5)  # not the access point that was left without its radio
    with network(file, usrps([], file, 4 * N_BLOCKS), STILL + AIR) as net:
        net.run()
        with net.file("run.h5") as f:
            compare(radio, {k: f[k][-N_BLOCKS - 4:-4] for k in KEYS})


def main():
    if not glob.glob(MODULES):
        skip("SoapySDR has no module for USRPs: apt-get install soapysdr0.8-module-uhd")
    if not os.access(sys.argv[2], os.X_OK):
        skip("no emulated USRPs in this build: install libmsgpack-dev")
    with tempfile.TemporaryDirectory(prefix="tutti-soapy-") as folder:
        written = os.path.join(folder, "net.yaml")
        open(written, "w").write(soapy(open(sys.argv[1]).read()))
        if subprocess.run([os.path.join(BIN, "tutti"), "config", "check", written], capture_output=True).returncode:
            skip("this build has no SoapySDR: install libsoapysdr-dev, then configure and build again")
        only_module(folder)
        test_network(*sys.argv[1:3])


main()
finish()
