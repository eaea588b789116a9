#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
# A flowgraph that is the air of the network `@NAME@`: what `tutti-air` would make of its gains and noise in block 0. Written by
# `tutti flowgraph`, to start from; docs/gnuradio.md has the rules that a flowgraph must keep. Usage: air.py [links.json] -- from the run's folder.
import json
import os
import sys
import time

from gnuradio import analog, blocks, gr, zeromq

links = sys.argv[1] if len(sys.argv) > 1 else "links.json"
while not os.path.exists(links):  # tutti-air writes it when it starts
    time.sleep(0.1)
with open(links) as file:
    net = json.load(file)
top = gr.top_block("air")
size = gr.sizeof_gr_complex
# net["h"][receiving port][transmitting port]: gain with path loss and full scales in it; put your own channels here.
matrix = blocks.multiply_matrix_cc([[complex(*gain) for gain in row] for row in net["h"]])
for i, port in enumerate(net["ports"]):
    source = zeromq.req_source(size, 1, port["tx"], 100, False, -1)
    sink = zeromq.rep_sink(size, 1, port["rx"], 100, False, -1)
    noise = analog.noise_source_c(analog.GR_GAUSSIAN, net["sigma"][i] * 2 ** 0.5, i + 1)
    add = blocks.add_cc()
    for block in (source, sink):
        block.set_blkd_input_timer_value(1)  # else a block that found nothing sleeps for 250 ms
    top.connect(source, (matrix, i))
    top.connect((matrix, i), (add, 0))
    top.connect(noise, (add, 1))
    top.connect(add, sink)
top.run()
