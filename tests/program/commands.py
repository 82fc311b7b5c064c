#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""train, eval, predict, info and convert: what they write and that it fits together."""
import json
import math
import struct
import sys

sys.dont_write_bytecode = True
import scene
from scene import Scene, read_safetensors, run, write_safetensors

PIXEL = {"auroc", "ap", "f1_max", "aupro", "aupro_exact"}


class Commands(Scene):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.run_folder = cls.folder / "run"
        cls.trained = run(*cls.training(cls, cls.run_folder, iterations=40, warmup=4, eval_every=20))
        cls.model = cls.run_folder / "model.safetensors"

    def done(self, *arguments):
        done = run(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_train(self):
        self.assertEqual(self.trained.returncode, 0, self.trained.stderr)
        self.assertIn("class disc: 6 pictures to learn from, 4 to judge (2 of them bad)", self.trained.stdout)
        lines = [json.loads(line) for line in (self.run_folder / "log.jsonl").read_text().splitlines()]
        self.assertEqual(list(lines[0]), ["iteration", "loss", "grad_norm", "lr", "seconds"])
        self.assertEqual(len(lines), 40)
        self.assertEqual(lines[0]["lr"], 0)
        self.assertAlmostEqual(lines[3]["lr"], 2e-3)
        self.assertLess(lines[-1]["loss"], 0.7 * lines[0]["loss"])
        tensors, metadata = read_safetensors(self.model)
        for name, (shape, values) in self.weights.items():  # the frozen part is what it was
            self.assertEqual(tensors["encoder." + name], ("F32", shape, struct.pack(f"<{len(values)}f", *values)))
        about = json.loads(metadata["dinomaly"])
        self.assertEqual((about["size"], about["crop"], about["classes"]), (32, 28, ["disc", "stripes"]))

    def test_eval(self):
        out, maps = self.folder / "eval.json", self.folder / "maps.safetensors"
        table = self.done("eval", "--model", self.model, "--data", self.data, "--json", out, "--maps", maps)
        for word in ("disc", "stripes", "mean", "AUPRO"):
            self.assertIn(word, table)
        found = json.loads(out.read_text())
        self.assertEqual(found, json.loads((self.run_folder / "metrics.json").read_text()))
        self.assertEqual(set(found), {"classes", "mean", "pictures"})
        self.assertEqual(set(found["classes"]), {"disc", "stripes"})
        for figures in [*found["classes"].values(), found["mean"]]:
            self.assertEqual(set(figures), {"image", "pixel gt>0", "pixel gt>0.5"})
            self.assertEqual(set(figures["image"]), {"auroc", "ap", "f1_max"})
            self.assertEqual(set(figures["pixel gt>0"]), PIXEL)
            self.assertTrue(all(0 <= value <= 1.000001 for group in figures.values() for value in group.values()))
        mean = sum(found["classes"][name]["pixel gt>0"]["ap"] for name in ("disc", "stripes")) / 2
        self.assertAlmostEqual(found["mean"]["pixel gt>0"]["ap"], mean)
        self.assertEqual([(p["path"], p["label"]) for p in found["pictures"]],
                         [(f"{kind}/test/{group}/{i:03}.png", label) for kind in ("disc", "stripes")
                          for group, label in (("good", 0), ("spot", 1)) for i in range(2)])
        tensors = read_safetensors(maps)[0]
        self.assertEqual({name: t[:2] for name, t in tensors.items()},
                         {"disc/maps": ("F32", [4, 256, 256]), "stripes/maps": ("F32", [4, 256, 256])})
        # The score is the mean of the largest 655 values of the map.
        values = sorted(struct.unpack(f"<{256 * 256}f", tensors["stripes/maps"][2][:4 * 256 * 256]), reverse=True)
        self.assertAlmostEqual(sum(values[:655]) / 655, found["pictures"][4]["score"], places=5)

    def test_one_class_without_bad_pictures_has_null_figures(self):
        data, out = self.folder / "only_good", self.folder / "only_good.json"
        scene.write_png(data / "disc/test/good/000.png", scene.draw("disc", 1, False)[0])
        table = self.done("eval", "--model", self.model, "--data", data, "--json", out)
        self.assertRegex(table, r"disc +- +- +-")
        self.assertIsNone(json.loads(out.read_text())["classes"]["disc"]["image"]["auroc"])

    def test_predict(self):
        heat, out = self.folder / "heat", self.folder / "predict.jsonl"
        folders = [self.data / "disc/test", self.data / "stripes/test/spot/001.png"]
        output = self.done("predict", "--model", self.model, *folders, "--out", heat, "--json", out)
        lines = [json.loads(line) for line in out.read_text().splitlines()]
        paths = [*(self.data / f"disc/test/{name}/{i:03}.png" for name in ("good", "spot") for i in range(2)), folders[1]]
        self.assertEqual([line["path"] for line in lines], list(map(str, paths)))
        self.assertEqual(len(output.splitlines()), 5)
        scores = {p["path"]: p["score"] for p in json.loads((self.run_folder / "metrics.json").read_text())["pictures"]}
        for line in lines:
            self.assertEqual((line["map_width"], line["map_height"]), (256, 256))
            expected = scores[str(scene.pathlib.Path(line["path"]).relative_to(self.data))]
            self.assertTrue(math.isclose(line["score"], expected, rel_tol=1e-4), line)
            self.assertEqual((line["width"], line["height"]), (40, 40))
            self.assertEqual(len(line["covered"]), 4)
            self.assertIn("defects", line)
            self.assertIn("pixel_threshold", line)
            self.assertTrue(scene.pathlib.Path(line["overlay"]).is_file())
            self.assertNotIn("map", line)
        pictures = sorted(path.name for path in heat.iterdir())
        self.assertEqual(len(set(pictures)), 5, "pictures of one name in several folders get names of their own")
        for name in pictures:
            content = (heat / name).read_bytes()
            self.assertTrue(name.endswith("overlay.png"))
            width, height = struct.unpack(">II", content[16:24])
            self.assertTrue(width > 40 and height >= 40, "the picture with its colour bar")

    def test_raw_maps(self):
        picture, raw, out = self.data / "disc/test/spot/000.png", self.folder / "raw", self.folder / "raw.jsonl"
        for kind, begin in (("png", b"\x89PNG"), ("tiff", b"II*\0"), ("npy", b"\x93NUMPY")):
            self.done("predict", "--model", self.model, picture, "--maps", raw, "--map-format", kind, "--json", out)
            path = scene.pathlib.Path(json.loads(out.read_text())["map"])
            self.assertEqual(path, raw / f"000-map.{kind}")
            self.assertTrue(path.read_bytes().startswith(begin))
        values = struct.unpack("<1600f", path.read_bytes()[-6400:])  # the npy file: 40 x 40
        left, top, width, height = json.loads(out.read_text())["covered"]
        for i, value in enumerate(values):
            inside = left <= i % 40 < left + width and top <= i // 40 < top + height
            self.assertTrue(0 <= value <= 2 if inside else math.isnan(value), (i, value))
        png = (raw / "000-map.png").read_bytes()
        self.assertEqual(struct.unpack(">IIBB", png[16:26]), (40, 40, 16, 0))

    def test_wrong_output_options(self):
        picture, taken = self.data / "disc/test/spot/000.png", self.folder / "taken"
        taken.write_text("")
        for options, status, words in ((["--maps", taken], 1, "the folder cannot be made"),
                                       (["--out", taken / "in"], 1, "the folder cannot be made"),
                                       (["--map-format", "bmp"], 2, "bmp not in {npy,png,tiff}"),
                                       (["--min-area", "0"], 2, "--min-area")):
            done = run("predict", "--model", self.model, picture, *options)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertIn(words, done.stderr)

    def test_predict_goes_on_after_a_bad_picture(self):
        good = self.data / "disc/test/good/000.png"
        short = self.folder / "short.png"
        short.write_bytes(good.read_bytes()[:50])
        done = run("predict", "--model", self.model, short, good)
        self.assertEqual(done.returncode, 1)
        self.assertIn("short.png", done.stderr)
        self.assertIn(str(good), done.stdout)

    def test_other_sizes(self):
        out = self.folder / "sizes.jsonl"
        picture = self.data / "disc/test/spot/000.png"
        self.done("predict", "--model", self.model, picture, "--size", 56, "--crop", 42, "--json", out)
        self.assertTrue(0 < json.loads(out.read_text())["score"] < 2)
        self.assertEqual(run("predict", "--model", self.model, picture, "--crop", 43).returncode, 1)

    def test_precisions_agree(self):
        exact = json.loads((self.run_folder / "metrics.json").read_text())["pictures"]
        for precision, delta in (("bf16", 0.02), ("int8", 0.05)):
            out = self.folder / f"{precision}.json"
            table = self.done("eval", "--model", self.model, "--data", self.data, "--json", out, "--precision", precision)
            self.assertEqual("lost against fp32" in table, precision == "int8")
            for found, expected in zip(json.loads(out.read_text())["pictures"], exact, strict=True):
                self.assertAlmostEqual(found["score"], expected["score"], delta=delta * expected["score"])
                self.assertEqual(found["path"], expected["path"])

    def test_training_in_bf16(self):
        folder = self.train("half", precision="bf16", iterations=40, warmup=4)
        found, exact = ([json.loads(line)["loss"] for line in (path / "log.jsonl").read_text().splitlines()]
                        for path in (folder, self.run_folder))
        for a, b in zip(found, exact, strict=True):
            self.assertAlmostEqual(a, b, delta=0.02 * b)
        self.assertNotEqual(found, exact)
        # What is written is a model as any other, in fp32.
        self.assertEqual({t[0] for t in read_safetensors(folder / "model.safetensors")[0].values()}, {"F32"})
        self.assertEqual(run(*self.training(self.folder / "codes", precision="int8")).returncode, 2)

    def test_info_without_a_file(self):
        text = self.done("info")
        self.assertRegex(text, r"^dinomaly \d+\.\d+\.\d+\ncpu +\S.*, \d+ threads.*\ncuda(:0)? +\S")
        same = self.done("bench", "--encoder", self.encoder, "--repeat", 1, "--device", "cpu", "--json")
        self.assertEqual(json.loads(same)["device"], "cpu")

    def test_info(self):
        text = self.done("info", self.model)
        for word in ("Dinomaly", "width 64", "hash: ", "encoder.blocks.*.attn.qkv.weight", "x 12", "metadata dinomaly"):
            self.assertIn(word, text)
        self.assertLess(len(text.splitlines()), 120)
        self.assertIn("encoder.blocks.11.attn.qkv.weight", self.done("info", self.model, "--all"))
        self.assertIn("DINOv2 encoder", self.done("info", self.encoder))

    def test_convert(self):
        half, back = self.folder / "half.safetensors", self.folder / "back.safetensors"
        self.done("convert", self.model, half, "--dtype", "bf16")
        self.assertEqual({t[0] for t in read_safetensors(half)[0].values()}, {"BF16"})
        self.assertEqual(read_safetensors(half)[1], read_safetensors(self.model)[1])
        self.done("convert", half, back, "--dtype", "f32")
        for name, (dtype, shape, data) in read_safetensors(back)[0].items():
            exact = read_safetensors(self.model)[0][name][2] if name == "decoder.0.norm1.weight" else data
            self.assertEqual((dtype, len(data)), ("F32", len(exact)))
        scores = []
        for model in (self.model, half):
            out = self.folder / "score.jsonl"
            self.done("predict", "--model", model, self.data / "disc/test/spot/000.png", "--json", out)
            scores.append(json.loads(out.read_text())["score"])
        self.assertAlmostEqual(scores[0], scores[1], delta=0.02 * scores[0])

    def test_init_and_order(self):
        order = self.folder / "order.json"
        batches = [[f"disc/train/good/00{i}.png", "stripes/train/good/003.png"] for i in range(6)]
        order.write_text(json.dumps(batches))
        trained = {name: t for name, t in read_safetensors(self.model)[0].items() if not name.startswith("encoder.")}
        init = self.folder / "init.safetensors"
        write_safetensors(init, {name: (shape, list(struct.unpack(f"<{len(data) // 4}f", data)))
                                 for name, (_, shape, data) in trained.items()})
        settings = {"init": init, "order": order, "dropout": 0, "iterations": 1, "classes": "disc,stripes"}
        folder = self.train("ordered", **settings)
        # The first iteration has a learning rate of 0: what was trained is what --init gave.
        self.assertEqual({name: read_safetensors(folder / "model.safetensors")[0][name] for name in trained}, trained)
        first = json.loads((folder / "log.jsonl").read_text())["loss"]
        order.write_text(json.dumps(batches[::-1]))
        other = json.loads((self.train("reversed", **settings) / "log.jsonl").read_text())["loss"]
        self.assertNotEqual(first, other)


    def test_the_demo_looks_with_the_encoder_it_was_tuned_with(self):
        """What is drawn for its encoder decides how good the demo is: another draw was 8 points of AUROC worse."""
        out = self.folder / "demo"
        self.done("demo", "--out", out, "--iterations", 1)
        weights = read_safetensors(out / "encoder.safetensors")[0]
        for name, first in (("patch_embed.proj.weight", (0.0409066, -0.0590794, 0.0109909)),
                            ("blocks.11.mlp.fc2.weight", (-0.0486660, 0.0013861, 0.0249429))):
            for found, expected in zip(struct.unpack("<3f", weights[name][2][:12]), first, strict=True):
                self.assertAlmostEqual(found, expected, delta=1e-6)
        self.assertTrue((out / "report.html").exists())


if __name__ == "__main__":
    scene.main()
