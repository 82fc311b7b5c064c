#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exported models in ONNX Runtime, and in OpenVINO where it is installed, give the scores and maps of the program.

Where onnx, onnxruntime, numpy or Pillow is absent one line says so and the exit status is 77 (skipped).
DINOMALY_ONNX_PYTHON, or else DINOMALY_PYTHON, names an interpreter that has them; tests/run.sh --all makes one.
"""
import json
import sys

sys.dont_write_bytecode = True
import peers

peers.restart("DINOMALY_ONNX_PYTHON", "DINOMALY_PYTHON")
try:
    import numpy
    import onnx
    import onnxruntime
    from PIL import Image
except ImportError as error:
    peers.skip("ONNX Runtime is compared with where it is installed", error, "DINOMALY_ONNX_PYTHON")
try:
    import openvino
except ImportError:
    openvino = None

import scene
from scene import Scene, read_safetensors, run

GOLDEN = scene.pathlib.Path(__file__).parent.parent / "golden"
TOLERANCE = 1e-4
OPSETS = (17, 18, 20, 22)


def sides(text):
    return tuple(map(int, text.split("x")))


def in_onnx_runtime(file, pictures):
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return session.run(["map", "score"], {"pictures": pictures})


def in_openvino(file, pictures):
    compiled = openvino.compile_model(str(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled({"pictures": pictures})
    return found["map"], found["score"]


class OnnxRuntime(Scene):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        done = run(*cls.training(cls, cls.folder / "run", iterations=40, warmup=4))
        assert done.returncode == 0, done.stderr
        cls.model = cls.folder / "run/model.safetensors"

    def export(self, name, *options, model=None):
        file = self.folder / name
        done = run("export", "--model", model or self.model, "--onnx", file, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return file

    def expected(self, model, *options):
        """Paths, scores and maps of all test pictures, as the program has them."""
        out, maps = self.folder / "eval.json", self.folder / "maps.safetensors"
        done = run("eval", "--model", model, "--data", self.data, "--json", out, "--maps", maps, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        pictures = json.loads(out.read_text())["pictures"]
        tensors = read_safetensors(maps)[0]
        values = [numpy.frombuffer(tensors[f"{kind}/maps"][2], "<f4").reshape(-1, 256, 256) for kind in ("disc", "stripes")]
        return ([self.data / p["path"] for p in pictures], numpy.float32([p["score"] for p in pictures]),
                numpy.concatenate(values))

    def input_of(self, file, paths):
        """The pictures as a user prepares them, by what the file's metadata say."""
        about = {entry.key: entry.value for entry in onnx.load(file, load_external_data=False).metadata_props}
        (width, height), (left, top) = sides(about["crop"]), sides(about["offset"])
        box = (left, top, left + width, top + height)
        return numpy.stack([numpy.asarray(Image.open(path).convert("RGB").resize(sides(about["size"]),
                                                                                 Image.Resampling.BILINEAR).crop(box))
                            for path in paths])

    def assert_equal_results(self, file, *options, model=None):
        onnx.checker.check_model(str(file), full_check=True)
        paths, scores, maps = self.expected(model or self.model, *options)
        self.assertGreater(scores.std(), 0.001, "the pictures differ")
        pictures = self.input_of(file, paths)
        for judge in [in_onnx_runtime] + ([in_openvino] if openvino else []):
            found_maps, found_scores = judge(file, pictures)
            self.assertEqual((found_maps.shape, found_maps.dtype), (maps.shape, maps.dtype))
            numpy.testing.assert_allclose(found_scores, scores, rtol=0, atol=TOLERANCE, err_msg=judge.__name__)
            numpy.testing.assert_allclose(found_maps, maps, rtol=0, atol=TOLERANCE, err_msg=judge.__name__)
            alone = judge(file, pictures[2:3])[1]
            numpy.testing.assert_allclose(alone, scores[2:3], rtol=0, atol=TOLERANCE, err_msg="a batch of one")

    def test_as_trained(self):
        for opset in OPSETS:
            self.assert_equal_results(self.export(f"opset{opset}.onnx", "--opset", opset))

    def test_other_sizes(self):
        for size, crop in (("61x47", "56x42"), ("47x61", "28x56"), ("28x28", "28x28")):
            sizes = ("--size", size, "--crop", crop)
            self.assert_equal_results(self.export(f"{size}.onnx", *sizes), *sizes)

    def test_registers_and_an_authors_checkpoint(self):
        model, sizes = GOLDEN / "tiny_weights.safetensors", ("--size", 64, "--crop", 56)
        self.assert_equal_results(self.export("tiny.onnx", *sizes, model=model), *sizes, model=model)

    def test_an_eps_in_the_linear_attention(self):
        done = run(*self.training(self.folder / "eps", attention_eps=1e-3))
        self.assertEqual(done.returncode, 0, done.stderr)
        model = self.folder / "eps/model.safetensors"
        self.assert_equal_results(self.export("eps.onnx", model=model), model=model)

    def test_variants_and_other_encoders(self):
        cases = [("lc14", {"variant": "dinomaly2", "loose_groups": 14}),
                 ("softmax", {"variant": "dinomaly2", "loose_groups": 1, "decoder_attention": "softmax"})]
        for family in ("dino", "beit", "dinov3"):
            encoder = self.folder / f"{family}.safetensors"
            scene.write_safetensors(encoder, scene.of_family(family, self.weights))
            cases.append((family, {"encoder": encoder}))
        for name, changes in cases:
            with self.subTest(name):
                model = self.train(name, **changes) / "model.safetensors"
                self.assert_equal_results(self.export(f"{name}.onnx", model=model), model=model)

    def test_weights_in_a_second_file(self):
        self.assert_equal_results(self.export("external.onnx", "--external-data"))

    def test_inputs_and_outputs(self):
        session = onnxruntime.InferenceSession(str(self.export("names.onnx")))
        self.assertEqual([(i.name, i.type, i.shape) for i in session.get_inputs()],
                         [("pictures", "tensor(uint8)", ["batch", 28, 28, 3])])
        self.assertEqual([(o.name, o.type, o.shape) for o in session.get_outputs()],
                         [("map", "tensor(float)", ["batch", 256, 256]), ("score", "tensor(float)", ["batch"])])
        about = session.get_modelmeta().custom_metadata_map
        self.assertEqual(json.loads(about["dinomaly"])["classes"], ["disc", "stripes"])


if __name__ == "__main__":
    scene.main()
