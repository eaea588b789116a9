# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tap publishes (air.tap) against what the access point itself recorded, sample by sample at its ticks: by a plain reader that takes the
format apart by hand or, called with `gnuradio`, by GNU Radio's own block with its tags."""
import os
import signal
import struct
import subprocess
import sys

import numpy as np

from network import Network, check, finish
from outside import free_ports

BLOCK, CHUNKS, HEADER = 9600, 24, 50
SHAPE = dict(n_ap=2, n_ant=2, n_ue=2, seed=4)
SETS = ["air.truth=", "network.n_blocks=0", "record.iq.dir=iq", "record.iq.nodes=[ap0]"]


def tapped(first, radios, direction, **shape):
    """A network that goes on until it is told to stop."""
    return Network(sets=[*SETS, f"air.tap={{endpoint: 'tcp://127.0.0.1:{first}', radios: [{radios}], direction: {direction}}}"],
                   **{**SHAPE, **shape})


def stop(net):
    net.process.send_signal(signal.SIGINT)
    net.wait(60)


def parse(message):
    """Tick and samples; the format of gr-zeromq, with one tag."""
    magic, version, offset, n_tag, tag_offset = struct.unpack_from("<HBQQQ", message)
    name, kind, tick, source = struct.unpack_from(">13scQB", message, 27)
    good = (magic, version, n_tag, name, kind, source) == (0x5ff0, 1, 1, b"\x02\x00\x0atutti_tick", b"\x0b", 1) and offset == tag_offset == tick
    return tick if good else -1, np.frombuffer(message, "<c8", offset=HEADER)


def read(net, first, n_port):
    """CHUNKS messages of every port."""
    context = zmq.Context()
    sockets = []
    for i in range(n_port):
        sockets.append(context.socket(zmq.SUB))
        sockets[-1].setsockopt(zmq.RECONNECT_IVL, 5)
        sockets[-1].setsockopt(zmq.RCVTIMEO, 60000)
        sockets[-1].subscribe(b"")
        sockets[-1].connect(f"tcp://127.0.0.1:{first + i}")
    net.start()
    got = [[parse(s.recv()) for _ in range(CHUNKS)] for s in sockets]
    stop(net)
    context.destroy(linger=0)
    return got


def recorded(net, antenna):
    """By tick, from the first on; lock-step, so without a gap."""
    stem = os.path.join(net.out, "iq", f"ap0_ant{antenna}.sigmf-")
    text = open(stem + "meta").read()
    check(text.count("core:global_index") == 1, "the recording is one piece")
    return np.fromfile(stem + "data", "<c8")


def same(pieces, wanted, what):
    """Tick and samples against the recording, as far as that goes: its last block may be missing."""
    judged = [(t, x) for t, x in pieces if t + len(x) <= len(wanted)]
    check(len(judged) > 0 and all(t >= 0 and np.array_equal(x, wanted[t:t + len(x)]) for t, x in judged),
          f"{what}: {len(judged)} pieces as recorded at their ticks")


def test_received():
    first = free_ports(8)
    with tapped(first, "ap0, ue1", "rx") as net:
        got = read(net, first, 3)
        for antenna in range(2):
            same(got[antenna], recorded(net, antenna), f"ap0 antenna {antenna}")
        # A user does not look at uplink symbols, so nobody would compute them: what is never computed has old samples in it.
        x = np.concatenate([samples for _, samples in got[2]])
        check(all(t >= 0 for t, _ in got[2]) and np.count_nonzero(x) == len(x) and len(np.unique(x)) > 0.999 * len(x),
              f"ue1: {len(x)} samples, noise in all of them")


def test_transmitted():
    first = free_ports(8)
    with tapped(first, "ue0", "tx", n_ap=1, n_ant=1, n_ue=1, snr_db=40) as net:
        got = read(net, first, 1)[0]
        heard = recorded(net, 0)
        worst = np.inf
        for tick, x in [(t, x) for t, x in got if np.any(x) and t + len(x) <= len(heard)]:
            on = np.flatnonzero(x)
            y = heard[tick:tick + len(x)][on]
            g = np.vdot(x[on], y) / np.vdot(x[on], x[on])
            worst = min(worst, 10 * np.log10(np.mean(np.abs(g * x[on]) ** 2) / np.mean(np.abs(y - g * x[on]) ** 2)))
        check(10 < worst < 1e3, f"ue0 transmits what ap0 hears: {worst:.1f} dB above what is left")


def test_gnuradio():
    if subprocess.run(["/usr/bin/python3", "-c", "from gnuradio import zeromq"], capture_output=True).returncode:
        print("SKIPPED: test_tap.py: a tap read by GNU Radio: not installed (Debian: gnuradio)")
        sys.exit(77)
    import pmt
    from gnuradio import blocks, gr, zeromq
    first = free_ports(8)
    with tapped(first, "ap0", "rx") as net:
        graph = gr.top_block()
        source = zeromq.sub_source(8, 1, f"tcp://127.0.0.1:{first + 1}", 100, True, -1, "")
        head, sink = blocks.head(8, CHUNKS * BLOCK // 3), blocks.vector_sink_c()
        graph.connect(source, head, sink)
        graph.start()
        net.start()
        graph.wait()
        stop(net)
        x, wanted = np.array(sink.data(), "<c8"), recorded(net, 1)
        tags = [(tag.offset, pmt.to_uint64(tag.value)) for tag in sink.tags() if str(tag.key) == "tutti_tick"]
        ends = [offset for offset, _ in tags[1:]] + [len(x)]
        check(len(tags) > 0 and tags[0][0] == 0, f"GNU Radio: {len(tags)} tags tutti_tick on {len(x)} samples")
        same([(tick, x[offset:end]) for (offset, tick), end in zip(tags, ends)], wanted, "GNU Radio, ap0 antenna 1")


if sys.argv[1:] == ["gnuradio"]:
    test_gnuradio()
else:
    try:
        import zmq
    except ImportError:
        print("SKIPPED: test_tap.py: a tap read in Python: not installed (Debian: python3-zmq)")
        sys.exit(77)
    test_received()
    test_transmitted()
finish()
