# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts emulated USRPs for tests, at loopback addresses that no other test uses, and calls UHD's programs on them."""
import os
import shutil
import subprocess
import sys

EXAMPLES = ("/usr/libexec/uhd/examples", "/usr/lib/uhd/examples", "/usr/lib/x86_64-linux-gnu/uhd/examples")


def skip(why):
    print(f"SKIPPED: {why}")
    sys.exit(77)


def tool(name):
    """Path of one of UHD's programs, or a named skip."""
    for folder in EXAMPLES:
        if os.access(f"{folder}/{name}", os.X_OK):
            return f"{folder}/{name}"
    path = shutil.which(name)
    return path or skip(f"{name} is not there: install uhd-host")


class Emulator:
    def __init__(self, program, *options, devices=1):
        pid = os.getpid()
        self.first = f"127.{1 + pid // 200 % 200}.{1 + pid % 200}.1"
        self.command = [program, "--address", self.first, *map(str, options)]
        if devices:
            self.command += ["--devices", str(devices)]
        self.devices = []

    def __enter__(self, stderr=None):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        ready = self.process.stdout.readline().split()
        if ready[:1] != ["READY"]:
            sys.exit(f"{self.command}: no READY, exit status {self.process.wait(10)}")
        for _ in range(int(ready[1].split("=")[1])):
            self.devices.append(dict(p.split("=") for p in self.process.stdout.readline().split() if "=" in p)["addr"])
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.status = self.process.wait(10)

    def args(self, device, rate_hz, *more):
        return ",".join([f"addr={self.devices[device]}", f"master_clock_rate={rate_hz:.0f}", *more])


def start(name, *arguments):
    environment = dict(os.environ, UHD_LOG_CONSOLE_LEVEL="error")
    return subprocess.Popen([tool(name), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env=environment)


def finish(process, seconds=60):
    """Exit status and what the program said."""
    try:
        text, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        text, _ = process.communicate()
        return -1, text + "\n(killed: it took too long)"
    return process.returncode, text
