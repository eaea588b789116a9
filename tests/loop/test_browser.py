# SPDX-License-Identifier: GPL-3.0-or-later
"""The live page in a browser: `tutti run --dashboard` of a paced network, opened in Chromium. Events come, every drawing has something in it, a
killed access point turns red, the console is silent, nothing is asked of any other host, and the page ends with the run. Then networks that have
clusters, zones, a schedule and disruptions: their panels say what the network does. Nothing is judged by
how long it takes. TUTTI_SCREENSHOTS=DIR keeps pictures: light, dark, phone, print."""
import json
import os
import re
import shutil
import sys
import tempfile
import time

from network import Network, check, finish


def give_up(why):
    print(f"SKIPPED: test_browser.py: the live page in a browser: {why}")
    sys.exit(77)


try:
    from selenium import webdriver
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.keys import Keys
except ImportError:
    give_up("no python3-selenium")
for program in ("chromium", "chromedriver"):
    if not shutil.which(program):
        give_up(f"no {program} (Debian: chromium, chromium-driver)")

DRAWN = """return [...document.querySelectorAll("canvas")].map((c) => {
  if (!c.width || !c.height) return [c.id || c.parentElement.id, 0];
  const copy = document.createElement("canvas"); copy.width = c.width; copy.height = c.height;
  const g = copy.getContext("2d", {willReadFrequently: true}); g.drawImage(c, 0, 0);
  const p = g.getImageData(0, 0, c.width, c.height).data;
  let n = 0; for (let i = 3; i < p.length; i += 4) n += p[i] > 0;
  return [c.id || c.parentElement.id, n]; })"""
STATES = """return [...document.querySelectorAll("#aps tbody tr")].map((r) => [r.cells[1].textContent, getComputedStyle(r.cells[1]).color])"""


# [[text of a cell, ..] of a row, ..], the first row the titles; what is hidden is not there.
TABLE = """const t = document.getElementById(arguments[0]); return t && t.offsetParent ? [...t.rows].map((r) => [...r.cells].map((c) => c.textContent)) : []"""
GRID = """return [...document.querySelectorAll("#grid button")].map((b) => [b.children[1].textContent, [...b.querySelectorAll("i")].map((i) => Number(i.textContent))])"""
PARTS = """const r = document.getElementById("resilience"); return r && r.offsetParent ? [...document.querySelectorAll("#parts meter")].map((m) => m.value) : []"""
EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples")


class Browser:
    def __init__(self):
        options = webdriver.ChromeOptions()
        self.profile = tempfile.mkdtemp(prefix="tutti-browser-")
        for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,1000", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--disable-sync", f"--user-data-dir={self.profile}"):
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        options.page_load_strategy = "none"
        options.binary_location = shutil.which("chromium")
        try:
            self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        except WebDriverException as error:
            self.remove()
            give_up(f"Chromium does not start here: {str(error).splitlines()[0]}")
        self.driver.set_script_timeout(120)

    def run(self, script, *words):
        return self.driver.execute_script(script, *words)

    def column(self, table, title):
        """Of a table's cells; [] if it is not there."""
        rows = self.run(TABLE, table)
        return [r[rows[0].index(title)] for r in rows[1:]] if rows and title in rows[0] else []

    def wait(self, what, condition, seconds=180):
        """However slow the machine: the limit only ends a test that hangs."""
        end, start = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < end:
            value = condition()
            if value:
                print(f"      {what} after {time.monotonic() - start:.1f} s")
                return value
            time.sleep(0.1)
        check(False, f"waited for {what} in vain")
        return condition()

    def requests(self):
        """What was asked of the network by the page, by address."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                yield message["params"]["request"]["url"]

    def picture(self, name, width, height, dark=False, media=""):
        folder = os.environ.get("TUTTI_SCREENSHOTS")
        if folder:
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
            self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
            time.sleep(1)
            self.driver.save_screenshot(os.path.join(folder, name + ".png"))

    def remove(self):
        shutil.rmtree(self.profile, ignore_errors=True)

    def quit(self):
        self.driver.quit()
        self.remove()


def is_number(text):
    return bool(re.fullmatch(r"-?[\d,]+(\.\d+)?( %)?", text))


def all_numbers(cells, n):
    return len(cells) == n and all(map(is_number, cells))


def numbers_of_events(browser):
    return int(browser.run('return (document.body && document.body.dataset.events) || "0"'))


def by_keyboard(browser):
    browser.run("document.querySelector('#grid button').focus()")
    browser.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    said = browser.wait("words about an access point", lambda: (s := browser.run("return document.getElementById('gridnote').textContent")).startswith("AP") and s)
    check(said.startswith("AP 1: here; serves users 0, 1, 2, 3"), f"by keyboard: {said}")


def examine(net, browser, url):
    browser.driver.get(url)
    browser.wait("ten events", lambda: numbers_of_events(browser) >= 10)
    drawn = browser.wait("a constellation of every user", lambda: (d := dict(browser.run(DRAWN))) and all(f"star{k}" in d for k in range(4)) and d)
    browser.wait("something in every drawing", lambda: all(n > 50 for n in dict(browser.run(DRAWN)).values()))
    check({"sinr", "hops", "star0", "star1", "star2", "star3"} <= set(drawn), f"the drawings are there: {sorted(drawn)}")
    states = browser.wait("four access points", lambda: len(s := browser.run(STATES)) == 4 and all(t == "here" for t, _ in s) and s)
    browser.wait("users' data", lambda: all_numbers(browser.column("users", "uplink dB"), 4) and "0" not in browser.column("users", "uplink blocks"))
    check([u for _, u in browser.run(GRID)] == [[0, 1, 2, 3]] * 4, "every access point serves every user")
    check(not any(browser.run(TABLE, name) for name in ("zones",)) and not browser.run(PARTS), "what this network does not have is not there")
    by_keyboard(browser)
    browser.picture("light", 1200, 2000)
    browser.picture("dark", 1200, 2000, dark=True)
    browser.picture("phone", 390, 2900)
    net.kill_node("tutti-ap", 2)
    after = browser.wait("AP 2 in another colour", lambda: (s := browser.run(STATES))[2][0] == "gone" and s)
    red, green, blue = map(int, re.findall(r"\d+", after[2][1])[:3])
    check(after[2][1] != states[2][1] and red > 1.5 * green and red > 1.5 * blue, f"it is red: {after[2][1]}, was {states[2][1]}")
    check([t for t, _ in after] == ["here", "here", "gone", "here"], "the others are here")
    lines = [e["message"] for e in browser.driver.get_log("browser")]
    check(not lines, f"nothing on the console: {lines}")
    asked = set(browser.requests())
    check(url in asked and all(a.startswith((url, "data:", "chrome:")) for a in asked), f"nothing is asked of another host: {sorted(asked)}")


def examine_clusters(browser):
    def agree():
        sizes, grid = browser.column("users", "served by"), [u for _, u in browser.run(GRID)]
        return all_numbers(sizes, 8) and len(grid) == 8 and sum(map(int, sizes)) == sum(map(len, grid)) < 8 * 8 and grid
    grid = browser.wait("clusters, the same in grid and table", agree)
    masters, pilots = browser.column("users", "strongest AP"), browser.column("users", "pilot")
    check(all(k in grid[int(m)] for k, m in enumerate(masters)), f"strongest access points {masters} serve their users")
    check(all_numbers(pilots, 8) and 1 < len(set(pilots)) <= 6, f"pilots are shared: {pilots}")


def examine_sensing(browser):
    zones = browser.wait("zones", lambda: (z := browser.run(TABLE, "zones")) and all(all_numbers(r[1:], 2) for r in z[1:]) and z)
    modes = [words for words, _ in browser.run(GRID)]
    said = browser.run("return document.getElementById('modes').textContent")
    told = [int(m) for m in re.findall(r"\d+", said.split("Serve")[0])]
    check(len(zones) == 3 and told and told == [m for m, mode in enumerate(modes) if mode == "senses"], f"{said} {zones[1:]}")
    check(all((users == []) == (mode == "senses") for mode, (_, users) in zip(modes, browser.run(GRID))), "who illuminates serves nobody")


def examine_attack(browser):
    served = browser.wait("a schedule", lambda: (s := browser.column("users", "served")).count("now") == 4 and s)
    check(len(served) == 6 and served.count("waits") == 2 and all_numbers(browser.column("users", "of blocks"), 6), f"schedule: {served}")
    parts = browser.wait("a score with its parts", lambda: (p := browser.run(PARTS)) and len(p) == 4 and p[0] > 0 and p[3] > 0 and p)
    check(all(0 <= p <= 1 for p in parts) and min(parts[:3]) <= parts[3] <= max(parts[:3]), f"absorption, adaptation, recovery, score: {parts}")
    check("user 0" in browser.run("return document.getElementById('disruption').textContent"), "the disruption is the target's")


def look(browser, name, examine_it, *sets):
    """A network of examples/, in lock-step and without an end, on the page."""
    with Network(args=["--keep-going", "--dashboard", "--listen", "127.0.0.1:0"], sets=["network.n_blocks=0", *sets]) as net:
        shutil.copy(os.path.join(EXAMPLES, name + ".yaml"), net.config)
        browser.driver.get_log("browser")  # the page before has lost its network
        browser.driver.get(start(net))
        browser.wait(f"{name}: events", lambda: numbers_of_events(browser) >= 3)
        examine_it(browser)
        for picture in ((name, 1200, 2200, False, ""), (name + "-dark", 1200, 2200, True, ""), (name + "-phone", 390, 3600, False, ""), (name + "-print", 794, 3000, False, "print")):
            browser.picture(*picture)
        lines = [e["message"] for e in browser.driver.get_log("browser")]
        check(not lines, f"{name}: nothing on the console: {lines}")
        browser.driver.get("about:blank")
        net.process.terminate()
        net.wait(120)


def start(net):
    net.start()
    told = ""
    while "http://" not in told:
        line = net.process.stdout.readline()
        if not line:
            sys.exit(f"FAILED: tutti run did not say where the page is: {told}")
        told += line
    return re.search(r"http://127\.0\.0\.1:\d+/", told).group()


def main():
    browser = Browser()
    try:
        with Network(n_blocks=0, args=["--keep-going", "--dashboard", "--listen", "127.0.0.1:0"], sets=["air.mode=paced", "uplink.mode=central"]) as net:
            examine(net, browser, start(net))
            net.process.terminate()
            net.wait(120)
            check(net.pid_of("tutti") is None, "the page ends with the run")
        look(browser, "clusters", examine_clusters, "network.n_ap=8", "network.n_ue=8", "cluster.max_aps=4")
        look(browser, "isac", examine_sensing)
        look(browser, "attack", examine_attack, "eve.from_block=60", "scheduler.average_blocks=40", "fronthaul.faults.silent_ap=-1", "air.events=[]")
    finally:
        browser.quit()
    finish()


main()
