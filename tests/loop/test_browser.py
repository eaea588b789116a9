# SPDX-License-Identifier: GPL-3.0-or-later
"""The live page in a browser: `tutti run --dashboard` of a paced network, opened in Chromium. Events come, every drawing has something in it, a
killed access point turns red, the console is silent, nothing is asked of any other host, and the page ends with the run. Nothing is judged by
how long it takes. TUTTI_SCREENSHOTS=DIR keeps pictures: light, dark, phone."""
import json
import os
import re
import shutil
import signal
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

    def run(self, script):
        return self.driver.execute_script(script)

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

    def picture(self, name, width, height, dark=False):
        folder = os.environ.get("TUTTI_SCREENSHOTS")
        if folder:
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
            self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
            time.sleep(1)
            self.driver.save_screenshot(os.path.join(folder, name + ".png"))

    def remove(self):
        shutil.rmtree(self.profile, ignore_errors=True)

    def quit(self):
        self.driver.quit()
        self.remove()


def numbers_of_events(browser):
    return int(browser.run('return (document.body && document.body.dataset.events) || "0"'))


def examine(net, browser, url):
    browser.driver.get(url)
    browser.wait("ten events", lambda: numbers_of_events(browser) >= 10)
    drawn = browser.wait("a constellation of every user", lambda: (d := dict(browser.run(DRAWN))) and all(f"star{k}" in d for k in range(4)) and d)
    browser.wait("something in every drawing", lambda: all(n > 50 for n in dict(browser.run(DRAWN)).values()))
    check({"sinr", "hops", "star0", "star1", "star2", "star3"} <= set(drawn), f"the drawings are there: {sorted(drawn)}")
    states = browser.wait("four access points", lambda: len(s := browser.run(STATES)) == 4 and all(t == "here" for t, _ in s) and s)
    browser.picture("light", 1200, 1900)
    browser.picture("dark", 1200, 1900, dark=True)
    browser.picture("phone", 390, 2600)
    os.kill(net.pid_of("tutti-ap", 2), signal.SIGKILL)
    after = browser.wait("AP 2 in another colour", lambda: (s := browser.run(STATES))[2][0] == "gone" and s)
    red, green, blue = map(int, re.findall(r"\d+", after[2][1])[:3])
    check(after[2][1] != states[2][1] and red > 1.5 * green and red > 1.5 * blue, f"it is red: {after[2][1]}, was {states[2][1]}")
    check([t for t, _ in after] == ["here", "here", "gone", "here"], "the others are here")
    lines = [e["message"] for e in browser.driver.get_log("browser")]
    check(not lines, f"nothing on the console: {lines}")
    asked = set(browser.requests())
    check(url in asked and all(a.startswith((url, "data:", "chrome:")) for a in asked), f"nothing is asked of another host: {sorted(asked)}")


def main():
    with Network(n_blocks=0, args=["--keep-going", "--dashboard", "--listen", "127.0.0.1:0"], sets=["air.mode=paced"]) as net:
        net.start()
        told = ""
        while "http://" not in told:
            line = net.process.stdout.readline()
            if not line:
                sys.exit(f"FAILED: tutti run did not say where the page is: {told}")
            told += line
        url = re.search(r"http://127\.0\.0\.1:\d+/", told)
        browser = Browser()
        try:
            examine(net, browser, url.group())
            net.process.terminate()
            net.wait(120)
            check(net.pid_of("tutti") is None, "the page ends with the run")
        finally:
            browser.quit()
            net.process.terminate()
            net.process.wait(60)
    finish()


main()
