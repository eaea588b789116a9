# SPDX-License-Identifier: GPL-3.0-or-later
"""The live page of a running network: events come, /metrics says what the recording says, a killed access point turns up as gone, a network
that ended is told from one that runs."""
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request

from network import BIN, LIGHT, Network, check, finish


class Dashboard:
    def __init__(self, config):
        self.process = subprocess.Popen([os.path.join(BIN, "tutti"), "dashboard", "--config", config, "--listen", "127.0.0.1:0"],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.url = re.search(r"http://\S+", self.process.stdout.readline()).group()

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return answer.read().decode()

    def state(self):
        return json.loads(self.get("state"))

    def wait(self, what, condition, seconds=120):
        end = time.time() + seconds
        while time.time() < end:
            state = self.state()
            if condition(state):
                return state
            time.sleep(0.1)
        check(False, f"waited for {what} in vain: {json.dumps(state)[:400]}")
        return state

    def metrics(self):
        text = self.get("metrics")
        values = dict(re.findall(r"^(tutti_\S+?(?:\{.*\})?) (\S+)$", text, re.M))
        if shutil.which("promtool"):
            lint = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
            check(lint.returncode == 0, f"promtool: {lint.stdout}{lint.stderr}")
        names = set(re.findall(r"^# TYPE (\S+)", text, re.M))
        check(all(re.sub(r"_(bucket|sum|count)$", "", k.split("{")[0]) in names or k.split("{")[0] in names for k in values), "every sample has its type")
        return {k: float(v) for k, v in values.items()}

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        check(self.process.wait(60) == 0, "the dashboard ends when asked to")


def heard_all(n_ap, n_ue):
    return lambda s: all(a and a["up"] for a in s["ap"]) and all(u and u["code_blocks"] > 20 for u in s["user"]) and len(s["ap"]) == n_ap and len(s["user"]) == n_ue


def read_events(url, n):
    events = []
    with urllib.request.urlopen(url + "events", timeout=60) as stream:
        while len(events) < n:
            line = stream.readline().decode()
            if line.startswith("data: "):
                events.append(json.loads(line[6:]))
    return events


def test_live():
    with Network(n_blocks=0, sets=LIGHT, args=["--keep-going"]) as net:
        net.start()
        net.wait_for_block(5)
        board = Dashboard(os.path.join(net.out, "config.yaml"))
        state = board.wait("everybody", heard_all(4, 4))
        check(state["name"] == "test" and state["scheme"] == "zf" and state["up"], "the network is named")
        events = read_events(board.url, 5)
        check(events[0]["type"] == "network" and all(e["type"] == "status" for e in events[1:]), "first everything, then every status")
        blocks = [e["block"] for e in events[1:]]
        check(blocks == sorted(blocks) and blocks[-1] > blocks[0], f"blocks go on: {blocks}")
        points = [e["constellation"] for e in events[1:] if "constellation" in e]
        check(points and all(-127 <= p <= 127 for c in points for p in c["points"]), "constellations come along")
        page, script = board.get(""), board.get("page.js")
        check("<title>Tutti</title>" in page and "/page.js" in page and "EventSource" in script, "the page and its script are there")
        net.kill_node("tutti-ap", 2)
        state = board.wait("AP 2 to be gone", lambda s: not s["ap"][2]["up"])
        check([a["up"] for a in state["ap"]] == [True, True, False, True], "AP 2 is gone, the others are there")
        check(board.metrics()['tutti_ap_up{ap="2"}'] == 0, "and so in the metrics")
        net.wait_for_block(net.blocks_done() + 30)
        net.process.terminate()
        net.wait(60)
        state = board.wait("the end", lambda s: not s["up"])
        metrics = board.metrics()
        with net.file("run.h5") as f:
            kinds, hops = f["applied/kind"][()], f["hops/solve_end_ns"][()]
            n_code, n_wrong = f["user/code_blocks"][()].clip(0).sum(axis=0), f["user/code_block_errors"][()].clip(0).sum(axis=0)
        check(metrics["tutti_central_node_up"] == 0 and metrics['tutti_ap_up{ap="0"}'] in (0, 1), "the central node is gone")
        # The last status is up to a quarter second older than the recording, in which the network goes on.
        told = sum(v for k, v in metrics.items() if k.startswith("tutti_blocks_total"))
        check(0.5 * len(hops) < told <= (hops > 0).sum(), f"{told:.0f} blocks told of {(hops > 0).sum()} recorded")
        for m in range(4):
            fresh = metrics[f'tutti_precoders_applied_total{{ap="{m}",kind="fresh"}}']
            check(0.4 * (kinds[:, m] == 1).sum() < fresh <= (kinds[:, m] == 1).sum(), f"AP {m}: {fresh:.0f} fresh told of {(kinds[:, m] == 1).sum()}")
            wrong, right = (metrics[f'tutti_user_code_blocks_total{{user="{m}",result="{r}"}}'] for r in ("wrong", "right"))
            check(0 < right + wrong <= n_code[m] and wrong <= n_wrong[m], f"user {m}: {right + wrong:.0f} code blocks told of {n_code[m]}")
        count = metrics['tutti_hop_latency_seconds_count{hop="solve"}']
        check(count == told and metrics['tutti_hop_latency_seconds_bucket{hop="solve",le="+Inf"}'] == count, "a solve in the histogram for every block")
        edges = [k for k in metrics if k.startswith('tutti_hop_latency_seconds_bucket{hop="solve"')]
        check(len(edges) == 11 and 'tutti_hop_latency_seconds_bucket{hop="solve",le="5e-05"}' in edges, f"its buckets have their edges: {edges[:2]}")
        board.stop()


def test_words():
    answer = subprocess.run([os.path.join(BIN, "tutti"), "dashboard", "--metrics"], capture_output=True, text=True)
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "../../docs/metrics.md")) as f:
        check(f.read() == answer.stdout, "docs/metrics.md is what tutti dashboard --metrics prints")
    for wrong in (["--listen", "0.0.0.0:8080"], ["--listen", "8080"]):
        answer = subprocess.run([os.path.join(BIN, "tutti"), "dashboard", "--config", os.path.join(here, "../../examples/demo.yaml"), *wrong],
                                capture_output=True, text=True, timeout=30)
        check(answer.returncode == 1 and "127.0.0.1" in answer.stderr, f"{wrong}: {answer.stderr.strip()}")


test_live()
test_words()
finish()
