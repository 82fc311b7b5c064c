#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""convert --to authors: PyTorch loads every tensor by its name, none missing or left over, and goes on from there.

    oracle.py PROGRAM SHARED    SHARED: the directory with oracle/dinomaly_torch.py

Where PyTorch is absent one line says so and the exit status is 77 (skipped). DINOMALY_PYTHON names an interpreter that
has it, with safetensors and Pillow.
"""
import json
import sys

sys.dont_write_bytecode = True
import peers

peers.restart("DINOMALY_PYTHON")
if len(sys.argv) < 3:
    sys.exit(__doc__)
sys.path.insert(0, f"{sys.argv.pop(2)}/oracle")
try:
    import numpy
    import torch
    from PIL import Image
    from safetensors.torch import load_file
    import dinomaly_torch
except ImportError as error:
    peers.skip("this is loaded by PyTorch, where it is installed", error)

import scene
from scene import Scene, read_safetensors, run

TOLERANCE = 1e-4
MEAN, DEVIATION = numpy.float32([.485, .456, .406]), numpy.float32([.229, .224, .225])


class Oracle(Scene):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        done = run(*cls.training(cls, cls.folder / "run", iterations=40, warmup=4, batch=4))
        assert done.returncode == 0, done.stderr
        cls.model = cls.folder / "run/model.safetensors"
        dinomaly_torch.ARCH["scene"] = (scene.WIDTH, scene.DEPTH, 1, list(range(2, 10)))

    def convert(self, to):
        out = self.folder / f"{to}.safetensors"
        done = run("convert", self.model, out, "--to", to)
        self.assertEqual(done.returncode, 0, done.stderr)
        return load_file(out)

    def network(self, weights):
        torch.manual_seed(3)
        net = dinomaly_torch.Dinomaly("scene", patch=scene.PATCH, registers=0, grid=scene.GRID)
        net.load_state_dict(weights, strict=True)
        return net.eval()

    def pictures(self, paths):
        values = [numpy.asarray(Image.open(path).convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
                                .crop((2, 2, 30, 30)), dtype=numpy.float32) for path in paths]
        return torch.from_numpy((numpy.stack(values) / 255 - MEAN) / DEVIATION).permute(0, 3, 1, 2)

    def test_pytorch_sees_the_same(self):
        out, maps_file = self.folder / "eval.json", self.folder / "maps.safetensors"
        done = run("eval", "--model", self.model, "--data", self.data, "--json", out, "--maps", maps_file)
        self.assertEqual(done.returncode, 0, done.stderr)
        judged = json.loads(out.read_text())["pictures"]
        expected = torch.cat([load_file(maps_file)[f"{kind}/maps"] for kind in ("disc", "stripes")])
        with torch.no_grad():
            groups = self.network(self.convert("authors"))(self.pictures(self.data / p["path"] for p in judged))
            maps = dinomaly_torch.anomaly_map(*groups, 28)[:, 0]
            scores = dinomaly_torch.image_score(maps)
        self.assertGreater(float(scores.std()), 0.001, "the pictures differ")
        torch.testing.assert_close(maps, expected, rtol=0, atol=TOLERANCE)
        torch.testing.assert_close(scores, torch.tensor([p["score"] for p in judged]), rtol=0, atol=TOLERANCE)

    def test_pytorch_goes_on(self):
        net = self.network(self.convert("authors")).train()
        optimizer = dinomaly_torch.StableAdamW(net.trainable(), lr=1e-3)
        images = self.pictures(sorted(self.data.glob("*/train/good/*.png")))
        losses = []
        for _ in range(8):
            loss = dinomaly_torch.loose_loss(*net(images), p=0.5)
            for parameter in net.trainable():
                parameter.grad = None
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        last = json.loads((self.folder / "run/log.jsonl").read_text().splitlines()[-1])["loss"]
        self.assertLess(losses[0], 1.5 * last, "it begins where the program's training ended")
        self.assertLess(losses[-1], losses[0])

    def test_parts(self):
        net = self.network(self.convert("authors"))
        net.encoder.load_state_dict(self.convert("encoder"), strict=True)
        found = net.load_state_dict(self.convert("trained"), strict=False)
        self.assertEqual(found.unexpected_keys, [])
        self.assertTrue(all(name.startswith("encoder.") for name in found.missing_keys))


if __name__ == "__main__":
    scene.main()
