#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Data sets in their published layouts: what is said of them before training, and 'prepare visa'.

With a second argument, the folder beside the checkout that holds genuine split files, their pictures are rendered and the
program has to find what they list.
"""
import csv
import json
import os
import pathlib
import shutil
import struct
import sys
import zlib

sys.dont_write_bytecode = True
import scene
from scene import Scene, draw, run, write_png

SHARED = None


def write_visa(root, name="candle", train=5, test=2):
    """VisA as it is shipped, with one class; returns the rows of its split file. Masks hold the number of a defect."""
    rows = []
    for i in range(train + test):
        path = f"{name}/Data/Images/Normal/{i:04}.JPG"
        write_png(root / path, draw("disc", i, False)[0])
        rows.append([name, "train" if i < train else "test", "normal", path, ""])
    for i in range(test):
        path, mask = f"{name}/Data/Images/Anomaly/{i:03}.JPG", f"{name}/Data/Masks/Anomaly/{i:03}.png"
        picture, truth = draw("disc", 100 + i, True)
        write_png(root / path, picture)
        write_png(root / mask, [[v // 255 * (i + 1) for v in row] for row in truth], channels=1)
        rows.append([name, "test", "anomaly", path, mask])
    return rows


def write_split(path, rows, end="\n", header="object,split,label,image,mask"):
    path.write_text("".join(line + end for line in [header, *(",".join(row) for row in rows)]), newline="")
    return path


def tree(folder):
    """Names and contents below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


class DataSets(Scene):
    def told(self, data, *words, **options):
        """Trains one iteration and checks what is said of the data; returns it."""
        out = self.folder / "told"
        done = run(*self.training(out, data=data, iterations=1, batch=2, **options))
        shutil.rmtree(out, ignore_errors=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in words:
            self.assertIn(word, done.stdout)
        return done.stdout

    def fresh(self, name):
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    # --- what is said

    def test_own_folder(self):
        text = self.told(self.data, "own folder (2 classes, most of them in no published data set)",
                         "class disc: 6 pictures to learn from, 4 to judge (2 of them bad); 40x40 colour; masks by name",
                         "in all: 12 pictures to learn from, 8 to judge (4 of them bad)")
        self.assertNotIn("note:", text)
        self.told(self.data, "own folder (as asked for)", dataset="folder")
        plain = self.data / "disc/train/good"
        self.told(plain, "taken for good ones", "class good: 6 pictures to learn from, 0 to judge")
        moved = self.fresh("parts")
        shutil.copytree(plain, moved / "good")
        self.told(moved, "class parts: 6 pictures to learn from, 0 to judge")

    def test_oddities(self):
        data = self.fresh("odd")
        scene.write_data(data, kinds=("bottle",))
        scene.write_data(data, kinds=("cable", "mine"))
        bottle = data / "bottle"
        shutil.copy(bottle / "train/good/000.png", bottle / "test/good/copy.png")
        write_png(bottle / "train/good/grey.png", [[7] * 30] * 20, channels=1)
        (bottle / "ground_truth/spot/000_mask.png").rename(bottle / "ground_truth/spot/zzz.png")
        (data / "cable/ground_truth/spot/000_mask.png").unlink()
        write_png(data / "mine/ground_truth/spot/stray.png", [[0]], channels=1)
        write_png(data / "mine/ground_truth/spot/000_mask.png", [[0] * 9] * 8, channels=1)
        write_png(data / "mine/test/dent/1.png", draw("disc", 3, True)[0])
        write_png(data / "cable/train/good/000.png", [[9, 9, 9] * 40] * 40)
        self.told(data, "MVTec-AD (3 classes, 2 of them with names of MVTec-AD)",
                  "class bottle: 7 pictures to learn from, 5 to judge (2 of them bad); 2 sizes, from 30x20 to 40x40",
                  "masks by order", "note: bottle/spot: names differ, masks are paired by order: "
                  "000.png with 001_mask.png, 001.png with zzz.png",
                  "note: bottle: not the published pictures of MVTec-AD: 7 of 209 to learn from, 3 of 20 good ones to "
                  "judge, 2 of 63 bad ones to judge",
                  "note: bottle: 1 picture to judge equal to one learned from: bottle/test/good/copy.png "
                  "(bottle/train/good/000.png)",
                  "40x40 grey, stored as colour; masks some by name",
                  "note: cable/spot: no mask for 1 of 2 pictures, nothing counts as defect there: 000.png",
                  "note: 'mine' is no class of MVTec-AD", "masks: dent no masks, spot by name",
                  "note: mine/dent: no masks for 1 bad picture", "note: mine/spot: 1 mask of no picture",
                  "note: mine/ground_truth/spot/000_mask.png: the mask is 9x8, its picture 40x40; both are resized",
                  "; 3 of 15 classes of MVTec-AD")

    def test_files_that_cannot_be_used(self):
        data = self.fresh("unusable")
        scene.write_data(data, kinds=("disc",))
        (data / "disc/test/good/000.png").write_bytes(b"")
        (data / "disc/ground_truth/spot/000_mask.png").write_bytes(b"words")
        done = run(*self.training(self.folder / "refused", data=data))
        self.assertEqual(done.returncode, 1)
        self.assertIn("unusable] 2 files cannot be used, the first: ", done.stderr)
        self.assertIn("000.png: the file is empty", done.stderr)
        self.assertIn("000_mask.png] not a picture", done.stdout)
        self.assertFalse((self.folder / "refused").exists())

    def test_wrong_usage(self):
        done = run(*self.training(self.folder / "refused", dataset="imagenet"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("--dataset", done.stderr)
        done = run(*self.training(self.folder / "refused", classes="dics"))
        self.assertIn("no class 'dics', did you mean 'disc'?; found: disc, stripes", done.stderr)
        done = run(*self.training(self.folder / "refused", dataset="realiad"))
        self.assertIn("no lists of Real-IAD", done.stderr)

    # --- Real-IAD

    def write_realiad(self, root, lists="realiad_jsons/realiad_jsons", bad_to_learn=0):
        """One class of three good pictures to learn from, a good and a bad one to judge."""
        def entry(kind, name, mask=None):
            return {"category": "pcb", "anomaly_class": kind, "image_path": name, "mask_path": mask}

        train = [entry("OK", f"OK/S1/{i}.jpg") for i in range(3)]
        train += [entry("HS", f"NG/{i}.jpg", f"NG/{i}.png") for i in range(9, 9 - bad_to_learn, -1)]
        test = [entry("OK", "OK/S2/8.jpg"), entry("QS", "NG/7.jpg", "NG/7.png")]
        file = root / lists / "pcb.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"meta": {"prefix": "pcb/"}, "train": train, "test": test}))
        for i, sample in enumerate(train + test):
            picture, mask = draw("disc", i, sample["mask_path"] is not None)
            write_png(root / "realiad_1024/pcb/pcb" / sample["image_path"], picture)
            if sample["mask_path"]:
                write_png(root / "realiad_1024/pcb/pcb" / sample["mask_path"], mask, channels=1)

    def test_realiad(self):
        data = self.fresh("realiad")
        self.write_realiad(data)
        self.write_realiad(data, "realiad_jsons_fuiad_0.4", bad_to_learn=2)
        (data / "realiad_jsons/realiad_jsons/toy.json").write_text("{}")
        self.told(data, "Real-IAD with the lists realiad_jsons (there is a folder realiad_jsons)",
                  "class pcb: 3 pictures to learn from, 2 to judge (1 of them bad); 40x40 colour; masks by list",
                  "not the published pictures of Real-IAD: 3 of 1235 to learn from",
                  "note: a list but no pictures, left out: toy")
        text = self.told(data, "Real-IAD with the lists realiad_jsons_fuiad_0.4", "class pcb: 5 pictures to learn from",
                         "note: pcb: 2 of 5 pictures to learn from are bad ones; all are used, as the list says",
                         lists="realiad_jsons_fuiad_0.4", dataset="realiad")
        self.assertNotIn("published", text)
        (data / "realiad_1024/pcb/pcb/NG/7.png").unlink()
        for command in (self.training(self.folder / "refused", data=data), ["eval", "--model", self.encoder, "--data", data]):
            done = run(*command)
            self.assertEqual(done.returncode, 1)
            self.assertIn("1 file cannot be used, the first: ", done.stderr)
            self.assertIn("NG/7.png: No such file", done.stderr)

    # --- VisA

    def prepare(self, data, split, out, *more):
        return run("prepare", "visa", "--data", data, "--split", split, "--out", out, *more)

    def test_prepare_visa(self):
        data = self.fresh("VisA")
        rows = write_visa(data) + write_visa(data, "pipe_fryum", train=3, test=1)
        done = run(*self.training(self.folder / "refused", data=data))
        self.assertIn(f"dinomaly prepare visa --data {data} --split 1cls.csv --out {self.folder / 'VisA_pytorch'}", done.stderr)
        found = []
        quoted = [[f'"{cell}"' for cell in row] for row in rows]
        mixed = write_split(self.folder / "bom.csv", quoted, "\r\n", "\ufeffobject,split,label,image,mask")
        for name, split, more in (("lf", write_split(self.folder / "lf.csv", rows), []),
                                  ("crlf", write_split(self.folder / "crlf.csv", rows, "\r\n"), ["--link"]),
                                  ("bom", mixed, [])):
            out = self.fresh(name) / "VisA_pytorch"
            done = self.prepare(data, split, out, *more)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("2 classes, 8 pictures to learn from, 6 to judge (3 of them bad)", done.stdout)
            found.append(tree(out))
        self.assertEqual(found[0], found[1])
        self.assertEqual(found[0], found[2])
        expected = {f"1cls/candle/train/good/{i:04}.JPG" for i in range(5)}
        expected |= {f"1cls/candle/test/good/{i:04}.JPG" for i in (5, 6)} | {"1cls/pipe_fryum/test/good/0003.JPG"}
        expected |= {f"1cls/pipe_fryum/train/good/{i:04}.JPG" for i in range(3)} | {"1cls/pipe_fryum/test/bad/000.JPG"}
        expected |= {f"1cls/candle/test/bad/{i:03}.JPG" for i in range(2)} | {"1cls/pipe_fryum/ground_truth/bad/000.png"}
        expected |= {f"1cls/candle/ground_truth/bad/{i:03}.png" for i in range(2)}
        self.assertEqual(set(found[0]), expected)
        source, linked = data / rows[0][3], self.folder / "crlf/VisA_pytorch/1cls/candle/train/good/0000.JPG"
        self.assertEqual(os.stat(source).st_ino, os.stat(linked).st_ino)
        text = self.told(self.folder / "lf", "VisA (there is a folder VisA_pytorch/1cls)",
                         "class candle: 5 pictures to learn from, 4 to judge (2 of them bad); 40x40 colour; masks by name")
        self.assertIn("5 of 900 to learn from", text)
        # 0 and 255, where the shipped mask has 0 and 2.
        self.assertEqual(self.mask_values(self.folder / "lf/VisA_pytorch/1cls/candle/ground_truth/bad/001.png"), {0, 255})

    @staticmethod
    def mask_values(path):
        """The values of an 8-bit grey PNG 40 pixels wide, its rows filtered in any way."""
        data, at, packed = path.read_bytes(), 8, b""
        while at < len(data):
            length, kind = struct.unpack(">I4s", data[at:at + 8])
            if kind == b"IHDR":
                assert data[at + 16:at + 18] == b"\x08\x00", "8 bit grey"
            if kind == b"IDAT":
                packed += data[at + 8:at + 8 + length]
            at += 12 + length
        rows, values, previous = zlib.decompress(packed), set(), bytearray(40)
        for start in range(0, len(rows), 41):
            kind, row = rows[start], bytearray(rows[start + 1:start + 41])
            for x in range(40):
                left, up = row[x - 1] if x else 0, previous[x]
                corner = previous[x - 1] if x else 0
                paeth = min((abs(up - corner), 0, left), (abs(left - corner), 1, up), (abs(left + up - 2 * corner), 2, corner))[2]
                row[x] = (row[x] + (0, left, up, (left + up) // 2, paeth)[kind]) % 256
            values |= set(row)
            previous = row
        return values

    def test_prepare_visa_goes_on(self):
        data, out = self.fresh("VisA_again"), self.fresh("again")
        split = write_split(self.folder / "again.csv", write_visa(data))
        self.assertEqual(self.prepare(data, split, out).returncode, 0)
        before = tree(out)
        kept = out / "1cls/candle/train/good/0001.JPG"
        stamp = kept.stat().st_mtime_ns
        (out / "1cls/candle/train/good/0000.JPG").write_bytes(b"half")
        (out / "1cls/candle/ground_truth/bad/000.png").unlink()
        (out / "1cls/candle/train/good/0002.JPG.tmp-copy").write_bytes(b"half")
        (out / "1cls/candle/ground_truth/bad/001.png.tmp-12-0").write_bytes(b"half")
        self.assertEqual(self.prepare(data, split, out).returncode, 0)
        self.assertEqual(tree(out), before)
        self.assertEqual(kept.stat().st_mtime_ns, stamp)
        (out / "1cls/candle/train/good/mine.JPG").write_bytes(b"mine")
        done = self.prepare(data, split, out)
        self.assertEqual(done.returncode, 1)
        self.assertIn("mine.JPG] is not of this split", done.stderr)

    def test_prepare_visa_refuses(self):
        data, out = self.fresh("VisA_bad"), self.folder / "bad_out"
        rows = write_visa(data)

        def refused(split, *words):
            done = self.prepare(data, split, out)
            self.assertEqual(done.returncode, 1, done.stdout)
            for word in words:
                self.assertIn(word, done.stderr)
            self.assertFalse(out.exists(), "a refused split leaves nothing behind")

        def changed(line, column, text):
            copy = [list(row) for row in rows]
            copy[line][column] = text
            return write_split(self.folder / "changed.csv", copy)

        refused(write_split(self.folder / "a.csv", rows, header="object,split,label,image"), "a.csv] no column 'mask'")
        refused(write_split(self.folder / "a.csv", []), "no rows below a header")
        refused(changed(2, 2, "good"), "changed.csv:4] the label 'good', normal or anomaly expected")
        refused(changed(2, 1, "val"), "changed.csv:4] the split 'val', train or test expected")
        refused(changed(2, 2, "anomaly"), "a bad picture to train on")
        refused(changed(7, 4, ""), "changed.csv:9] a bad picture without a mask")
        refused(changed(0, 3, ""), "changed.csv:2] no image")
        refused(changed(0, 0, "../x"), "the object '../x' is no name of a class")
        refused(changed(1, 3, rows[0][3]), "lines 2 and 3 would both become candle/train/good/0000.JPG")
        refused(changed(1, 3, '"open'), "line 3 opens a quote that is never closed")
        refused(changed(1, 3, "candle/none.JPG"), "1 of 11 listed files are missing, the first: ", "candle/none.JPG (line 3)")
        refused(self.folder / "none.csv", "none.csv] cannot be opened")
        done = self.prepare(self.folder / "nowhere", write_split(self.folder / "a.csv", rows), out)
        self.assertIn("nowhere] no such folder", done.stderr)
        self.assertEqual(run("prepare").returncode, 2)
        self.assertEqual(run("prepare", "visa").returncode, 2)


class GenuineLists(Scene):
    """The split files as they are published; every picture that they name is the same tiny one."""

    def setUp(self):
        if SHARED is None or not (SHARED / "lists").is_dir():
            self.skipTest("no genuine lists")
        self.work = self.folder / "genuine"
        shutil.rmtree(self.work, ignore_errors=True)
        self.models = {}
        for name, picture, channels in (("good", draw("disc", 1, False, 28)[0], 3), ("bad", draw("disc", 2, True, 28)[0], 3),
                                        ("mask", draw("disc", 2, True, 28)[1], 1)):
            self.models[name] = self.folder / f"{name}.png"
            write_png(self.models[name], picture, channels)

    def place(self, path, model):
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(self.models[model], path)

    def trained(self, data, *words, **options):
        out = self.folder / "genuine_run"
        shutil.rmtree(out, ignore_errors=True)
        done = run(*self.training(out, data=data, iterations=1, batch=2, init=self.folder / "stop", **options))
        for word in words:  # the data is described; then training stops, because judging thousands takes too long here
            self.assertIn(word, done.stdout)
        self.assertIn("stop] cannot be opened", done.stderr)

    def test_visa(self):
        root = self.work / "VisA"
        with open(SHARED / "lists/visa/1cls.csv", newline="") as file:
            for row in csv.DictReader(file):
                self.place(root / row["image"], "bad" if row["mask"] else "good")
                if row["mask"]:
                    self.place(root / row["mask"], "mask")
        out = self.work / "VisA_pytorch"
        done = run("prepare", "visa", "--data", root, "--split", SHARED / "lists/visa/1cls.csv", "--out", out, "--link")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("12 classes, 8659 pictures to learn from, 2162 to judge (1200 of them bad)", done.stdout)
        self.trained(self.work, "VisA (there is a folder VisA_pytorch/1cls)",
                     "class macaroni2: 900 pictures to learn from, 200 to judge (100 of them bad); 28x28 colour; masks by name",
                     "in all: 8659 pictures to learn from, 2162 to judge (1200 of them bad), as published")

    def test_realiad(self):
        root = self.work / "realiad"
        for file in sorted((SHARED / "lists/realiad").glob("*.json")):
            lists = root / "realiad_jsons/realiad_jsons"
            lists.mkdir(parents=True, exist_ok=True)
            (lists / file.name).write_bytes(file.read_bytes())
            content = json.loads(file.read_text())
            for entry in content["train"] + content["test"]:
                self.place(root / "realiad_1024" / file.stem / entry["image_path"], "bad" if entry["mask_path"] else "good")
                if entry["mask_path"]:
                    self.place(root / "realiad_1024" / file.stem / entry["mask_path"], "mask")
        self.trained(root, "Real-IAD with the lists realiad_jsons (there is a folder realiad_jsons)",
                     "class audiojack: 1235 pictures to learn from, 3815 to judge (1296 of them bad); 28x28 colour; masks by list",
                     "class pcb: 1235 pictures to learn from, 3775 to judge (2289 of them bad); 28x28 colour; masks by list")


if __name__ == "__main__":
    if len(sys.argv) > 2 and not sys.argv[2].startswith("-"):
        SHARED = pathlib.Path(sys.argv.pop(2)).resolve()
    scene.main()
