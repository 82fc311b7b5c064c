#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sizes that are not square, and pictures larger than a tile: training, figures, heat maps, and what is refused."""
import json
import sys

sys.dont_write_bytecode = True
import scene
from scene import Scene, draw, log_of, read_safetensors, run, write_png

LARGE = {"size": 32, "crop": 28, "tile": 40}  # of pictures of 100 x 80


def enlarged(rows, channels, width=100, height=80):
    """A drawn picture of 40 x 40 in the upper left corner of a larger one, which repeats it."""
    return [[rows[y % 40][channels * (x % 40) + c] for x in range(width) for c in range(channels)]
            for y in range(height)]


class Sizes(Scene):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.large = cls.folder / "large"
        for i in range(4):
            write_png(cls.large / f"disc/train/good/{i:03}.png", enlarged(draw("disc", i, False)[0], 3))
        for i in range(2):
            write_png(cls.large / f"disc/test/good/{i:03}.png", enlarged(draw("disc", 100 + i, False)[0], 3))
            bad, mask = draw("disc", 200 + i, True)  # in the upper left part alone
            picture = enlarged(draw("disc", 300 + i, False)[0], 3)
            truth = [[0] * 100 for _ in range(80)]
            for y in range(40):
                picture[y][:120] = bad[y]
                truth[y][:40] = mask[y]
            write_png(cls.large / f"disc/test/spot/{i:03}.png", picture)
            write_png(cls.large / f"disc/ground_truth/spot/{i:03}_mask.png", truth, channels=1)

    def done(self, *arguments):
        done = run(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def about(self, model):
        return json.loads(read_safetensors(model)[1]["dinomaly"])

    def refused(self, arguments, *words, status=1):
        done = run(*arguments)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    # --- sides that differ

    def test_oblong_pictures(self):
        folder = self.train("oblong", size="112x84", crop="98x70", iterations=30, warmup=4)
        model = folder / "model.safetensors"
        about = self.about(model)
        self.assertEqual((about["size"], about["crop"]), ([112, 84], [98, 70]))
        self.assertNotIn("tile", about)
        log = log_of(folder)
        self.assertLess(log[-1]["loss"], 0.8 * log[0]["loss"])
        out, heat, lines = self.folder / "oblong.json", self.folder / "oblong_heat", self.folder / "oblong.jsonl"
        self.done("eval", "--model", model, "--data", self.data, "--json", out)
        self.assertEqual(json.loads(out.read_text()), json.loads((folder / "metrics.json").read_text()))
        picture = self.data / "disc/test/spot/000.png"
        self.done("predict", "--model", model, picture, "--json", lines, "--out", heat)
        line = json.loads(lines.read_text())
        self.assertEqual((line["map_width"], line["map_height"]), (256, 256))
        scores = {p["path"]: p["score"] for p in json.loads(out.read_text())["pictures"]}
        self.assertAlmostEqual(line["score"], scores["disc/test/spot/000.png"], places=4)
        self.assertEqual((line["width"], line["height"]), (40, 40))
        self.assertEqual([file.name for file in heat.iterdir()], ["000-overlay.png"])
        # A width for a height is another model's input.
        self.done("predict", "--model", model, picture, "--json", lines, "--size", "84x112", "--crop", "70x98")
        self.assertNotAlmostEqual(json.loads(lines.read_text())["score"], line["score"], places=4)

    def test_oblong_runs_go_on_bit_for_bit(self):
        sizes = {"size": "56x42", "crop": "56x28", "schedule": 6}
        whole = self.train("oblong_whole", **sizes)
        self.train("oblong_parts", **sizes | {"iterations": 3})
        parts = self.train("oblong_parts", **sizes, resume=True)
        self.assert_equal_runs(whole, parts)

    def test_errors_name_the_side(self):
        out = self.folder / "refused"
        for size, crop, words in (("112x84", "98x75", "height 75, 70 or 84 fit"),
                                  ("112x84", "98x98", "height 98, at most 84 expected"),
                                  ("84x112", "98x98", "width 98, at most 84 expected")):
            self.refused(self.training(out, size=size, crop=crop), f"crop {crop}", words)
        self.refused(self.training(out, size="112x"), "--size", status=2)
        self.assertFalse(out.exists())

    # --- tiles

    def test_tiles(self):
        folder = self.train("tiles", data=self.large, iterations=40, warmup=4, **LARGE)
        model = folder / "model.safetensors"
        self.assertEqual(self.about(model)["tile"], 40)
        out, maps = self.folder / "tiles.json", self.folder / "tiles.safetensors"
        table = self.done("eval", "--model", model, "--data", self.large, "--json", out, "--maps", maps).stdout
        self.assertIn("tiles of 40x40", table)
        found = json.loads(out.read_text())
        self.assertEqual(found, json.loads((folder / "metrics.json").read_text()))
        self.assertEqual(read_safetensors(maps)[0]["disc/maps"][:2], ("F32", [4, 256, 256]))
        self.assertGreater(found["mean"]["pixel gt>0"]["auroc"], 0.5)

        lines, heat = self.folder / "tiles.jsonl", self.folder / "tiles_heat"
        pictures = sorted((self.large / "disc/test").glob("*/*.png"))
        self.done("predict", "--model", model, *pictures, "--json", lines, "--out", heat)
        scores = {p["path"]: p["score"] for p in found["pictures"]}
        for path, line in zip(pictures, map(json.loads, lines.read_text().splitlines()), strict=True):
            self.assertEqual((line["map_width"], line["map_height"]), (731, 585))  # 256 for 35 of the 100 pixels
            self.assertEqual(line["covered"], [0, 0, 100, 80])
            self.assertAlmostEqual(line["score"], scores[str(path.relative_to(self.large))], places=4)
        self.assertEqual(len(list(heat.iterdir())), len(pictures))

        # As a whole the same picture is another one, and so is it in other tiles.
        other = {}
        for tile in ("off", "100x80", "60x50"):
            self.done("predict", "--model", model, pictures[0], "--tile", tile, "--json", lines)
            other[tile] = json.loads(lines.read_text())
            other[tile].pop("milliseconds")
        self.assertEqual(other["off"], other["100x80"])
        self.assertEqual(other["off"]["map_width"], 256)
        self.assertGreater(other["60x50"]["map_width"], 256)
        self.assertNotAlmostEqual(other["60x50"]["score"], other["off"]["score"], places=5)

        # Pictures that are no larger than a tile are judged as ever.
        small = self.data / "disc/test/good/000.png"
        results = []
        for tile in ([], ["--tile", "off"]):
            self.done("predict", "--model", model, small, "--json", lines, *tile)
            results.append(json.loads(lines.read_text()))
            results[-1].pop("milliseconds")
        self.assertEqual(results[0], results[1])

    def test_training_on_tiles(self):
        done = run(*self.training(self.folder / "counted", data=self.large, **LARGE))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("warning", done.stderr)
        # Steps of at most 30 of the 35 pixels that a tile shows: 4 columns and 3 rows of each of 4 pictures.
        self.assertIn("48 tiles or smaller pictures to learn from, tiles of 40x40", done.stdout)
        features = self.about(self.folder / "counted/model.safetensors")["training"]["features"]
        self.assertEqual(features["asked"], 24)
        # Where no picture is larger than a tile, nothing changes.
        plain, tiled = self.train("plain"), self.train("one_tile", tile=40)
        self.assertEqual(log_of(plain), log_of(tiled))
        self.assertEqual(*((path / "metrics.json").read_text() for path in (plain, tiled)))
        # Kept features and a run in two parts give the same bits.
        settings = LARGE | {"data": self.large, "schedule": 8, "iterations": 8}
        whole = self.train("whole", **settings, cache_features="off")
        self.train("parts", **settings | {"iterations": 3}, cache_features="disk")
        parts = self.train("parts", **settings, cache_features="disk", resume=True)
        self.assert_equal_runs(whole, parts)
        self.refused([*self.training(parts, **settings | {"tile": 50}), "--resume"],
                     "cannot be resumed with another tile", '"40"', '"50"')

    def test_order_names_tiles(self):
        order = self.folder / "order.json"
        order.write_text(json.dumps([["disc/train/good/000.png@-3,-3", "disc/train/good/001.png@63,43"]] * 6))
        self.train("ordered", data=self.large, order=order, **LARGE)
        order.write_text(json.dumps([["disc/train/good/000.png"]] * 6))
        self.refused(self.training(self.folder / "refused", data=self.large, order=order, **LARGE),
                     "000.png", "no training picture")

    def test_bad_tiles(self):
        out = self.folder / "refused"
        for tile in ("0", "0x40", "large", "40x", "-5", "1000000"):
            self.refused(self.training(out, tile=tile), "--tile", status=2)
        self.refused(self.training(out, tile="100001x40"), "[tile] 100001x40: sides of 1 to 100000 pixels expected")
        huge = self.folder / "huge"
        write_png(huge / "000.png", enlarged(draw("disc", 1, False)[0], 3, 150, 120))
        self.refused(self.training(out, data=huge, tile=1), "a tile of 1x1 cuts a picture of 150x120 into",
                     "larger tiles are needed")
        self.assertFalse(out.exists(), "a refused run leaves nothing behind")
        folder = self.train("small_tile", iterations=1, tile=30)
        model = folder / "model.safetensors"
        done = self.done("predict", "--model", model, self.data / "disc/test/good/000.png")
        self.assertIn("warning: --tile 30 is smaller than --size 32: tiles are enlarged", done.stderr)
        for command in (["predict", self.data / "disc/test/good"], ["eval", "--data", self.data]):
            self.refused([*command, "--model", model, "--tile", "0"], "--tile", status=2)
            self.refused([*command, "--model", model, "--tile", "200000"], "sides of 1 to 100000 pixels expected")

    def test_a_damaged_tile_in_a_file(self):
        model = self.train("damaged", iterations=1, tile=40) / "model.safetensors"
        whole = model.read_bytes()
        field = b'\\"tile\\":'
        self.assertIn(field + b"40", whole)
        for found, words in ((b" 0", "[tile] 0x0"), (b"-4", "a whole number expected")):
            model.write_bytes(whole.replace(field + b"40", field + found))
            self.refused(["predict", "--model", model, self.data / "disc/test/good"], "damaged", words)


if __name__ == "__main__":
    scene.main()
