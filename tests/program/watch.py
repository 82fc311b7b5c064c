#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""predict on the line: a folder that is watched, paths on standard input, results as they come."""
import json
import os
import pathlib
import queue
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
import scene
from scene import Scene, run

PATIENCE = 30  # seconds until something that has to come counts as missing


class Running:
    """The program while it runs; its standard output line by line."""

    def __init__(self, *arguments, stdout=subprocess.PIPE):
        self.process = subprocess.Popen([scene.PROGRAM, *map(str, arguments)], stdin=subprocess.PIPE, stdout=stdout,
                                        stderr=subprocess.PIPE)
        self.lines, self.errors = queue.Queue(), queue.Queue()
        self.readers = [threading.Thread(target=self.collect, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.lines), (self.process.stderr, self.errors)) if pair[0]]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def collect(stream, lines):
        for line in stream:
            lines.put(line.decode().rstrip("\n"))

    def line(self):
        return self.lines.get(timeout=PATIENCE)

    def results(self, count):
        """The next results, by name of the picture."""
        found = [json.loads(self.line()) for _ in range(count)]
        return {pathlib.Path(result["path"]).name: result for result in found}

    def ask(self, path):
        self.process.stdin.write(os.fsencode(path) + b"\n")
        self.process.stdin.flush()

    def close(self):
        self.process.kill()
        self.process.wait()
        for reader in self.readers:
            reader.join(timeout=PATIENCE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def end(self, by=None):
        """Asks it to end by a signal or by the end of its input; returns its status and all that was not read."""
        if by:
            self.process.send_signal(by)
        self.process.stdin.close()
        status = self.process.wait(timeout=PATIENCE)
        self.close()
        rest = ["\n".join(iter(lambda: lines.get() if not lines.empty() else None, None))
                for lines in (self.lines, self.errors)]
        return status, *rest


class Line(Scene):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        trained = cls.folder / "run/model.safetensors"
        done = run(*cls.training(cls, trained.parent))
        assert done.returncode == 0, done.stderr
        cls.model = cls.folder / "undecided.safetensors"
        scene.write_decision(trained, cls.model, {})
        cls.good = (cls.data / "disc/test/good/000.png").read_bytes()

    def setUp(self):
        self.inbox = pathlib.Path(tempfile.mkdtemp(dir=self.folder))

    def start(self, *arguments, model=None, **options):
        running = Running("predict", "--model", model or self.model, "--threads", 1, *arguments, **options)
        self.addCleanup(running.close)
        return running

    def watch(self, *arguments, folder=None, **options):
        running = self.start("--watch", folder or self.inbox, "--jsonl", *arguments, **options)
        self.began = running.errors.get(timeout=PATIENCE)
        self.assertTrue(self.began.startswith(f"watching {folder or self.inbox}"), self.began)
        return running

    @staticmethod
    def closed_pipe():
        """A pipe's end to write to, which nobody reads from."""
        read, write = os.pipe()
        os.close(read)
        return os.fdopen(write, "wb")

    def put(self, name, content=None, folder=None):
        """A picture that appears at once."""
        place = (folder or self.inbox) / name
        hidden = place.with_name(f".{name}.part")
        hidden.write_bytes(self.good if content is None else content)
        hidden.rename(place)

    def end_watch(self, running, by=signal.SIGTERM):
        status, rest, errors = running.end(by)
        self.assertEqual((status, rest), (0, ""), errors)
        return errors

    def wait_until(self, holds, what):
        deadline = time.monotonic() + PATIENCE
        while not holds():
            self.assertLess(time.monotonic(), deadline, f"{what} did not happen")
            time.sleep(0.01)

    def names(self, folder):
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    # --- what arrives

    def test_arrivals(self):
        self.put("early.png")
        (self.inbox / "folder.png").mkdir()
        running = self.watch("--json", self.inbox / "results.jsonl")
        first = running.results(1)["early.png"]
        self.assertLessEqual({"path", "score", "milliseconds"}, set(first))
        self.assertEqual(first["path"], str(self.inbox / "early.png"))
        self.assertGreater(first["milliseconds"], 0)

        for name in (".hidden.png", "part.png.tmp", "part.png.part", "notes.txt"):
            (self.inbox / name).write_bytes(self.good)
        (self.inbox / "gone.png").write_bytes(self.good)
        (self.inbox / "gone.png").unlink()
        self.put("renamed.png")
        (self.inbox / "part.png.tmp").rename(self.inbox / "LATE.PNG")
        (self.inbox / "link.png").symlink_to(self.data / "disc/test/good/001.png")
        self.put("bad.png", self.good[:60])
        self.put("empty.png", b"")
        results = running.results(5)
        if "gone.png" in results:  # it may have been there long enough
            results |= running.results(1)
            del results["gone.png"]
        self.assertEqual(sorted(results), ["LATE.PNG", "bad.png", "empty.png", "link.png", "renamed.png"])
        self.assertEqual(results["renamed.png"]["score"], first["score"])
        self.assertEqual(list(results["bad.png"]), ["path", "error"])
        self.assertIn("bad.png] ", results["bad.png"]["error"])
        self.assertIn("the file is empty", results["empty.png"]["error"])

        self.put("early.png", (self.data / "disc/test/spot/000.png").read_bytes())  # the name again
        self.assertNotEqual(running.results(1)["early.png"]["score"], first["score"])
        errors = self.end_watch(running)
        self.assertRegex(errors, r"^\d pictures: median .* ms \(reading .*, judging .*\), 95th percentile .* ms; warm, "
                                 r"without the first, which took .* ms; 2 could not be read$")
        written = [json.loads(line) for line in (self.inbox / "results.jsonl").read_text().splitlines()]
        self.assertIn(first, written)
        self.assertGreaterEqual(len(written), 7)

    def write_slowly(self, running, name, pause):
        with (self.inbox / name).open("wb", buffering=0) as file:
            for i in range(0, len(self.good), len(self.good) // 3):
                file.write(self.good[i:i + len(self.good) // 3])
                time.sleep(pause)
            self.assertTrue(running is None or running.lines.empty(), "a picture is judged that is still being written")

    def test_a_slow_writer(self):
        running = self.watch()
        self.write_slowly(running, "slow.png", 0.2)
        self.assertIn("score", running.results(1)["slow.png"])
        self.end_watch(running)

    def test_a_slow_writer_that_began_before(self):
        with (self.inbox / "slow.png").open("wb", buffering=0) as file:
            file.write(self.good[:100])
            running = self.watch()
            self.put("other.png")
            self.assertIn("score", running.results(1)["other.png"])
            time.sleep(1.2)
            file.write(self.good[100:])
        self.assertIn("score", running.results(1)["slow.png"])
        self.end_watch(running)

    def test_only_new(self):
        self.put("old.png")
        running = self.watch("--only-new", "--move-to", self.inbox / "done")
        self.put("new.png")
        self.assertEqual(list(running.results(1)), ["new.png"])
        self.put("old.png")
        self.assertEqual(list(running.results(1)), ["old.png"], "written anew, it is new")
        self.end_watch(running)

    def test_many(self):
        running = self.watch("--move-to", self.folder / "many")
        count = 200
        for i in range(count):
            self.put(f"{i}.png")
        self.assertEqual(len(running.results(count)), count)
        self.end_watch(running)
        self.assertEqual(len(self.names(self.folder / "many/judged")), count)

    def test_more_than_the_kernel_notes(self):
        limit = int(pathlib.Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        if limit > 20000:
            self.skipTest("the kernel keeps too many events for a quick test")
        running = self.watch()
        running.process.send_signal(signal.SIGSTOP)
        noise = [self.inbox / "noise.a", self.inbox / "noise.b"]
        noise[0].touch()
        for i in range(limit // 2 + 10):
            noise[i % 2].rename(noise[1 - i % 2])
        self.put("unnoticed.png")
        running.process.send_signal(signal.SIGCONT)
        self.assertIn("score", running.results(1)["unnoticed.png"])
        self.end_watch(running)

    # --- what becomes of them

    def test_a_restart_does_not_judge_again(self):
        for name in ("a.png", "b.png", "changed.png"):
            self.put(name)
        self.put("bad.png", b"no picture")
        running = self.watch("--sync")
        self.assertEqual(len(running.results(4)), 4)
        self.end_watch(running, by=signal.SIGINT)
        record = self.inbox / ".dinomaly-judged.jsonl"
        lines = [json.loads(line) for line in record.read_text().splitlines()]
        self.assertEqual([list(line) for line in lines],
                         [["name", "size", "mtime", field] for field in ("score", "score", "error", "score")])
        self.assertEqual(lines[0]["mtime"], (self.inbox / "a.png").stat().st_mtime_ns)

        with record.open("a") as file:  # the power went while a line was written
            file.write('{"name": "b.p')
        self.put("changed.png", self.good + b" ")
        self.put("new.png")
        running = self.watch()
        self.assertEqual(set(running.results(2)), {"changed.png", "new.png"})
        self.end_watch(running)
        running = self.watch()
        self.put("last.png")
        self.assertEqual(set(running.results(1)), {"last.png"})
        self.end_watch(running)

    def test_move_to(self):
        target = self.folder / "moved"
        running = self.watch("--move-to", target)
        self.put("a.png")
        moved = running.results(1)["a.png"]["moved_to"]
        self.assertEqual(moved, str(target / "judged/a.png"))
        self.wait_until(lambda: self.names(target / "judged") == ["a.png"], "the move")
        self.put("a.png", (self.data / "disc/test/spot/000.png").read_bytes())
        self.assertEqual(running.results(1)["a.png"]["moved_to"], str(target / "judged/a-2.png"))
        self.put("bad.png", b"no picture")
        self.assertEqual(running.results(1)["bad.png"]["moved_to"], str(target / "error/bad.png"))
        self.end_watch(running)
        self.assertEqual(self.names(target / "judged"), ["a-2.png", "a.png"])
        self.assertEqual((target / "judged/a.png").read_bytes(), self.good, "what is there is not replaced")
        self.assertEqual((target / "error/bad.png").read_bytes(), b"no picture")
        self.assertEqual(self.names(self.inbox), [], "no picture is left, and no record is needed")

    def test_verdicts(self):
        bad = (self.data / "disc/test/spot/000.png").read_bytes()
        out, pictures = self.folder / "scores.jsonl", [self.inbox / "a.png", self.inbox / "b.png"]
        for name, content in (("a.png", self.good), ("b.png", bad)):
            self.put(name, content)
        done = run("predict", "--model", self.model, *pictures, "--json", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        scores = [json.loads(line)["score"] for line in out.read_text().splitlines()]
        model, target = self.folder / "decided.safetensors", self.folder / "decided"
        scene.write_decision(self.model, model, scene.decision_at(sum(scores) / 2, "disc"))
        running = self.watch("--move-to", target, model=model)
        results = running.results(2)
        self.end_watch(running)
        for name, score in zip(("a.png", "b.png"), scores, strict=True):
            verdict = "bad" if score > sum(scores) / 2 else "good"
            self.assertEqual((results[name]["verdict"], self.names(target / verdict)), (verdict, [name]))

    def test_move_to_another_file_system(self):
        other = pathlib.Path("/dev/shm")
        if not other.is_dir() or other.stat().st_dev == self.inbox.stat().st_dev:
            self.skipTest("there is no other file system here")
        target = pathlib.Path(tempfile.mkdtemp(dir=other))
        self.addCleanup(shutil.rmtree, target)
        self.put("a.png")
        os.utime(self.inbox / "a.png", (1e9, 1e9))
        running = self.watch("--move-to", target)
        self.assertEqual(len(running.results(1)), 1)
        self.end_watch(running)
        self.assertEqual((self.names(target / "judged"), self.names(self.inbox)), (["a.png"], []))
        self.assertEqual((target / "judged/a.png").read_bytes(), self.good)
        self.assertEqual((target / "judged/a.png").stat().st_mtime, 1e9)

    def test_a_picture_that_cannot_be_moved(self):
        target = self.folder / "blocked"
        target.mkdir()
        (target / "judged").write_text("no folder")
        running = self.watch("--move-to", target, "--poll", 0.05)
        self.put("a.png")
        self.assertEqual(len(running.results(1)), 1)
        self.put("bad.png", b"no picture")
        self.assertEqual(len(running.results(1)), 1, "a.png is not judged again and again")
        self.assertIn(f"[{target}/judged] the folder cannot be made: ", self.end_watch(running))
        self.assertEqual(self.names(self.inbox), ["a.png"])

    # --- polling

    def test_polling(self):
        self.put("early.png")
        running = self.watch("--poll", 0.5)
        self.assertIn("every 0.5 s", self.began)
        self.assertEqual(set(running.results(1)), {"early.png"})
        self.write_slowly(running, "slow.png", 0.2)
        self.assertIn("score", running.results(1)["slow.png"])
        for i in range(0, len(self.good), 100):  # a writer that closes the file after each piece
            with (self.inbox / "pieces.png").open("ab") as file:
                file.write(self.good[i:i + 100])
            time.sleep(0.05)
        self.assertIn("score", running.results(1)["pieces.png"])
        self.put("bad.png", b"no picture")
        self.assertIn("error", running.results(1)["bad.png"])
        self.put("early.png", self.good + b" ")
        self.assertEqual(set(running.results(1)), {"early.png"})
        time.sleep(1)
        self.end_watch(running)
        running = self.watch("--poll", 0.1)
        self.put("new.png")
        self.assertEqual(set(running.results(1)), {"new.png"}, "the record holds for both ways")
        self.end_watch(running)

    # --- its end

    def test_a_signal_while_much_waits(self):
        for i in range(300):
            self.put(f"{i}.png")
        running = self.watch("--move-to", self.folder / "cut")
        running.line()
        status, rest, _ = running.end(signal.SIGTERM)
        self.assertEqual(status, 0)
        judged = 1 + len(rest.splitlines())
        self.assertLess(judged, 300)
        self.assertEqual(len(self.names(self.folder / "cut/judged")), judged, "what was reported was moved, no more")
        self.assertEqual(len(self.names(self.inbox)), 300 - judged)

    def test_the_folder_is_removed(self):
        for options in ([], ["--poll", 0.05]):
            for remove in (shutil.rmtree, lambda path: path.rename(path.with_name(path.name + "-moved"))):
                inbox = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
                running = self.watch(*options, "--done", self.folder / "removed.jsonl", folder=inbox)
                self.put("a.png", folder=inbox)
                self.assertEqual(len(running.results(1)), 1)
                remove(inbox)
                status, rest, errors = running.end()
                self.assertEqual((status, rest), (1, ""))
                self.assertRegex(errors, rf"^1 picture: .*\nerror: \[{inbox}\] the folder was removed, moved or "
                                         "unmounted while it was watched$")
                (self.folder / "removed.jsonl").unlink()

    def test_the_output_is_closed(self):
        with self.closed_pipe() as output:
            running = self.watch(stdout=output)
        self.put("a.png")
        self.assertEqual(running.process.wait(timeout=PATIENCE), 1)
        self.assertFalse((self.inbox / ".dinomaly-judged.jsonl").read_text(), "a result that nobody got does not count")

    # --- wrong use

    def test_refused(self):
        other = self.folder / "other.txt"
        other.write_text("mine\n")
        watch = ["predict", "--model", self.model, "--watch", self.inbox]
        for arguments, status, words in (
                (["predict", "--model", self.model], 2, "PATH, or --watch DIR, is required"),
                ([*watch, "a.png"], 2, "--watch"),
                ([*watch, "--poll", 0], 2, "--poll"),
                ([*watch, "--move-to", other, "--done", other], 2, "excludes"),
                (["predict", "--model", self.model, "a.png", "--only-new"], 2, "requires --watch"),
                ([*watch[:-1], other], 1, "other.txt] no such folder to watch"),
                ([*watch, "--move-to", other], 1, "other.txt] the folder cannot be made"),
                ([*watch, "--done", other], 1, "other.txt] line 1 is not of a record of judged pictures"),
                ([*watch, "--done", self.folder / "no/x"], 1, "no/x] cannot be opened to append to it"),
                ([*watch, "--json", self.folder / "no/x"], 1, "no/x] cannot be written")):
            done = run(*arguments)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertIn(words, done.stderr)
        self.assertEqual(other.read_text(), "mine\n")

    def test_two_on_one_folder(self):
        running = self.watch()
        done = run("predict", "--model", self.model, "--watch", self.inbox)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is in use by another 'dinomaly predict --watch'", done.stderr)
        self.end_watch(running)


    # --- paths on standard input: predict - as another program's helper

    def test_answers_at_once(self):
        picture = self.data / "disc/test/good/000.png"
        running = self.start("-", "--json", "-")
        for _ in range(2):
            running.ask(picture)
            self.assertEqual(json.loads(running.line())["path"], str(picture))
            running.ask(self.folder / "none.png")
            answer = json.loads(running.line())
            self.assertEqual(list(answer), ["path", "error"])
            self.assertIn("no such picture file", answer["error"])
        running.ask(self.data)
        self.assertIn("no such picture file", json.loads(running.line())["error"])
        running.ask(b"\xfc.png")  # no UTF-8
        self.assertEqual(json.loads(running.line())["path"], "\ufffd.png")
        status, rest, errors = running.end()
        self.assertEqual((status, rest), (1, ""))
        self.assertRegex(errors, r"^2 pictures: .*; 4 could not be read$")

    def test_lines(self):
        paths = sorted(map(str, (self.data / "disc/test").glob("*/*.png")))
        text = "\r\n".join([paths[0], "", paths[1]]) + "\n\n" + paths[2]
        out = self.folder / "lines.jsonl"
        out.write_text("{}\n")
        done = run("predict", "--model", self.model, paths[3], "-", paths[3], "--json", out, input=text)
        self.assertEqual(done.returncode, 0, done.stderr)
        expected = [paths[3], *paths[:3], paths[3]]
        self.assertEqual([line[8:] for line in done.stdout.splitlines()], expected)
        lines = [json.loads(line) for line in out.read_text().splitlines()]
        self.assertEqual([line.get("path") for line in lines], [None, *expected], "what was there stays")
        self.assertIn("5 pictures: median ", done.stderr)
        done = run("predict", "--model", self.model, "-", input="")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", "0 pictures\n"))

    def test_readable_answers(self):
        running = self.start("-", "--out", self.folder / "heat")
        for name, answer in (("disc/test/good/000.png", r"^\d\.\d{4}  /"), ("none.png", "^error   /")):
            running.ask(self.data / name)
            self.assertRegex(running.line(), answer)
        for name in ("disc/test/spot/000.png", "disc/test/good/000.png"):
            running.ask(self.data / name)
            running.line()
        status, _, errors = running.end()
        self.assertEqual(status, 1)
        self.assertRegex(errors, r"error: \[.*none.png\] no such picture file")
        self.assertEqual(self.names(self.folder / "heat"), ["000-2-overlay.png", "000-overlay.png"])

    def test_closed_output(self):
        with self.closed_pipe() as output:
            running = self.start("-", "--jsonl", stdout=output)
        running.ask(self.data / "disc/test/good/000.png")
        self.assertEqual(running.process.wait(timeout=PATIENCE), 1)
        self.assertIn("[standard output] cannot be written: Broken pipe", running.errors.get(timeout=PATIENCE))
        done = subprocess.run(f"exec '{scene.PROGRAM}' predict --model '{self.model}' '{self.data}' >&-", shell=True,
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual((done.returncode, done.stderr),
                         (1, "error: [standard output] cannot be written: Bad file descriptor\n"))

    def test_a_full_disk(self):
        """A line that does not fit is taken back; what is there stays whole."""
        out = self.folder / "full.jsonl"
        picture = str(self.data / "disc/test/good/000.png")
        done = run("predict", "--model", self.model, "-", "--json", out, input=picture)
        self.assertEqual(done.returncode, 0, done.stderr)
        whole = out.read_text()

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) * 3 // 2, resource.RLIM_INFINITY))

        done = run("predict", "--model", self.model, "-", "--json", out, input=picture, preexec_fn=limit)
        self.assertEqual(done.returncode, 1)
        self.assertIn("full.jsonl] cannot be written: ", done.stderr)
        self.assertEqual(out.read_text(), whole)

    def test_what_is_no_list_of_paths(self):
        done = run("predict", "--model", self.model, "-", input="x" * 3000000)
        self.assertEqual(done.returncode, 1)
        self.assertIn("[standard input] a line of more than 1048576 bytes found", done.stderr)
        done = run("predict", "--model", self.model, "-", "-", input="")
        self.assertIn("[-] standard input can be read once only", done.stderr)


if __name__ == "__main__":
    scene.main()
