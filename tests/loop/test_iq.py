# SPDX-License-Identifier: GPL-3.0-or-later
"""What the antennas received, as SigMF (docs/recordings.md): metadata field by field against the table of SigMF 1.2.5, the samples against
the run's own estimates, pilots and guards alone, an access point that is killed and comes back."""
import glob
import hashlib
import json
import os
import re
import subprocess

import numpy as np
from network import BIN, SHORT, THREADS, Network, check, fewer, finish, skip

SYMBOL, BLOCK = 137, 9600
LETTERS = "BG" + "P" * 4 + "U" * 24 + "G" + "D" * 38 + "G"
SETS = ["pilots.large_scale=known"]
SIZES = dict(n_ap=2, n_ant=2, n_ue=2, n_blocks=40, snr_db=20)


def network(iq, **more):
    return Network(sets=SETS + [f"record.iq={{dir: iq, {iq}}}", *more.pop("sets", [])], **{**SIZES, **more})


def path(net, name):
    return os.path.join(net.out, "iq", name)


def sha512(name):
    return hashlib.sha512(open(name, "rb").read()).hexdigest()


def meta_of(net, stem):
    return json.load(open(path(net, stem + ".sigmf-meta")))


def samples_of(net, stem):
    return np.fromfile(path(net, stem + ".sigmf-data"), "<c8")


def placed(net, stem, n):
    """The samples at their ticks, NaN where there are none."""
    data, out = samples_of(net, stem), np.full(n, np.nan, complex)
    starts = meta_of(net, stem)["captures"]
    for here, after in zip(starts, starts[1:] + [{"core:sample_start": len(data)}]):
        run = data[here["core:sample_start"]:after["core:sample_start"]]
        out[here["core:global_index"]:here["core:global_index"] + len(run)] = run
    return out


GLOBAL = {"core:datatype": "cf32_le", "core:version": "1.2.5", "core:sample_rate": 1920000, "core:num_channels": 1, "core:collection": "test",
          "core:recorder": re.compile(r"tutti \d+\.\d+\.\d+"), "core:hw": re.compile("air .*"), "core:description": re.compile(".+"),
          "core:sha512": re.compile("[0-9a-f]{128}"), "core:extensions": [{"name": "tutti", "version": "1.0.0", "optional": True}],
          "tutti:session": int, "tutti:epoch": 0, "tutti:samples_per_block": BLOCK, "tutti:samples_per_symbol": SYMBOL,
          "tutti:schedule": "B G P4 U24 G D38 G", "tutti:symbols": "all"}


def agrees(value, wanted):
    if isinstance(wanted, re.Pattern):
        return isinstance(value, str) and wanted.fullmatch(value) is not None
    return isinstance(value, wanted) if isinstance(wanted, type) else value == wanted


def examine_meta(net, stem, role, node, antenna, first, n):
    m = meta_of(net, stem)
    g = m["global"]
    wanted = {**GLOBAL, "tutti:role": role, "tutti:node": node, "tutti:antenna": antenna, "tutti:n_samples": n * BLOCK,
              "tutti:full_scale_dbm": -40 if role == "ap" else -30}
    wrong = [k for k in wanted if k not in g or not agrees(g[k], wanted[k])]
    check(not wrong and set(g) == set(wanted), f"{stem}: global fields {wrong or sorted(set(g) ^ set(wanted)) or 'right'}")
    check(g["core:sha512"] == sha512(path(net, stem + ".sigmf-data")), f"{stem}: core:sha512 is the data's")
    c = m["captures"]
    check(len(c) == 1 and c[0]["core:sample_start"] == 0 and c[0]["core:global_index"] == first * BLOCK and "core:frequency" in c[0]
          and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", c[0]["core:datetime"]) is not None, f"{stem}: one segment, from block {first}")
    want = [(b - first, s) for b in (first, first + n - 1) for s in range(len(LETTERS))]
    a = [x for x in m["annotations"] if x["core:label"] != "history"]
    h = [x for x in m["annotations"] if x["core:label"] == "history"]
    check([x["tutti:block"] for x in h] == ([first + i for i in range(4)] if role == "ap" else []) and
          all(len(x["tutti:values"]) == 3 * 4 + 70 for x in h), f"{stem}: averages with {len(h)} blocks")
    check([(x["core:sample_start"], x["core:sample_count"], x["core:label"], x["tutti:block"]) for x in a] ==
          [(b * BLOCK + s * SYMBOL, SYMBOL, LETTERS[s], b + first) for b, s in want], f"{stem}: {len(a)} symbols of first and last block annotated")


def examine_collection(net, stems):
    c = json.load(open(path(net, "test.sigmf-collection")))["collection"]
    check(c["core:version"] == "1.2.5" and {s["name"]: s["hash"] for s in c["core:streams"]} ==
          {s: sha512(path(net, s + ".sigmf-meta")) for s in stems}, f"collection: {len(c['core:streams'])} recordings with their hashes")
    check("n_ap: 2" in c["tutti:config"], "collection: the configuration")
    check(not glob.glob(path(net, "*.part")), "no file left half-written")


def examine_gnuradio(net, stem):
    """GNU Radio's file source reads the data as they are."""
    if subprocess.run(["/usr/bin/python3", "-c", "import gnuradio.blocks"], capture_output=True).returncode != 0:
        skip("GNU Radio's file source", "package gnuradio is not installed")
        return
    code = ("from gnuradio import gr, blocks; import numpy as np, sys\nt = gr.top_block(); s = blocks.vector_sink_c()\n"
            "t.connect(blocks.file_source(gr.sizeof_gr_complex, sys.argv[1], False), s); t.run()\n"
            "np.array(s.data(), '<c8').tofile(sys.argv[2])")
    out = os.path.join(net.dir, "gnuradio.cf32")
    done = subprocess.run(["/usr/bin/python3", "-c", code, path(net, stem + ".sigmf-data"), out], capture_output=True, text=True, timeout=120)
    check(done.returncode == 0 and sha512(out) == sha512(path(net, stem + ".sigmf-data")), f"GNU Radio reads the samples {done.stderr[-200:]}")


def examine_energy(net):
    """Each AP's energy in P symbols follows the run's estimates block by block."""
    with net.file("run.h5") as f:
        H = f["H_hat"][:]
    for ap in range(2):
        x = samples_of(net, f"ap{ap}_ant1")
        p = (np.abs(x.reshape(-1, BLOCK)[:, 2 * SYMBOL:6 * SYMBOL]) ** 2).mean(1)
        h = (np.abs(H[10:30, :, ap, 1, :]) ** 2).sum((1, 2))
        check(np.corrcoef(p, h)[0, 1] > 0.99, f"ap{ap}: energy of P symbols follows the estimates, correlation {np.corrcoef(p, h)[0, 1]:.4f}")


def examine_example(net):
    """examples/read_run.py tells what is in the files, by numbers computed here once more."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "read_run.py")
    done = subprocess.run(["/usr/bin/python3", script, net.out], capture_output=True, text=True, timeout=60)
    with net.file("run.h5") as f:
        sinr = f["user/sinr_measured"][:, 1]
        word = f"user 1: {np.isfinite(sinr).sum()} blocks, median SINR {10 * np.log10(np.nanmedian(sinr)):.2f} dB"
    power = 10 * np.log10(np.mean(np.abs(samples_of(net, "ap1_ant0")) ** 2))
    check(done.returncode == 0 and word in done.stdout and f"ap1 antenna 0: {20 * BLOCK} samples in 1 segments from tick {10 * BLOCK}, "
          f"{power:.2f} dBFS" in done.stdout, f"the example reads it: {word} {done.stderr[-200:]}")


def inspect(net, name):
    done = subprocess.run([os.path.join(BIN, "tutti"), "inspect", path(net, name)], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def examine_inspect(net, stems):
    """The tool reads the collection, and names what is wrong with one that was changed."""
    status, table, wrong = inspect(net, "test.sigmf-collection")
    rows = [line.split() for line in table.splitlines()[1:]]
    check(status == 0 and not wrong and [r[0] + "_ant" + r[1] for r in rows] == stems and all(
        r[2:] == ["cf32_le", "1920000", "all", str(20 * BLOCK), "10", "to", "29", "1", "0", "0", "yes"] for r in rows), f"inspect: {len(rows)} rows")
    meta, data, collection = "ap0_ant1.sigmf-meta", "ap0_ant1.sigmf-data", "test.sigmf-collection"
    cases = [
        (data, None, None, "core:sha512 differs"),
        (meta, '"cf32_le"', '"cf32le"', "core:datatype: cf32_le or ci16_le expected"),
        (meta, '"core:hw"', '"core:hardware"', "core:hardware: SigMF 1.2.5 has no such field"),
        (meta, '"core:version": "1.2.5"', '"core:version": "0.0.1"', "core:version"),
        (meta, '"core:sample_rate": 1920000.0', '"core:sample_rate": "fast"', "core:sample_rate: a number expected"),
        (meta, '"core:num_channels": 1', '"core:num_channels": 2', "core:num_channels"),
        (meta, '"core:sample_start": 0, "core:global', '"core:sample_start": 7, "core:global', "captures[0]: core:sample_start"),
        (meta, '"core:global_index": 96000', '"core:global_index": -1', "captures[0]: core:global_index"),
        (meta, '"name": "tutti"', '"name": "other"', "core:extensions"),
        (meta, '"core:sha512": "', '"core:sha512": "0', "core:sha512: 128 hexadecimal digits"),
        (meta, '"tutti:schedule"', '"tutti:plan"', "tutti:schedule: missing"),
        (meta, '"core:description": "what', '"core:description": "wat', "hash of ap0_ant1"),
        (collection, '"core:streams"', '"core:stream"', "no collection with core:streams"),
        (collection, '"core:version"', '"core:versions"', "core:versions: SigMF 1.2.5 has no such field")]
    for name, old, new, words in fewer(cases, 5):
        before = open(path(net, name), "rb").read()
        changed = before[:-1] + bytes([before[-1] ^ 1]) if old is None else before.replace(old.encode(), new.encode(), 1)
        if changed == before:
            check(False, f"inspect: nothing to change for '{words}'")
        open(path(net, name), "wb").write(changed)
        status, _, wrong = inspect(net, collection)
        check(status == 1 and words in wrong, f"inspect: {wrong.strip().splitlines()[-1] if wrong.strip() else 'nothing wrong'}")
        open(path(net, name), "wb").write(before)
    check(inspect(net, meta)[0] == 0, "inspect: all is well again")


def test_all():
    stems = [f"ap{i}_ant{a}" for i in range(2) for a in range(2)] + ["ue0_ant0"]
    with network("nodes: [ap0, ap1, ue0], from_block: 10, n_blocks: 20") as net:
        net.run()
        for stem in stems:
            examine_meta(net, stem, stem[:2], int(stem[2]), int(stem[-1]), 10, 20)
        examine_collection(net, stems)
        examine_example(net)
        if THREADS:
            skip("the tool that inspects it", "a process with one thread")
        else:
            examine_inspect(net, stems)
        examine_gnuradio(net, stems[0])
        examine_energy(net)
        check(not os.path.exists(path(net, "ue1_ant0.sigmf-data")), "a node that is not named records nothing")
        net.command += ["--set", "record.file=other.h5"]
        net.start()
        check(net.wait() != 0 and "holds a recording" in net.text, "a second run does not write over it")


def test_pilots_only():
    n = SIZES["n_blocks"] * BLOCK
    with network("nodes: [ap0], n_blocks: 40") as whole, network("nodes: [ap0], n_blocks: 40, symbols: PG") as some:
        whole.run()
        some.run()
        a, b = placed(whole, "ap0_ant1", n), placed(some, "ap0_ant1", n)
        kept = np.array([s < len(LETTERS) and LETTERS[s] in "PG" for s in np.arange(BLOCK) // SYMBOL])
        there = ~np.isnan(b).reshape(-1, BLOCK)
        rows = there.any(1)
        check(rows.sum() >= SIZES["n_blocks"] - 1 and (there[rows] == kept).all(), "P and G symbols, and only those")
        check(np.array_equal(a[~np.isnan(b)], b[~np.isnan(b)]), "and they are the same samples as in a recording of all")


def restarts(net):
    return [x for x in meta_of(net, "ap0_ant0")["annotations"] if x["core:label"] == "restart"]


def test_killed():
    """Pilots and guards of an access point that is killed and comes back: the ticks after its return still tell pilots from guards."""
    with network("nodes: [ap0], symbols: PG", n_blocks=0, args=["--keep-going"], sets=["air.fading.model=none"]) as net:
        net.start()
        net.wait_for_block(60)
        net.kill_node("tutti-ap", 0)
        killed = meta_of(net, "ap0_ant0")
        check("core:sha512" not in killed["global"] and 8 * killed["global"]["tutti:n_samples"] <= os.path.getsize(path(net, "ap0_ant0.sigmf-data")),
              "after kill -9: valid metadata, not closed, of samples that are there")
        again = net.start_node("tutti-ap", "--id", "0")
        net.wait_until(lambda: restarts(net), "the access point is back")
        n = restarts(net)[0]["core:sample_start"]
        net.wait_until(lambda: meta_of(net, "ap0_ant0")["global"]["tutti:n_samples"] > n + 200 * SYMBOL, "it records again")
        net.process.terminate()
        net.wait()
        again.terminate()
        again.wait(60)
        m, data = meta_of(net, "ap0_ant0"), samples_of(net, "ap0_ant0")
        after = [c for c in m["captures"] if c["core:sample_start"] >= n]
        check(after[0]["core:sample_start"] == n, "its first segment begins where the old ones end")
        energy = {"P": [], "G": []}
        for here, end in list(zip(after, after[1:]))[:30]:  # the last blocks may be of a network whose users are gone
            for start in range(here["core:sample_start"], end["core:sample_start"] - SYMBOL + 1, SYMBOL):
                tick = here["core:global_index"] + start - here["core:sample_start"]
                if tick % BLOCK % SYMBOL == 0:
                    energy[LETTERS[tick % BLOCK // SYMBOL]].append(np.mean(np.abs(data[start:start + SYMBOL]) ** 2))
        loud, still = np.min(energy["P"]), np.max(energy["G"])
        check(loud > 2 * still, f"{len(energy['P'])} pilots against {len(energy['G'])} guards: at least {10 * np.log10(loud / still):.1f} dB")
        check(m["global"]["core:sha512"] == sha512(path(net, "ap0_ant0.sigmf-data")), "and the hash is that of the whole file")


test_all()
if SHORT:
    skip("pilots and guards beside a whole recording", "runs are short here")
else:
    test_pilots_only()
test_killed()
finish()
