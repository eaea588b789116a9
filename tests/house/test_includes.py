#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Includes point down only: fails on an #include of a room that its file must not know.

usage: test_includes.py SOURCE_DIR
"""
import os
import re
import sys
import tempfile
import unittest

LEAVES = {"base", "linalg", "hw", "fronthaul"}
MIDDLE = LEAVES | {"phy", "mimo", "control", "channel", "rlspa", "isac", "cluster"}
# Room: the rooms it may include, besides itself.
ALLOWED = {
    "base": set(),
    "linalg": {"base"},
    "hw": {"base"},
    "fronthaul": {"base"},
    "phy": MIDDLE,
    "mimo": MIDDLE,
    "control": MIDDLE,
    "isac": LEAVES,
    "channel": MIDDLE,
    "rlspa": MIDDLE,
    "cluster": MIDDLE,
    "calib": MIDDLE,
    "hw/air": MIDDLE | {"calib"},
    "node/host": {"base"},
    "node": MIDDLE | {"node/host"},
    "ap_node": MIDDLE | {"calib", "node", "node/host"},
    "cpu_node": MIDDLE | {"calib", "node", "node/host"},
    "ue_node": MIDDLE | {"calib", "node", "node/host"},
    # Commands stand on rooms of results and of drawing; tool.h and contained.h of `tools` itself are for every command.
    "tools": MIDDLE | {"calib"},
    "tools/terminal": {"base"},
    "tools/results": MIDDLE | {"tools/terminal"},
    "tools/report": MIDDLE | {"tools", "tools/terminal", "tools/results"},
    "tools/inspect": MIDDLE | {"tools", "tools/terminal", "tools/results"},
    "tools/precode": MIDDLE | {"tools", "tools/terminal", "tools/results"},
    "tools/latency": MIDDLE | {"tools", "tools/terminal"},
    "tools/dashboard": MIDDLE | {"tools", "fronthaul"},
    "tools/doctor": MIDDLE | {"tools", "node/host"},
    "tools/power": MIDDLE | {"tools", "tools/terminal", "tools/results"},
    "tools/isac": MIDDLE | {"tools", "tools/terminal"},
    "tools/sync_check": MIDDLE | {"tools", "tools/terminal"},
    "tools/sweep": MIDDLE | {"tools", "tools/terminal", "tools/results"},
    "tools/gate": MIDDLE | {"tools"},
    "tools/study": MIDDLE | {"tools", "tools/terminal"},
    "tools/radio": MIDDLE | {"tools", "tools/terminal"},
    "tools/replay": MIDDLE | {"tools", "tools/terminal", "tools/run"},
    "tools/run": MIDDLE | {"tools", "tools/terminal", "tools/results", "tools/report", "tools/doctor", "node/host"},
}
# Tests stand above everything.
ALLOWED["tests"] = set(ALLOWED)
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.M)


def room_of(path):
    """Room of a path relative to the source directory ("common/phy/frame.c"), or None."""
    parts = path.split("/")
    if parts[0] == "common":
        return parts[1] if len(parts) > 2 else None
    if len(parts) > 2 and "/".join(parts[:2]) in ALLOWED:
        return "/".join(parts[:2])
    return parts[0] if parts[0] in ALLOWED else None


def room_included(source, including, name):
    """Room of the file that #include "name" in `including` means; None for the system's headers."""
    beside = os.path.normpath(os.path.join(os.path.dirname(including), name))
    for candidate in (beside, os.path.normpath(name), os.path.join("common", os.path.normpath(name))):
        if os.path.isfile(os.path.join(source, candidate)):
            return room_of(candidate)
    first = name.split("/")[0]
    return first if "/" in name and first in ALLOWED else None


def sources(source):
    for top in ("common", "hw", "fronthaul", "calib", "node", "ap_node", "cpu_node", "ue_node", "tools", "tests"):
        for folder, _, names in os.walk(os.path.join(source, top)):
            for name in names:
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), source)


def wrong_includes(source):
    """Complaints, and the number of includes of our own headers that were looked at."""
    wrong, n = [], 0
    for path in sorted(sources(source)):
        room = room_of(path)
        with open(os.path.join(source, path), encoding="utf-8") as file:
            text = file.read()
        for match in INCLUDE.finditer(text):
            other = room_included(source, path, match.group(1))
            if other is None:
                continue
            n += 1
            if room is None or (other != room and other not in ALLOWED[room]):
                line = text.count("\n", 0, match.start(1)) + 1
                wrong.append(f'{path}:{line}: {room} must not include "{match.group(1)}" of {other}')
    return wrong, n


class Includes(unittest.TestCase):
    source = "."

    def planted(self, files):
        with tempfile.TemporaryDirectory() as folder:
            for path, text in files.items():
                os.makedirs(os.path.join(folder, os.path.dirname(path)), exist_ok=True)
                with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
                    file.write(text)
            return wrong_includes(folder)[0]

    def test_sources(self):
        wrong, n = wrong_includes(self.source)
        self.assertEqual(wrong, [])
        self.assertGreater(n, 50, "the sources were not found")

    def test_planted_wrong_includes_are_found(self):
        frame, radio, wire = {"common/phy/frame.h": ""}, {"hw/radio.h": ""}, {"fronthaul/wire.h": ""}
        cases = [
            ({"common/base/x.c": '#include "phy/frame.h"\n', **frame}, "base must not"),
            ({"hw/x.c": '#include "fronthaul/wire.h"\n', **wire}, "hw must not"),
            ({"fronthaul/x.h": '  #  include "hw/radio.h"\n', **radio}, "fronthaul must not"),
            ({"common/linalg/x.c": '#include <phy/frame.h>\n', **frame}, "linalg must not"),
            ({"ap_node/x.c": '#include "cpu_node/y.h"\n', "cpu_node/y.h": ""}, "ap_node must not"),
            ({"common/mimo/x.c": '#include "../../tools/y.h"\n', "tools/y.h": ""}, "mimo must not"),
            ({"tools/x.c": '#include "tests/y.h"\n', "tests/y.h": ""}, "tools must not"),
            ({"hw/x.c": '#include "hw/air/y.h"\n', "hw/air/y.h": ""}, "hw must not"),
            ({"tools/results/x.c": '#include "tools/report/y.h"\n', "tools/report/y.h": ""}, "tools/results must not"),
            ({"tools/terminal/x.c": '#include "tools/tool.h"\n', "tools/tool.h": ""}, "tools/terminal must not"),
            ({"tools/cmd_x.c": '#include "tools/run/y.h"\n', "tools/run/y.h": ""}, "tools must not"),
            ({"tools/precode/x.c": '#include "tools/latency/y.h"\n', "tools/latency/y.h": ""}, "tools/precode must not"),
        ]
        for files, complaint in cases:
            wrong = self.planted(files)
            self.assertEqual(len(wrong), 1, files)
            self.assertIn(complaint, wrong[0])

    def test_right_includes_pass(self):
        self.assertEqual(self.planted({
            "common/base/error.h": "",
            "common/phy/frame.h": '#include <stdio.h>\n#include "base/error.h"\n',
            "common/phy/frame.c": '#include "phy/frame.h"\n#include "frame.h"\n',
            "hw/radio.h": '#include "base/error.h"\n',
            "common/channel/x.c": '#include "fronthaul/wire.h"\n',
            "fronthaul/wire.h": "",
            "ap_node/main.c": '#include "phy/frame.h"\n#include "hw/radio.h"\n',
            "tests/phy/test_frame.c": '#include "phy/frame.h"\n#include "ap_node/x.h"\n',
        }), [])


if __name__ == "__main__":
    Includes.source = sys.argv.pop(1)
    unittest.main()
