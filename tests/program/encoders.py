#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""dinomaly encoders, and what train takes from the encoder: the list, one of it, JSON, picture sizes that fit."""
import json
import sys

sys.dont_write_bytecode = True
import scene
from scene import Scene, run

# File names and parameters as published.
PUBLISHED = {"dinov2reg_vit_small_14": ("dinov2_vits14_reg4_pretrain.pth", 22058112),
             "dinov2_vit_giant_14": ("dinov2_vitg14_pretrain.pth", 1136480768),
             "dinov3_vit_small_16": ("dinov3_vits16_pretrain_lvd1689m-08c60483.pth", 21601152),
             "dinov3_vit_smallplus_16": ("dinov3_vits16plus_pretrain_lvd1689m-4057cbaa.pth", 28697472),
             "dinov3_vit_large_16": ("dinov3_vitl16_pretrain_lvd1689m-8aa4cbdd.pth", 303154176),
             "mae_vit_base_16": ("mae_pretrain_vit_base.pth", 85798656)}


class Encoders(Scene):
    def done(self, *arguments):
        done = run(*arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_the_table_names_each_and_fits_a_terminal(self):
        lines = self.done("encoders").splitlines()
        self.assertLessEqual(max(map(len, lines)), 110)
        rows = {line.split()[0]: line for line in lines if "_vit_" in line}
        self.assertEqual(list(rows), [each["name"] for each in json.loads(self.done("encoders", "--json"))])
        self.assertEqual(len(rows), 27)
        self.assertRegex(rows["dinov2reg_vit_base_14"],
                         r" 86\.6 M +\d+\.\d G +448/392 +Apache-2\.0 +99\.60 +69\.29 +94\.79$")
        self.assertRegex(rows["moco_vit_base_16"], r" 512/448 +CC-BY-NC-4\.0 +- +- +-$")  # none is published

    def test_json(self):
        found = {each["name"]: each for each in json.loads(self.done("encoders", "--json"))}
        for name, (file, parameters) in PUBLISHED.items():
            self.assertEqual((found[name]["file"], found[name]["parameters"]), (file, parameters))
        for each in found.values():
            self.assertEqual(each["size"] * 7, each["crop"] * 8)
            self.assertEqual(len(each["kept_blocks"]), 8)
            self.assertEqual((each["patches_only"], each["amsgrad"]), (each["family"] == "DINOv3",
                                                                       each["family"] != "DINOv3"))
            self.assertGreater(each["multiply_adds"], each["parameters"])
        self.assertEqual(found["dinov3_vit_large_16"]["batch"], 12)
        self.assertEqual(found["dinov3_vit_base_16"]["results"][0]["image"],
                         {"auroc": 99.51, "ap": 99.77, "f1_max": 98.96})
        self.assertEqual([(r["size"], r["crop"]) for r in found["mae_vit_base_16"]["results"]], [(512, 448), (256, 224)])
        self.assertEqual(json.loads(self.done("encoders", "dinov3_vits16", "--json")), found["dinov3_vit_small_16"])

    def test_one(self):
        shown = self.done("encoders", "dinov3_vit_large_16")
        for words in ("DINOv3 ViT-L/16\n", "303154176", "--size 512 --crop 448", "batch 12", "without amsgrad",
                      "4, 6, 8, 10, 12, 14, 16, 18 are restored", "leave before the bottleneck", "under the same agreement",
                      "image 99.62/99.85/99.18", "98.74/73.70/71.52/95.55"):
            self.assertIn(words, shown)
        self.assertIn("our choice", self.done("encoders", "dinov2_vitg14"))
        self.assertIn("our choice", self.done("encoders", "dino_vit_small_8"))
        self.assertIn("this crop only", self.done("encoders", "beitv2_vit_base_16"))
        self.assertIn("not for commercial use", self.done("encoders", "mae_vit_base_16"))
        self.assertIn("none are published", self.done("encoders", "moco_vit_small_16"))

    def test_an_unknown_name_lists_near_ones(self):
        for name, near in (("dinov3_vit_big_16", "near are dinov3_vit_base_16"), ("mae", "near are mae_vit_base_16, mae_vit_large_16;"),
                           ("ibot_vit_bsae_16", "near are ibot_vit_base_16")):
            done = run("encoders", name)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(f"[encoders] no encoder '{name}' is known; {near}", done.stderr)
            self.assertIn("'dinomaly encoders' lists all", done.stderr)
        self.assertEqual(run("encoders", "a", "b").returncode, 2)

    # --- what train takes from the encoder

    def values(self, **changes):
        shown = self.done(*self.training(self.folder / "none", dry_run=True, json=True, **changes))
        return {name: (each["value"], each["from"]) for name, each in json.loads(shown)["options"].items()}

    def test_train_takes_the_encoders_sizes(self):
        source = f"encoder {self.encoder}"
        found = self.values(size=None, crop=None)
        self.assertEqual((found["size"], found["crop"]), ((448, source), (392, source)))
        found = self.values(size=None, crop=28)
        self.assertEqual((found["size"], found["crop"]), ((448, source), (28, "command line")))
        shown = self.done(*self.training(self.folder / "none", size=None, crop=None, dry_run=True))
        self.assertIn("pictures 448x448, middle 392x392", shown)


if __name__ == "__main__":
    scene.main()
