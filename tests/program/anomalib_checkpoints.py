#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of the installed anomalib, of random weights: our scores of pictures are its scores.

    anomalib_checkpoints.py PROGRAM

Where anomalib is absent one line says so and the exit status is 77 (skipped). DINOMALY_PYTHON names an interpreter that
has it, with Pillow.
"""
import json
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import peers

peers.restart("DINOMALY_PYTHON")
try:
    import numpy
    import timm
    import torch
    from PIL import Image

    untrained = timm.create_model
    timm.create_model = lambda name, *more, **options: untrained(name, *more, **(options | {"pretrained": False}))
    from anomalib.models import Dinomaly
except ImportError as error:
    peers.skip("this compares with anomalib, where it is installed", error)

from scene import main, run

MEAN, DEVIATION = numpy.float32([.485, .456, .406]), numpy.float32([.229, .224, .225])


class AnomalibCheckpoints(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="dinomaly-anomalib-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def checkpoint(self, encoder, **settings):
        """A model with drawn weights, and its file as Lightning writes it."""
        torch.manual_seed(3)
        whole = Dinomaly(encoder_name=encoder, **settings)
        with torch.no_grad():
            for p in whole.model.parameters():
                p.add_(torch.randn_like(p) * (0.02 if p.dim() > 1 else 0.05))
        whole.model.eval()
        file = self.folder / "model.ckpt"
        torch.save({"state_dict": whole.state_dict(), "hyper_parameters": dict(whole.hparams), "epoch": 1}, file)
        return whole.model, file

    def pictures(self, size, crop):
        """Two smooth pictures as files, and as the network takes them."""
        numbers, paths, inputs = numpy.random.default_rng(1), [], []
        for i in range(2):
            paths.append(self.folder / f"{i}.png")
            coarse = Image.fromarray(numbers.integers(0, 256, (16, 16, 3)).astype(numpy.uint8))
            picture = coarse.resize((size, size), Image.Resampling.BICUBIC)
            picture.save(paths[-1])
            first = (size - crop) // 2
            pixels = numpy.asarray(picture, numpy.float32)[first:first + crop, first:first + crop] / 255
            inputs.append(((pixels - MEAN) / DEVIATION).transpose(2, 0, 1))
        return paths, torch.from_numpy(numpy.stack(inputs))

    def test_scores(self):
        for encoder, size, crop in (("vit_small_patch14_reg4_dinov2", 448, 392), ("vit_small_patch16_dinov3", 512, 448)):
            with self.subTest(encoder):
                model, file = self.checkpoint(encoder)
                paths, inputs = self.pictures(size, crop)
                with torch.no_grad():
                    expected = model(inputs).pred_score.flatten().tolist()
                done = run("predict", "--model", file, *paths, "--jsonl")
                self.assertEqual(done.returncode, 0, done.stderr)
                found = [json.loads(line)["score"] for line in done.stdout.splitlines()]
                self.assertGreater(abs(expected[0] - expected[1]), 1e-3)
                numpy.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)

    def test_recentring_is_refused(self):
        file = self.checkpoint("vit_small_patch14_reg4_dinov2", use_context_recentering=True)[1]
        done = run("predict", "--model", file, file)
        self.assertEqual(done.returncode, 1)
        self.assertIn("use_context_recentering, which subtracts class tokens before the bottleneck", done.stderr)


if __name__ == "__main__":
    main()
