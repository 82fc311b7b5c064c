#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bad input and wrong usage: the exit status, the words of the error, and that nothing is left behind."""
import json
import struct
import sys
import unittest

sys.dont_write_bytecode = True
import scene
from scene import Scene, draw, run, write_data, write_png, write_safetensors


class BadInput(Scene):
    def refused(self, arguments, *words, status=1):
        """Checks that the program refuses the arguments with these words and makes no run."""
        done = run(*arguments)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        if status == 1:
            self.assertTrue(done.stderr.startswith("error: "), done.stderr)
        return done

    def refused_training(self, *words, status=1, **changes):
        out = self.folder / "refused"
        self.refused(self.training(out, **changes), *words, status=status)
        self.assertFalse(out.exists(), "a refused run leaves nothing behind")

    def changed_encoder(self, change):
        path = self.folder / "changed.safetensors"
        tensors = dict(self.weights)
        change(tensors)
        write_safetensors(path, tensors)
        return path

    # --- wrong usage

    def test_usage(self):
        out = self.folder / "refused"
        self.refused([], "subcommand", status=2)
        self.refused(["learn"], status=2)
        self.refused(["train", "--data", self.data], "--encoder", "required", status=2)
        self.refused([*self.training(out), "--colour", "red"], "--colour", status=2)
        self.refused_training("--size", status=2, size="large")
        self.refused_training("--iterations", status=2, iterations=0)
        self.refused(["convert", self.encoder, self.folder / "x.safetensors", "--dtype", "int4"], "--dtype", status=2)

    def test_help(self):
        for arguments in (["--help"], ["train", "--help"], ["predict", "--help"], ["--version"]):
            done = run(*arguments)
            self.assertEqual(done.returncode, 0)
            self.assertIn("dinomaly", done.stdout)
        self.assertIn("--hard-mining-ramp", run("train", "--help").stdout)
        for command in ("train", "eval", "predict", "demo", "bench"):
            self.assertIn("--device DEVICE", run(command, "--help").stdout)

    # --- devices

    def commands_on(self, device):
        """The commands that judge, on a device."""
        model = ["--model", self.encoder]
        return [[*command, "--device", device] for command in (["eval", "--data", self.data, *model],
                                                               ["predict", self.data, *model], ["bench"])]

    def test_no_such_gpu(self):
        listed = run("info").stdout
        for device in ("cuda", "cuda:0", "cuda:999"):
            if f"cuda:{device.partition(':')[2] or 0} " in listed:
                continue
            words = rf"^error: \[--device {device}\] (.*built without CUDA|no such GPU: \d+ found|" \
                    r"no GPU was found: .*|the CUDA driver is for CUDA .* is needed).*\n$"
            out = self.folder / "refused"
            for command in [self.training(out, device=device), ["demo", "--out", out, "--device", device],
                            *self.commands_on(device)]:
                done = run(*command)
                self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
                self.assertRegex(done.stderr, words)
                self.assertFalse(out.exists(), "a refused command leaves nothing behind")

    def test_no_device(self):
        for device in ("gpu", "cuda:", "cuda:-1", "cuda:x", "cuda:1234", "CPU", ""):
            for command in (self.training(self.folder / "refused", device=device), *self.commands_on(device)):
                self.refused(command, "--device", status=2)

    def test_codes_are_for_the_cpu_and_tf32_for_gpus(self):
        for command in self.commands_on("cuda"):
            self.refused([*command, "--precision", "int8"], "[--device cuda]", "int8", "fp32, bf16 or tf32")
        for command in self.commands_on("cpu"):
            self.refused([*command, "--precision", "tf32"], "[--device cpu]", "tf32", "fp32, bf16 or int8")

    # --- weights

    def test_truncated_weights(self):
        whole = self.encoder.read_bytes()
        short = self.folder / "short.safetensors"
        for length in (0, 4, 100, len(whole) // 2, len(whole) - 1):
            short.write_bytes(whole[:length])
            self.refused_training("short.safetensors", encoder=short)
            self.refused(["info", short], "short.safetensors")
        short.write_bytes(struct.pack("<Q", 2**63) + whole[8:])
        self.refused_training("short.safetensors", encoder=short)
        checkpoint = self.folder / "short.pth"
        golden = scene.pathlib.Path(__file__).parent.parent / "golden/tiny_weights.pth"
        checkpoint.write_bytes(golden.read_bytes()[:100000])
        self.refused_training("short.pth", encoder=checkpoint)
        for command in (["eval", "--data", self.data], ["predict", self.data]):
            self.refused([*command, "--model", checkpoint], "short.pth")

    def test_wrong_names_and_shapes(self):
        missing = self.changed_encoder(lambda t: t.pop("blocks.3.attn.qkv.bias"))
        self.refused_training("missing", "blocks.3.attn.qkv.bias", encoder=missing)
        unknown = self.changed_encoder(lambda t: t.update({"blocks.0.extra": ([1], [0.0])}))
        self.refused_training("blocks.0.extra", encoder=unknown)
        shape = self.changed_encoder(lambda t: t.update({"blocks.5.mlp.fc1.bias": ([8], [0.0] * 8)}))
        self.refused_training("blocks.5.mlp.fc1.bias", "[8]", "[256]", encoder=shape)
        empty = self.folder / "empty.safetensors"
        write_safetensors(empty, {})
        self.refused(["info", empty], "no tensors")
        self.refused_training("empty.safetensors", encoder=empty)
        self.refused_training("no such", encoder=self.folder / "no such")
        self.refused(["eval", "--model", self.encoder, "--data", self.data], "train first")
        self.refused_training("bottleneck.0.fc1.weight", init=empty)

    # --- pictures

    def test_picture_cut_short(self):
        data = self.folder / "short_picture"
        write_data(data, kinds=("disc",), train=4)
        picture = data / "disc/train/good/002.png"
        picture.write_bytes(picture.read_bytes()[:-60])
        self.refused_training("002.png", data=data)

    def test_folders(self):
        empty = self.folder / "empty"
        empty.mkdir()
        self.refused_training("no pictures", data=empty)
        self.refused_training("no such folder", data=self.folder / "nowhere")
        self.refused_training("no class 'cube'", "disc, stripes", classes="disc,cube")
        self.refused_training("12 training pictures", "13", batch=13)

    def test_sizes(self):
        self.refused_training("crop 42", "larger than size 32", crop=42)
        self.refused_training("crop 30", "multiple of the patch", crop=30)

    def test_mask_of_another_size_is_a_warning(self):
        data = self.folder / "other_mask"
        write_data(data, kinds=("disc",))
        write_png(data / "disc/ground_truth/spot/001_mask.png", draw("disc", 1, True, side=50)[1], channels=1)
        done = run(*self.training(self.folder / "warned", data=data))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"note: .*001_mask.png: the mask is 50x50, its picture 40x40")

    # --- outputs

    def test_outputs(self):
        file = self.folder / "file"
        file.write_text("mine")
        self.refused(self.training(file), "not a directory")
        self.refused(self.training(file / "run"), "cannot be made")
        self.assertEqual(file.read_text(), "mine")
        occupied = self.folder / "occupied"
        occupied.mkdir()
        (occupied / "notes.txt").write_text("mine")
        self.refused(self.training(occupied), "--resume")
        self.refused([*self.training(occupied), "--resume"], "nothing to resume")
        self.assertEqual([p.name for p in occupied.iterdir()], ["notes.txt"])
        self.refused(["convert", self.encoder, self.folder / "no/x.safetensors"], "no directory")

    # --- repeatable comparison

    def test_order(self):
        order = self.folder / "order.json"
        good = [["disc/train/good/000.png", "disc/train/good/001.png"]] * 6
        for content, words in (("not json", ["not a JSON list"]), (json.dumps(good[:5]), ["5 batches", "6 expected"]),
                               (json.dumps(good[:5] + [["disc/test/good/000.png"]]), ["disc/test/good/000.png"]),
                               (json.dumps(good[:5] + [[]]), ["batch 5"]), (json.dumps(good[:5] + [[7]]), ["batch 5"])):
            order.write_text(content)
            self.refused_training(*words, order=order)


if __name__ == "__main__":
    scene.main()
