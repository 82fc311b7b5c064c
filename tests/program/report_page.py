#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The report in a browser: train and eval write it, its scripts run without error, tables sort, pictures enlarge.

The page is opened in headless Chromium; without one the test is skipped (status 77). A copy of the page gets a script
of this test, which clicks, presses keys and writes what it saw into the document.
"""
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import scene
from scene import Scene, run

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

COLLECTOR = """<script>
window.seen = {errors: []};
window.onerror = message => { seen.errors.push(String(message)); };
window.addEventListener('error', event => { if (event.target !== window) seen.errors.push('resource'); }, true);
</script>"""

CLICKS = """<script>
const rows = () => [...document.querySelectorAll('table.sortable tbody')].map(
  body => [...body.rows].map(row => [...row.cells].map(cell => cell.textContent)));
const press = (target, key) =>
  target.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
try {
  seen.before = rows();
  const titles = document.querySelectorAll('table.sortable thead tr:last-child th');
  seen.titles = [...titles].map(title => title.textContent);
  const name = titles[0].querySelector('button');
  name.focus();
  seen.focused = document.activeElement === name;
  name.click();
  seen.once = [titles[0].getAttribute('aria-sort'), rows()[0]];
  name.click();
  seen.twice = [titles[0].getAttribute('aria-sort'), rows()[0]];
  titles[7].querySelector('button').click();  // the threshold
  seen.threshold = [titles[7].getAttribute('aria-sort'), titles[0].getAttribute('aria-sort'), rows()[0]];

  const viewer = document.getElementById('viewer'), views = document.querySelectorAll('figure .view');
  const caption = () => viewer.querySelector('.caption').textContent;
  seen.views = views.length;
  seen.pictures = [...document.querySelectorAll('figure img')].every(image => image.naturalWidth > 0);
  seen.closed = viewer.open;
  views[0].click();
  seen.opened = [viewer.open, caption(), viewer.querySelector('.stage img').naturalWidth > 0,
                 viewer.querySelectorAll('.strip .view').length];
  press(viewer, 'ArrowRight');
  seen.right = caption();
  press(viewer, 'ArrowDown');
  seen.down = caption();
  press(viewer, 'ArrowUp');
  press(viewer, 'ArrowLeft');
  press(viewer, 'ArrowLeft');
  seen.around = caption();
  press(viewer, 'Escape');
  seen.escaped = viewer.open;
  views[1].click();
  viewer.querySelector('.close').click();
  seen.left = viewer.open;
} catch (problem) { seen.errors.push(String(problem)); }
seen.wide = document.documentElement.scrollWidth > window.innerWidth;
document.documentElement.dataset.seen = JSON.stringify(seen);
</script>"""


def browse(page, *options):
    """What Chromium makes of a page: its document as text, its log."""
    with tempfile.TemporaryDirectory(prefix="dinomaly-browser-") as profile:
        done = subprocess.run(
            [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
             "--enable-logging=stderr", "--virtual-time-budget=5000", *options, page.as_uri()],
            capture_output=True, text=True, timeout=240, env=os.environ | {"HOME": profile})
    return done.stdout, done.stderr


class ReportPage(Scene):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_folder = cls.folder / "run"
        cls.trained = run(*cls.training(cls, cls.run_folder, iterations=30, warmup=4))
        cls.model = cls.run_folder / "model.safetensors"

    def seen_of(self, page, *options):
        """What the script of this test saw in a page."""
        text = page.read_text()
        copy = self.folder / f"copy-{page.name}"
        copy.write_text(text.replace("<head>", "<head>" + COLLECTOR).replace("</body>", CLICKS + "</body>"))
        document, log = browse(copy, "--dump-dom", *options)
        found = re.search(r'data-seen="([^"]*)"', document)
        self.assertTrue(found, log)
        self.assertEqual([line for line in log.splitlines() if "CONSOLE" in line], [])
        return json.loads(html.unescape(found[1]))

    def assert_self_contained(self, page):
        text = page.read_text()
        self.assertLess(len(text), 15e6)
        self.assertFalse(re.findall(r"https?:|//[a-z0-9.]+\.[a-z]|@import|<link|src=\"(?!data:)|href=\"(?!#)",
                                    re.sub(r'src="data:[^"]*"', "", text)))
        self.assertEqual(text.count("<script"), 1)

    def test_training_writes_all_results(self):
        self.assertEqual(self.trained.returncode, 0, self.trained.stderr)
        for name in ("metrics.json", "metrics.csv", "metrics.md", "report.html"):
            self.assertTrue((self.run_folder / name).stat().st_size > 0, name)
        self.assert_self_contained(self.run_folder / "report.html")
        csv = (self.run_folder / "metrics.csv").read_text().splitlines()
        self.assertEqual([line.split(",")[0] for line in csv if line], ["class", "disc", "stripes", "mean"])
        figures = json.loads((self.run_folder / "metrics.json").read_text())["classes"]["disc"]
        row = dict(zip(csv[0].split(","), csv[1].split(",")))
        self.assertEqual(float(row["pixel_gt0_ap"]), figures["pixel gt>0"]["ap"])
        self.assertEqual((row["good"], row["bad"]), ("2", "2"))

    def test_scripts_run(self):
        page = self.run_folder / "report.html"
        text = page.read_text()
        for words in ("Loss", "Gradient norm", "Learning rate", "encoder&#39;s hash", "trained part&#39;s hash",
                      "training took", "seed", ">ROC<", "PRO", "bad parts were found"):
            self.assertIn(words, text)
        seen = self.seen_of(page)
        self.assertEqual(seen["errors"], [])
        self.assertEqual([row[0] for row in seen["before"][0]], ["disc", "stripes"])
        self.assertEqual(seen["titles"][:8],
                         ["Class", "Bad parts", "found", "missed", "Good parts", "passed", "rejected", "Threshold"])
        self.assertTrue(seen["focused"])
        self.assertEqual((seen["once"][0], [row[0] for row in seen["once"][1]]), ("ascending", ["disc", "stripes"]))
        self.assertEqual((seen["twice"][0], [row[0] for row in seen["twice"][1]]), ("descending", ["stripes", "disc"]))
        order, other, rows = seen["threshold"]
        self.assertEqual((order, other), ("descending", None))
        self.assertGreaterEqual(float(rows[0][7]), float(rows[1][7]))

        self.assertGreater(seen["views"], 8)
        self.assertTrue(seen["pictures"])
        self.assertEqual((seen["closed"], seen["escaped"], seen["left"]), (False, False, False))
        is_open, caption, is_drawn, views = seen["opened"]
        self.assertEqual((is_open, is_drawn, views), (True, True, 4))
        self.assertRegex(caption, r"^disc · picture · (good|spot)/00\d\.png · score \d\.\d+ · (good|bad) part")
        self.assertIn(" · truth · ", seen["right"])
        self.assertEqual(seen["right"].split(" · ")[2], caption.split(" · ")[2])
        self.assertNotEqual(seen["down"].split(" · ")[2:4], seen["right"].split(" · ")[2:4])
        self.assertRegex(seen["around"], r"^stripes · overlay · ")

    def test_nothing_is_wider_than_a_phone(self):
        seen = self.seen_of(self.run_folder / "report.html", "--window-size=500,900")  # the narrowest that it takes
        self.assertFalse(seen["wide"])

    def test_eval_writes_the_same(self):
        page, csv, table = (self.folder / f"eval.{kind}" for kind in ("html", "csv", "md"))
        done = run("eval", "--model", self.model, "--data", self.data, "--report", page, "--csv", csv, "--markdown", table)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(csv.read_bytes(), (self.run_folder / "metrics.csv").read_bytes())
        self.assertEqual(table.read_bytes(), (self.run_folder / "metrics.md").read_bytes())
        self.assert_self_contained(page)
        self.assertNotIn("Gradient norm", page.read_text())  # the log is not at hand
        self.assertEqual(self.seen_of(page)["errors"], [])

    def test_files_that_cannot_be_written_are_refused_at_once(self):
        for option in ("--report", "--csv", "--markdown"):
            done = run("eval", "--model", self.model, "--data", self.data, option, self.folder / "none" / "file")
            self.assertEqual(done.returncode, 1)
            self.assertIn("cannot be written: there is no directory", done.stderr)
            self.assertNotIn("judging", done.stdout)

    def test_good_pictures_alone(self):
        data = self.folder / "only_good"
        for i in range(10):
            scene.write_png(data / f"{i:03}.png", scene.draw("disc", i, False)[0])
        folder = self.train("from_good", data=data)
        self.assertFalse((folder / "metrics.csv").exists())
        page = folder / "report.html"
        self.assert_self_contained(page)
        text = page.read_text()
        for words in ("There were no pictures to judge", "Loss", "Lowest scores"):
            self.assertIn(words, text)
        self.assertNotIn("<table", text)
        document, log = browse(page, "--dump-dom")
        self.assertIn("viewer", document)
        self.assertNotIn("CONSOLE", log)


if __name__ == "__main__":
    if BROWSER is None:
        print("skipped: no chromium, chromium-browser or google-chrome on PATH")
        sys.exit(77)
    scene.main()
