#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Few-shot, views of objects, RGB with infrared, RGB with depths: drawn data sets in their layouts, learnt from and
judged."""
import json
import random
import struct
import sys

sys.dont_write_bytecode = True
import scene
from scene import Scene, draw, log_of, run, write_png


def write_tiff(path, values, width, height, samples=1):
    """An uncompressed TIFF of 32-bit floating-point values."""
    lists = 8 + 2 + 10 * 12 + 4
    bits, formats = (32, 3) if samples == 1 else (lists, lists + 6)
    fields = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, samples, bits), (259, 3, 1, 1),
              (262, 3, 1, 1 if samples == 1 else 2), (273, 4, 1, lists + 12), (277, 3, 1, samples), (278, 4, 1, height),
              (279, 4, 1, 4 * len(values)), (339, 3, samples, formats)]
    data = struct.pack("<2sHIH", b"II", 42, 8, len(fields)) + b"".join(struct.pack("<HHII", *field) for field in fields)
    data += struct.pack("<I6H", 0, 32, 32, 32, 3, 3, 3) + struct.pack(f"<{len(values)}f", *values)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def read_tiff(path):
    """The values of a file that write_tiff() or the program wrote with one value a pixel."""
    data = path.read_bytes()
    return list(struct.unpack(f"<{(len(data) - 146) // 4}f", data[146:]))


def strip(kind, seed, faults, side=32):
    """Five views of 256 columns side by side, and the mask; `faults` are the numbers of the views that are bad."""
    rows, masks = [[] for _ in range(side)], [[] for _ in range(side)]
    for view in range(5):
        picture, mask = draw(kind, f"{seed}-{view}", view in faults, 40)
        for y in range(side):
            for x in range(256):
                rows[y] += picture[y][3 * (x * 40 // 256):3 * (x * 40 // 256) + 3]
                masks[y].append(mask[y][x * 40 // 256])
    return rows, masks


class Scenarios(Scene):
    def eval(self, model, data, *more):
        """What eval --json says, and what it prints."""
        file = self.folder / "eval.json"
        done = run("eval", "--model", model, "--data", data, "--json", file, *more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(file.read_text()), done.stdout

    def predicted(self, model, *arguments):
        done = run("predict", "--model", model, "--jsonl", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    # --- few-shot

    def test_few_shot_draws_what_python_draws(self):
        done = run(*self.training(self.folder / "dry", shot=2, dry_run=True))
        self.assertEqual(done.returncode, 0, done.stderr)
        numbers = random.Random()
        numbers.seed(1)
        for kind in ("disc", "stripes"):
            names = " ".join(f"{i:03}.png" for i in numbers.sample(range(6), 2))
            self.assertIn(f"class {kind}: 2 of 6 pictures are learnt from, augmented: {names}", done.stdout)
        self.assertIn("features are not kept: each time a picture is augmented in another way", done.stdout)
        self.assertNotIn("repeated", done.stdout)
        self.assertFalse((self.folder / "dry").exists())

    def test_few_shot_runs_go_on_bit_for_bit(self):
        whole = self.train("few", shot=1)
        self.assertEqual(json.loads((whole / "config.json").read_text())["shot"], 1)
        cut = self.train("few_cut", shot=1, iterations=3, schedule=6)
        again = self.train("few_cut", schedule=6, shot=1, resume=True)
        self.assert_equal_runs(whole, again)
        self.assertEqual(log_of(whole), log_of(self.train("few_threads", shot=1, threads=1)))
        done = run(*self.training(cut, shot=2, schedule=6, resume=True))
        self.assertIn("cannot be resumed with another ", done.stderr)

    def test_few_shot_repeats_and_refuses(self):
        done = run(*self.training(self.folder / "dry", shot=1, dry_run=True))
        self.assertIn("2 pictures are fewer than a batch of 4: they are repeated", done.stdout)
        done = run(*self.training(self.folder / "dry", shot=7))
        self.assertEqual(done.returncode, 1)
        self.assertIn("class 'disc' has 6 pictures to learn from, fewer than the 7 asked for", done.stderr)
        done = run(*self.training(self.folder / "dry", shot=1, cache_features="memory"))
        self.assertIn("[--cache-features] 'memory' with --shot: augmented pictures have other features each time",
                      done.stderr)
        self.assertNotEqual(log_of(self.train("seed_2", shot=1, seed=2)), log_of(self.train("seed_3", shot=1, seed=3)))

    # --- views of objects

    def test_manta(self):
        data = self.folder / "manta"
        for i in range(3):
            write_png(data / f"food/nut/train/good/{i}.png", strip("disc", i, ())[0])
        write_png(data / "food/nut/test/good/7.png", strip("disc", 7, ())[0])
        for i, faults in enumerate(((1,), (0, 4))):
            picture, mask = strip("disc", 20 + i, faults)
            write_png(data / f"food/nut/test/bad/{i}.png", picture)
            write_png(data / f"food/nut/ground_truth/bad/{i}.png", mask, channels=1)
        done = run(*self.training(self.folder / "dry", data=data, dry_run=True))
        for words in ("MANTA-Tiny (there are classes in folders, with pictures of five views)",
                      "class nut: 15 pictures to learn from, 15 to judge (10 of them bad); 1280x32 colour; masks by name",
                      "views of objects: 3 objects to learn from, 3 to judge (2 of them bad)"):
            self.assertIn(words, done.stdout)
        model = self.train("manta_run", data=data)
        judged, _ = self.eval(model, data)
        self.assertEqual([(o["object"], o["label"]) for o in judged["objects"]],
                         [("nut/bad/0.png", 1), ("nut/bad/1.png", 1), ("nut/good/7.png", 0)])
        self.assertEqual([p["label"] for p in judged["pictures"]], [0, 1, 0, 0, 0, 1, 0, 0, 0, 1] + [0] * 5)
        self.assertEqual(judged["pictures"][1]["path"], "food/nut/test/bad/0.png@256,0")
        self.assertEqual(judged["pictures"][1]["object"], "nut/bad/0.png")
        page = (model / "report.html").read_text()
        self.assertIn("Each is an object of several pictures, 15 in all", page)
        self.assertIn("view 5, overlay", page)
        # The object's score is that of the largest values of all five maps: between those of its views.
        first = [p["score"] for p in judged["pictures"][:5]]
        self.assertTrue(min(first) < judged["objects"][0]["score"] < max(first))
        lines, warning = self.predicted(model, "--object", "strip", data / "food/nut/test/bad", "--out", self.folder / "heat")
        self.assertNotIn("warning", warning)
        for line, known in zip(lines, judged["objects"]):
            self.assertAlmostEqual(line["score"], known["score"], places=5)
        self.assertEqual([p["part"] for p in lines[0]["pictures"]], [f"view {i}" for i in range(1, 6)])
        self.assertTrue((self.folder / "heat/0-view-3-overlay.png").exists())
        self.assertIn("thresholds are for scores of objects with several views; these are of single pictures", self.predicted(model, data / "food/nut/test/good/7.png")[1])
        done = run(*self.training(self.folder / "dry", data=data, tile=64))
        self.assertIn("views and pictures with depths are seen as a whole, tiles of 64x64 asked for", done.stderr)
        self.assertIn("is for Real-IAD", run(*self.training(self.folder / "dry", multi_view=True)).stderr)

    def test_realiad_views(self):
        data = self.folder / "realiad"

        def entry(folder, name, bad):
            path = f"{folder}/{name}.jpg"
            picture, mask = draw("disc", path, bad)
            write_png(data / "realiad_1024/usb/usb" / path, picture)
            if bad:
                write_png(data / f"realiad_1024/usb/usb/{folder}/{name}.png", mask, channels=1)
            return {"anomaly_class": "OK" if folder.startswith("OK") else "HS", "image_path": path,
                    "mask_path": f"{folder}/{name}.png" if bad else None}

        lists = {"meta": {"prefix": "usb/"}, "train": [entry(f"OK/S{i}", c, False) for i in (3, 1, 2) for c in "ab"],
                 "test": [entry("OK/S8", "a", False), entry("NG/S9", "a", True), entry("OK/S8", "b", False),
                          entry("NG/S9", "b", False), entry("NG/S7", "a", False), entry("NG/S7", "b", True)]}
        file = data / "realiad_jsons/realiad_jsons/usb.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(lists))
        model = self.train("realiad_run", data=data, multi_view=True)
        judged, text = self.eval(model, data, "--multi-view")
        self.assertIn("views of objects: 3 objects to learn from, 3 to judge (2 of them bad)", text)
        self.assertEqual([(o["object"], o["label"]) for o in judged["objects"]],
                         [("usb/NG/S7", 1), ("usb/NG/S9", 1), ("usb/OK/S8", 0)])
        self.assertEqual([p["label"] for p in judged["pictures"]], [0, 1, 1, 0, 0, 0])
        apart, text = self.eval(model, data)
        self.assertNotIn("objects", apart)
        self.assertNotIn("views", text)
        self.assertEqual([p["label"] for p in apart["pictures"]], [0, 1, 0, 1, 1, 1])
        lines, _ = self.predicted(model, "--object", "folder", data / "realiad_1024/usb/usb/OK/S8")
        self.assertEqual(len(lines), 1)
        self.assertTrue(lines[0]["path"].endswith("OK/S8"))
        self.assertAlmostEqual(lines[0]["score"], judged["objects"][2]["score"], places=5)
        # Thresholds are those of objects: two of them are bad, one is good.
        decision = json.loads(scene.read_safetensors(model / "model.safetensors")[1]["dinomaly"])["decision"]
        self.assertEqual((decision["classes"]["usb"]["bad"], len(decision["classes"]["usb"]["good_scores"])), (2, 1))

    # --- an RGB and an infrared picture

    def test_pairs(self):
        data = self.folder / "mulsen"
        for side, kind in (("RGB", "disc"), ("Infrared", "stripes")):
            for i in range(5):
                write_png(data / f"cube/{side}/train/{i}.png", draw(kind, i, False)[0])
            for i in range(2):
                write_png(data / f"cube/{side}/test/good/{i}.png", draw(kind, 50 + i, False)[0])
            for i in (2, 10, 3):  # 3 is bad in its point cloud alone
                bad = i != 3 and not (side == "RGB" and i == 10)
                picture, mask = draw(kind, 80 + i, bad)
                write_png(data / f"cube/{side}/test/dent/{i}.png", picture)
                if bad:
                    write_png(data / f"cube/{side}/GT/dent/{i}.png", mask, channels=1)
        (data / "cube/RGB/GT/dent/data.csv").write_text("object,rgb,infrared,pointcloud\n2,1,1,1\n3,0,0,1\n10,0,1,0\n")
        done = run(*self.training(self.folder / "dry", data=data, dry_run=True))
        for words in ("MulSen-AD (there are folders RGB and Infrared in cube)", "class cube: 10 pictures to learn from, "
                      "10 to judge (3 of them bad)",
                      "pairs of an RGB and an infrared picture: 5 objects to learn from, 5 to judge (3 of them bad)"):
            self.assertIn(words, done.stdout)
        done = run(*self.training(self.folder / "dry", data=data, batch=3))
        self.assertIn("[--batch] 3 pictures of objects with 2 each; a multiple expected", done.stderr)
        model = self.train("mulsen_run", data=data)
        judged, _ = self.eval(model, data)
        self.assertEqual([(o["object"], o["label"]) for o in judged["objects"]],
                         [("cube/dent/2", 1), ("cube/dent/3", 1), ("cube/dent/10", 1), ("cube/good/0", 0),
                          ("cube/good/1", 0)])
        self.assertEqual([p["label"] for p in judged["pictures"]], [1, 1, 0, 0, 0, 1, 0, 0, 0, 0])
        for i, found in enumerate(judged["objects"]):
            self.assertAlmostEqual(found["score"], sum(p["score"] for p in judged["pictures"][2 * i:2 * i + 2]), places=6)
        self.assertEqual(sorted(judged["classes"]["cube"]["parts"]), ["infrared", "rgb"])
        self.assertIsNotNone(judged["classes"]["cube"]["parts"]["infrared"]["pixel gt>0.5"]["auroc"])
        lines, _ = self.predicted(model, "--object", "pair", data / "cube/RGB/test/dent", data / "cube/Infrared/test/dent")
        scores = {line["path"].split("/")[-1]: line["score"] for line in lines}
        self.assertEqual(len(lines), 3)
        self.assertAlmostEqual(scores["10.png"], judged["objects"][2]["score"], places=5)
        done = run("predict", "--model", model, "--object", "pair", self.data / "disc/test/good/000.png")
        self.assertIn("no infrared picture to it: a path with a folder RGB expected", done.stderr)

    # --- RGB and depths

    def write_3d(self, data):
        def part(folder, i, bad):
            picture, mask = draw("disc", f"{folder} {i}", bad)
            write_png(data / f"rope/{folder}/rgb/{i}.png", picture)
            write_png(data / f"rope/{folder}/gt/{i}.png", mask, channels=1)
            places = [value for y in range(40) for x in range(40)
                      for value in (x, y, 0 if x < 6 else 1 + 0.01 * y + (0.2 if mask[y][x] else 0))]
            write_tiff(data / f"rope/{folder}/xyz/{i}.tiff", places, 40, 40, 3)

        for i in range(5):
            part("train/good", i, False)
        for i in range(2):
            part("test/good", i, False)
            part("test/cut", i, True)

    def test_depths(self):
        data = self.folder / "mvtec_3d"
        self.write_3d(data)
        done = run(*self.training(self.folder / "dry", data=data))
        self.assertIn("pictures with depths are learnt from by Dinomaly2 alone; --variant dinomaly2 expected", done.stderr)
        done = run(*self.training(self.folder / "dry", data=data, variant="dinomaly2", dry_run=True))
        self.assertEqual(done.returncode, 0, done.stderr)
        for words in ("MVTec 3D-AD (there are folders rgb in those of rope)", "each with its depths, xyz",
                      "class rope: 5 pictures to learn from, 4 to judge (2 of them bad); 40x40 colour; masks by name"):
            self.assertIn(words, done.stdout)
        model = self.train("depth_run", data=data, variant="dinomaly2")
        before, _ = self.eval(model, data)
        done = run("prepare", "mvtec3d", "--data", data)
        self.assertIn("wrote 9 files of depths, 0 were there already", done.stdout, done.stderr)
        depths = read_tiff(data / "rope/test/cut/z/1.tiff")
        self.assertEqual(len(depths), 1600)
        self.assertEqual(depths[:3], [0, 0, 0])  # three passes fill three of six columns
        self.assertAlmostEqual(depths[5], 1.005, places=5)
        self.assertIn("wrote 0 files of depths, 9 were there already", run("prepare", "mvtec3d", "--data", data).stdout)
        after, _ = self.eval(model, data)
        self.assertEqual(before["pictures"], after["pictures"])
        self.assertNotIn("objects", after)
        lines, _ = self.predicted(model, data / "rope/test/cut")
        self.assertEqual([line["path"].split("/")[-1] for line in lines], ["0.png", "1.png"])
        for line, known in zip(lines, after["pictures"]):
            self.assertAlmostEqual(line["score"], known["score"], places=5)
        few = run(*self.training(self.folder / "few_depths", data=data, variant="dinomaly2", shot=2))
        self.assertIn("class rope: 2 of 5 pictures are learnt from, augmented", few.stdout, few.stderr)
        self.assertEqual(few.returncode, 0, few.stderr)
        done = run("eval", "--model", model, "--data", self.data)
        self.assertIn("a picture found, but the model was trained on pictures with depths", done.stderr)
        done = run("predict", "--model", model, self.data / "disc/test/good/000.png")
        self.assertIn("no depths beside it", done.stderr)
        (data / "rope/train/good/z/0.tiff").write_bytes(b"words")
        done = run(*self.training(self.folder / "refused", data=data, variant="dinomaly2"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("z/0.tiff] not a sound TIFF", done.stderr)
        self.assertIn("no places", run("prepare", "mvtec3d", "--data", self.data).stderr)


if __name__ == "__main__":
    scene.main()
