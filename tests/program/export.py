#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""export, and convert --to: what they write, what they say, what they refuse. That the numbers are right is checked by
onnx_runtime.py and oracle.py, which need packages of others."""
import json
import struct
import sys

sys.dont_write_bytecode = True
import scene
from scene import Scene, read_safetensors, run

GOLDEN = scene.pathlib.Path(__file__).parent.parent / "golden"


def fields(message):
    """The fields of a protobuf message, in order: (number, integer or bytes)."""

    def number(at):
        value, shift = 0, 0
        while True:
            value |= (message[at] & 127) << shift
            shift += 7
            at += 1
            if message[at - 1] < 128:
                return value, at

    at, found = 0, []
    while at < len(message):
        key, at = number(at)
        if key & 7 == 0:
            value, at = number(at)
        else:
            length, at = (4, at) if key & 7 == 5 else number(at)
            value, at = message[at:at + length], at + length
        found.append((key >> 3, value))
    return found


def metadata_of(file):
    entries = (dict(fields(value)) for number, value in fields(file.read_bytes()) if number == 14)
    return {entry[1].decode(): entry[2].decode() for entry in entries}


class Export(Scene):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        done = run(*cls.training(cls, cls.folder / "run", iterations=2, warmup=1))
        assert done.returncode == 0, done.stderr
        cls.model = cls.folder / "run/model.safetensors"

    def export(self, name, *options, model=None):
        """What the program prints; folder/name is written."""
        done = run("export", "--model", model or self.model, "--onnx", self.folder / name, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def refused(self, arguments, *words, status=1):
        before = sorted(self.folder.iterdir())
        done = run(*arguments)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(sorted(self.folder.iterdir()), before, "what is refused leaves nothing behind")

    # --- what is written

    def test_what_is_said(self):
        said = self.export("said.onnx")
        self.assertRegex(said, r"wrote .*said\.onnx, \d+\.\d MB, opset 17\n")
        self.assertIn("uint8 [batch, 28, 28, 3]", said)
        self.assertIn("resized to 32x32", said)
        self.assertIn("cut to 28x28 from (2, 2)", said)
        self.assertNotIn("no thresholds", said)
        undecided = self.folder / "undecided.safetensors"
        scene.write_decision(self.model, undecided, {})
        self.assertIn("no thresholds", self.export("undecided.onnx", model=undecided))
        self.assertNotIn("decision", metadata_of(self.folder / "undecided.onnx"))
        wide = self.export("wide.onnx", "--size", "70x47", "--crop", "56x42", "--opset", 20)
        self.assertIn("uint8 [batch, 42, 56, 3]", wide)
        self.assertIn("resized to 70x47", wide)
        self.assertIn("cut to 56x42 from (7, 2)", wide)  # half of 5 is rounded to the even 2
        self.assertIn("opset 20", wide)

    def test_metadata(self):
        about = json.loads(read_safetensors(self.model)[1]["dinomaly"])
        self.export("plain.onnx")
        found = metadata_of(self.folder / "plain.onnx")
        self.assertEqual(json.loads(found["dinomaly"]), about)
        self.assertEqual((found["size"], found["crop"], found["offset"]), ("32x32", "28x28", "2x2"))
        self.assertEqual(json.loads(found["classes"]), ["disc", "stripes"])
        self.assertEqual(found["trained_hash"], about["trained_hash"])
        self.assertEqual(json.loads(found["decision"]), about["decision"])
        # Thresholds go with the model; sizes are those that the file is for.
        tensors, metadata = read_safetensors(self.model)
        decision = {"image": {"global": 0.25}}
        metadata["dinomaly"] = json.dumps(about | {"decision": decision})
        decided = self.folder / "decided.safetensors"
        scene.write_safetensors(decided, {name: (shape, struct.unpack(f"<{len(data) // 4}f", data))
                                          for name, (_, shape, data) in tensors.items()}, metadata)
        said = self.export("decided.onnx", "--size", "60x50", "--crop", "56x42", model=decided)
        self.assertNotIn("no thresholds", said)
        found = metadata_of(self.folder / "decided.onnx")
        self.assertEqual(json.loads(found["decision"]), decision)
        self.assertEqual((found["size"], found["crop"], found["offset"]), ("60x50", "56x42", "2x4"))
        inner = json.loads(found["dinomaly"])
        self.assertEqual((inner["size"], inner["crop"], inner["decision"]), ([60, 50], [56, 42], decision))

    def test_repeated_and_replaced(self):
        file = self.folder / "again.onnx"
        file.write_text("of somebody else")
        self.export("again.onnx")
        first = file.read_bytes()
        self.export("again.onnx")
        self.assertEqual(file.read_bytes(), first, "the same model gives the same bytes")

    def test_weights_in_a_second_file(self):
        self.export("inside.onnx")
        said = self.export("outside.onnx", "--external-data")
        self.assertRegex(said, r"wrote .*outside\.onnx\.data, .* MB: its weights; both files belong together")
        small, data = self.folder / "outside.onnx", self.folder / "outside.onnx.data"
        self.assertLess(small.stat().st_size, self.folder.joinpath("inside.onnx").stat().st_size / 4)
        self.assertIn(b"outside.onnx.data", small.read_bytes())
        self.assertGreater(data.stat().st_size, 1_000_000)

    def test_a_checkpoint_of_the_authors(self):
        for file in ("tiny_weights.safetensors", "tiny_weights.pth"):
            self.export(f"{file}.onnx", "--size", 64, "--crop", 56, model=GOLDEN / file)
        self.assertEqual(*((self.folder / f"tiny_weights.{end}.onnx").stat().st_size for end in ("safetensors", "pth")))

    # --- what is refused

    def test_not_a_model(self):
        text = self.folder / "text.txt"
        text.write_text("no weights at all")
        export = ["export", "--onnx", self.folder / "never.onnx", "--model"]
        self.refused([*export, text], "text.txt", "is neither a safetensors file nor a PyTorch checkpoint")
        self.refused([*export, self.folder / "absent"], "absent", "cannot be opened: No such file")
        self.refused([*export, self.encoder], "this is an encoder alone: train first")
        self.refused([*export, self.folder / "run/state.safetensors"], "state.safetensors", "bottleneck and decoder of a Dinomaly, but not its encoder")

    def test_where_nothing_can_be_written(self):
        export = ["export", "--model", self.model, "--onnx"]
        self.refused([*export, self.folder / "no/x.onnx"], "there is no directory")
        self.refused([*export, self.folder], "it is a directory")
        before = self.model.read_bytes()
        self.refused([*export, self.model], "is the model itself; another name for --onnx expected")
        self.assertEqual(self.model.read_bytes(), before)

    def test_sizes_and_usage(self):
        export = ["export", "--model", self.model, "--onnx", self.folder / "never.onnx"]
        self.refused([*export, "--crop", 30], "crop 30x30 is not a multiple of the patch, 14")
        self.refused([*export, "--crop", "28x42"], "crop 28x42 is larger than size 32x32")
        for opset in (16, 23, "new"):
            self.refused([*export, "--opset", opset], "--opset", status=2)
        self.refused(["export", "--model", self.model], "--onnx is required", status=2)
        self.refused(["convert", self.model, self.folder / "never", "--to", "onnx"], "--to", status=2)

    # --- convert --to

    def converted(self, to, *options):
        out = self.folder / f"{to}.safetensors"
        done = run("convert", self.model, out, "--to", to, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return read_safetensors(out)

    def test_parts_of_a_model(self):
        whole, metadata = read_safetensors(self.model)
        authors, same = self.converted("authors")
        unused = ("F32", [1, 64], bytes(4 * 64))  # which DINOv2's code asks for
        self.assertEqual(authors.pop("encoder.mask_token"), unused)
        self.assertEqual((authors, same), (whole, metadata))
        encoder, trained = self.converted("encoder")[0], self.converted("trained")[0]
        self.assertEqual(encoder.pop("mask_token"), unused)
        self.assertEqual(encoder, {name.removeprefix("encoder."): tensor for name, tensor in whole.items()
                                   if name.startswith("encoder.")})
        self.assertEqual(trained, {name: tensor for name, tensor in whole.items() if not name.startswith("encoder.")})
        half = self.converted("trained", "--dtype", "bf16")[0]
        self.assertEqual({(name, tensor[0]) for name, tensor in half.items()}, {(name, "BF16") for name in trained})

    def test_parts_can_be_used(self):
        self.converted("encoder")
        self.converted("trained")
        self.train("again", encoder=self.folder / "encoder.safetensors", init=self.folder / "trained.safetensors",
                   iterations=1)
        # The first iteration has a learning rate of 0.
        again, whole = (read_safetensors(path)[0] for path in (self.folder / "again/model.safetensors", self.model))
        self.assertEqual(again, whole)

    def test_only_models_have_parts(self):
        for to in ("authors", "trained"):
            self.refused(["convert", self.encoder, self.folder / "never.safetensors", "--to", to],
                         "this is an encoder alone: train first")


if __name__ == "__main__":
    scene.main()
