#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""train --variant dinomaly2: its values, its model's file, and that the other commands take it as any other model."""
import json
import sys

sys.dont_write_bytecode = True
from scene import Scene, log_of, main, of_family, read_safetensors, run, write_safetensors


def about(model):
    return json.loads(read_safetensors(model)[1]["dinomaly"])["model"]


class Variants(Scene):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.second = cls.folder / "second"
        done = run(*cls.training(cls, cls.second, variant="dinomaly2"))
        assert done.returncode == 0, done.stderr
        cls.output, cls.model = done.stdout, cls.second / "model.safetensors"

    def test_its_values_are_filled_in_and_yield_to_given_ones(self):
        done = run(*self.training(self.folder / "dry", variant="dinomaly2", dropout=0.1, dry_run=True, json=True))
        options = json.loads(done.stdout)["options"]
        for name, value, source in (("variant", "dinomaly2", "command line"), ("dropout", 0.1, "command line"),
                                    ("neck-lr", 2e-4, "variant dinomaly2"), ("amsgrad", "off", "variant dinomaly2"),
                                    ("decay-ratio", 1.0, "variant dinomaly2"), ("recentre", "on", "default"),
                                    ("loose-groups", 2, "default")):
            self.assertEqual(options[name], {"value": value, "from": source}, name)
        plain = json.loads(run(*self.training(self.folder / "dry", dry_run=True, json=True)).stdout)["options"]
        self.assertEqual(plain["variant"]["value"], "dinomaly")
        self.assertEqual(plain["dropout"], {"value": 0.2, "from": "default"})

    def test_the_schedule_rises_from_zero_and_stays(self):
        rates = [line["lr"] for line in log_of(self.second)]
        self.assertEqual(rates, [0, 1e-3, 2e-3, 2e-3, 2e-3, 2e-3])
        falling = [line["lr"] for line in log_of(self.train("falling", variant="dinomaly2", decay_ratio=0.5))]
        self.assertEqual(falling[2], 2e-3)
        self.assertTrue(2e-3 > falling[3] > falling[4] > falling[5] > 1e-3, falling)

    def test_the_file_says_what_it_is(self):
        self.assertIn("Dinomaly2, 2 groups", self.output)
        found = about(self.model)
        self.assertEqual(found["attention_eps"], 1e-8)
        self.assertEqual(found["variant"]["groups"], [[0, 1, 2, 3], [4, 5, 6, 7]])
        self.assertTrue(found["variant"]["recentred"])
        self.assertEqual(found["variant"]["neck"], 256)
        shapes = {name: shape for name, (_, shape, _) in read_safetensors(self.model)[0].items()}
        self.assertEqual([shapes[f"bottleneck.{layer}.weight"] for layer in ("0.0", "1.0", "1.3")],
                         [[256, 64], [256, 256], [64, 256]])
        other = about(self.train("other", variant="dinomaly2", loose_groups=14, recentre="off",
                                 decoder_attention="softmax", attention_eps=0) / "model.safetensors")
        self.assertEqual(other["variant"]["groups"], [[1], [3], [5], [7]])
        self.assertEqual((other["variant"]["recentred"], other["variant"]["softmax_decoder"], other["attention_eps"]),
                         (False, True, 0))

    def test_every_command_takes_it(self):
        done = run("eval", "--model", self.model, "--data", self.data, "--json", self.folder / "eval.json")
        self.assertEqual(done.returncode, 0, done.stderr)
        trained = json.loads((self.second / "metrics.json").read_text())
        self.assertEqual(json.loads((self.folder / "eval.json").read_text())["pictures"], trained["pictures"])
        done = run("predict", "--model", self.model, self.data / "disc/test/spot/000.png", "--jsonl")
        self.assertEqual(done.returncode, 0, done.stderr)
        score = json.loads(done.stdout.splitlines()[0])["score"]
        self.assertIn(round(score, 5), [round(p["score"], 5) for p in trained["pictures"]])
        for precision in ("bf16", "int8"):
            done = run("eval", "--model", self.model, "--data", self.data, "--precision", precision)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Dinomaly", run("info", self.model).stdout)
        authors = self.folder / "authors.safetensors"
        self.assertEqual(run("convert", self.model, authors, "--to", "authors").returncode, 0)
        again = self.folder / "again.json"
        done = run("eval", "--model", authors, "--size", 32, "--crop", 28, "--data", self.data, "--json", again)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(again.read_text())["pictures"], trained["pictures"])

    def test_it_goes_on_where_it_stopped(self):
        cut = self.train("cut", variant="dinomaly2", iterations=3, schedule=6)
        self.train("cut", variant="dinomaly2", schedule=6, resume=True)
        self.assert_equal_runs(self.train("uncut", variant="dinomaly2", schedule=6), cut)
        done = run(*self.training(cut, variant="dinomaly2", schedule=6, recentre="off", resume=True))
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot be resumed with another recentred", done.stderr)

    def test_a_run_repeats_from_its_settings(self):
        again = self.folder / "repeated"
        done = run("train", "--config", self.second / "config.json", "--out", again)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_equal_runs(self.second, again)

    def test_encoders_of_other_families(self):
        for family, words in (("dino", ("no layer scale",)), ("beit", ("relative positions of 2x2", "0 registers")),
                              ("dinov3", ("rotary positions", "gated MLP of 128", "4 registers",
                                          "patches alone are restored"))):
            with self.subTest(family):
                encoder = self.folder / f"{family}.safetensors"
                write_safetensors(encoder, of_family(family, self.weights))
                done = run(*self.training(self.folder / family, encoder=encoder))
                self.assertEqual(done.returncode, 0, done.stderr)
                for word in words:
                    self.assertIn(word, done.stdout)
                model, trained = self.folder / family / "model.safetensors", self.folder / f"{family}.json"
                names = set(read_safetensors(encoder)[0])
                for to in ("same", "authors"):
                    other = self.folder / f"{family}-{to}.safetensors"
                    self.assertEqual(run("convert", model, other, "--to", to).returncode, 0)
                    done = run("eval", "--model", other, "--data", self.data, "--json", trained)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertEqual(json.loads(trained.read_text())["pictures"],
                                     json.loads((self.folder / family / "metrics.json").read_text())["pictures"], to)
                back = {n.removeprefix("encoder.") for n in read_safetensors(other)[0] if n.startswith("encoder.")}
                self.assertEqual(back - {"mask_token"}, names)

    def test_wrong_settings(self):
        for changes, said in (({"preset": "mvtec", "variant": "dinomaly2"}, "the values of Dinomaly, but dinomaly2"),
                              ({"neck_lr": 1e-4}, "Dinomaly2 alone has")):
            done = run(*self.training(self.folder / "wrong", **changes))
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn(said, done.stderr)
            self.assertFalse((self.folder / "wrong").exists())
        for changes in ({"variant": "dinomaly3"}, {"loose_groups": 5}, {"amsgrad": "maybe"}, {"decay_ratio": 2}):
            done = run(*self.training(self.folder / "wrong", **changes))
            self.assertEqual(done.returncode, 2, changes)


if __name__ == "__main__":
    main()
