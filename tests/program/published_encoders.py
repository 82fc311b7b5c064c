#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Encoders in files that timm, transformers and PyTorch write themselves.

    published_encoders.py PROGRAM SHARED

Each network has random weights, biases and scales too. `dinomaly convert --to encoder` reads its file, and the oracle
runs on what it wrote: it has to give what the network itself gives. SHARED is the directory with
oracle/variants_torch.py. Without PyTorch, timm or transformers the exit status is 77 (skipped); DINOMALY_PYTHON names
an interpreter that has them.
"""
import argparse
import enum
import os
import pathlib
import subprocess
import sys
import tempfile
import types
import unittest

sys.dont_write_bytecode = True
import peers

peers.restart("DINOMALY_PYTHON")
if len(sys.argv) < 3:
    sys.exit(__doc__)
sys.path.insert(0, f"{sys.argv.pop(2)}/oracle")
PROGRAM = pathlib.Path(sys.argv.pop(1)).resolve()
os.environ.setdefault("HF_HUB_OFFLINE", "1")
try:
    import numpy
    import timm
    import torch
    import transformers
    from safetensors.torch import load_file, save_file
    import variants_torch as oracle
except ImportError as error:
    peers.skip("encoders are written by their libraries, where they are installed", error)

TOLERANCE = 2e-5  # of the largest value
torch.set_num_threads(2)


def run(*args):
    return subprocess.run([PROGRAM, *map(str, args)], capture_output=True, text=True, check=False)


def randomised(model, seed=1):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            deviation = 1.0 / parameter.shape[-1] ** 0.5 if parameter.dim() == 2 else 0.1
            parameter.copy_(scale + deviation * torch.randn(parameter.shape, generator=generator))
    return model.eval()


class Scratch(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.scratch.name)
        self.addCleanup(self.scratch.cleanup)

    def read(self, file, *says):
        """What the program makes of an encoder's file: tensors under the names of its authors' code."""
        out = self.folder / "canonical.safetensors"
        done = run("info", file)
        self.assertEqual(done.returncode, 0, done.stderr)
        for text in says:
            self.assertIn(text, done.stdout)
        done = run("convert", file, out, "--to", "encoder")
        self.assertEqual(done.returncode, 0, done.stderr)
        return load_file(out)

    def agree(self, model, layers, file, heads, size, *says, call=None, eps=1e-6):
        """The blocks of `model` give what the oracle makes of the file that was written for it."""
        found = []

        def keep(_, __, output):
            found.append(output[0] if isinstance(output, tuple) else output)

        hooks = [layer.register_forward_hook(keep) for layer in layers]
        picture = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(3))
        with torch.no_grad():
            (call or model)(picture)
            tensors = oracle.canonical(self.read(file, *says))
            wanted = oracle.encode(tensors, picture, heads, range(len(layers)), eps)
        for hook in hooks:
            hook.remove()
        self.assertEqual(len(found), len(wanted))
        for mine, its in zip(wanted, found):
            self.assertEqual(mine.shape, its.shape)
            self.assertLess(float((mine - its).abs().max() / its.abs().max()), TOLERANCE)


class Timm(Scratch):
    def check(self, name, size, *says, eps=1e-6, **settings):
        with self.subTest(name):
            model = randomised(timm.create_model(name, pretrained=False, depth=2, img_size=size, **settings))
            file = self.folder / "timm.safetensors"
            save_file({n: t.contiguous() for n, t in model.state_dict().items()}, file)
            self.agree(model, model.blocks, file, model.blocks[0].attn.num_heads, size, *says, eps=eps,
                       call=model.forward_features)

    def test_dinov2(self):
        self.check("vit_small_patch14_dinov2", 70,
                   "what: DINOv2 encoder ViT-S/14: width 384, 2 blocks, 6 heads, 0 registers")
        self.check("vit_small_patch14_reg4_dinov2", 70, "what: DINOv2 with registers encoder", "names: timm; taken for")
        self.check("vit_giant_patch14_dinov2", 70, "gated MLP of", embed_dim=128, num_heads=2)
        self.check("vit_giant_patch14_reg4_dinov2", 70, "gated MLP of", embed_dim=128, num_heads=2)

    def test_dinov3(self):
        for name in ("vit_small_patch16_dinov3", "vit_small_patch16_dinov3_qkvb", "vit_small_plus_patch16_dinov3",
                     "vit_small_plus_patch16_dinov3_qkvb"):
            self.check(name, 96, "what: DINOv3 encoder ViT-S/16", "rotary positions", "reg_token, and no pos_embed",
                       eps=1e-5)

    def test_plain_networks(self):
        self.check("vit_small_patch16_224.dino", 96, "what: DINO encoder ViT-S/16", num_classes=0)
        self.check("vit_small_patch8_224.dino", 48, "what: DINO encoder ViT-S/8", num_classes=0)
        self.check("deit_small_patch16_224", 96, "what: DeiT encoder ViT-S/16", "not needed: 2 tensors: head.")
        self.check("vit_base_patch16_224.mae", 96, "encoder ViT-B/16", num_classes=0)

    def test_beit(self):
        self.check("beit_base_patch16_224", 224, "what: BEiT encoder ViT-B/16", "relative positions of 14x14")
        self.check("beitv2_base_patch16_224", 224, "what: BEiT encoder ViT-B/16")

    def test_a_genuine_small_network(self):
        model = randomised(timm.create_model("vit_small_patch14_reg4_dinov2.lvd142m", pretrained=False))
        file = self.folder / "timm.safetensors"
        save_file({n: t.contiguous() for n, t in model.state_dict().items()}, file)
        found = self.read(file, "width 384, 12 blocks, 6 heads, 4 registers, position grid 37x37")
        found = oracle.canonical(found)
        for name, tensor in oracle.canonical(model.state_dict()).items():
            self.assertTrue(torch.equal(found[name], tensor), name)


class Transformers(Scratch):
    small = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}

    def check(self, kind, config, size, *says, eps=1e-6, prefix="", call=None):
        with self.subTest(kind.__name__):
            model = randomised(kind(config))
            model.save_pretrained(self.folder)
            base = getattr(model, prefix) if prefix else model
            layers = next(module for module in base.modules()
                          if isinstance(module, torch.nn.ModuleList) and len(module) == config.num_hidden_layers)
            self.agree(model, layers, self.folder / "model.safetensors", config.num_attention_heads, size,
                       "names: Hugging Face; ", *says, eps=eps, call=call and (lambda picture: call(model, picture)))
            saved = self.read(self.folder / "model.safetensors")
            torch.save(model.state_dict(), self.folder / "memory.pth")  # other names than save_pretrained's
            again = self.read(self.folder / "memory.pth", "names: Hugging Face; ")
            self.assertEqual(set(saved), set(again))
            for name, tensor in saved.items():
                self.assertTrue(torch.equal(tensor, again[name]), name)

    def test_dinov2(self):
        for gated in (False, True):
            settings = {**self.small, "image_size": 70, "patch_size": 14, "use_swiglu_ffn": gated}
            says = ("gated MLP of",) if gated else ()
            plain, registers = transformers.Dinov2Config(**settings), transformers.Dinov2WithRegistersConfig(**settings)
            self.check(transformers.Dinov2Model, plain, 70, "what: DINOv2 encoder",
                       "not needed: 1 tensor: embeddings.mask_token", *says)
            self.check(transformers.Dinov2WithRegistersModel, registers, 70, "4 registers", *says)
        self.check(transformers.Dinov2ForImageClassification, plain, 70, prefix="dinov2")
        self.check(transformers.Dinov2WithRegistersForImageClassification, registers, 70, prefix="dinov2_with_registers")

    def test_dinov3(self):
        for gated in (False, True):
            config = transformers.DINOv3ViTConfig(**self.small, image_size=96, patch_size=16, intermediate_size=256,
                                                  num_register_tokens=4, use_gated_mlp=gated,
                                                  hidden_act="silu" if gated else "gelu")
            self.check(transformers.DINOv3ViTModel, config, 96, "what: DINOv3 encoder", eps=1e-5)

    def test_plain_networks(self):
        config = transformers.ViTConfig(**self.small, image_size=96, intermediate_size=256, layer_norm_eps=1e-6)
        self.check(transformers.ViTModel, config, 96, "what: DINO encoder")
        self.check(transformers.ViTForImageClassification, config, 96, prefix="vit")
        config = transformers.ViTMAEConfig(**self.small, image_size=96, intermediate_size=256, layer_norm_eps=1e-6,
                                           mask_ratio=0.0)
        in_order = torch.arange(36).expand(2, -1).float()
        self.check(transformers.ViTMAEForPreTraining, config, 96, prefix="vit",
                   call=lambda model, picture: model.vit(picture, noise=in_order))

    def test_beit(self):
        config = transformers.BeitConfig(**self.small, image_size=224, intermediate_size=256, layer_norm_eps=1e-6,
                            use_relative_position_bias=True)
        self.check(transformers.BeitModel, config, 224, "what: BEiT encoder", "relative positions of 14x14")
        self.check(transformers.BeitForImageClassification, config, 224, prefix="beit")


class Containers(Scratch):
    """Training checkpoints as torch.save writes them, with objects that nothing may call."""

    def network(self):
        return randomised(timm.create_model("vit_small_patch16_224.dino", pretrained=False, depth=2, img_size=96,
                                            num_classes=0))

    def check(self, contents, *says):
        file = self.folder / "checkpoint.pth"
        torch.save(contents, file)
        return self.read(file, *says)

    def test_containers(self):
        model = self.network()
        weights = model.state_dict()
        optimizer = torch.optim.AdamW(model.parameters())
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        around = {"optimizer": optimizer.state_dict(), "epoch": 3,
                  "args": argparse.Namespace(lr=1e-3, path=pathlib.PurePosixPath("/x")),
                  "scaler": {"scale": 65536.0, "growth_interval": 2000}, "best": numpy.float64(0.5),
                  "seed": numpy.arange(3), "size": torch.Size([3])}
        behind = {"": weights, "module.": {"module." + n: t for n, t in weights.items()},
                  "backbone.": {"backbone." + n: t for n, t in weights.items()}}
        for key, prefix in (("model", ""), ("state_dict", "module."), ("teacher", "backbone."), ("model_ema", "")):
            with self.subTest(key):
                found = self.check({key: behind[prefix], **around}, "what: DINO encoder", "tensors: optimizer.state.0.")
                for name, tensor in oracle.canonical(weights).items():
                    self.assertTrue(torch.equal(found[name], tensor), name)

    def test_a_checkpoint_of_anomalib(self):
        module = types.ModuleType("anomalib_of_this_test")
        PrecisionType = enum.Enum("PrecisionType", {"FLOAT32": "float32"}, module=module.__name__)
        module.PrecisionType = PrecisionType
        sys.modules[module.__name__] = module
        model = randomised(timm.create_model("vit_small_patch14_reg4_dinov2", pretrained=False, img_size=70))
        c, tensors = 384, {}
        generator = torch.Generator().manual_seed(5)

        def draw(*shape):
            return 0.05 * torch.randn(*shape, generator=generator)

        trained = {"bottleneck.0.fc1.weight": draw(4 * c, c), "bottleneck.0.fc2.weight": draw(c, 4 * c)}
        for i in range(8):
            for name, shape in (("norm1.weight", [c]), ("norm1.bias", [c]), ("norm2.weight", [c]), ("norm2.bias", [c]),
                                ("attn.qkv.weight", [3 * c, c]), ("attn.qkv.bias", [3 * c]),
                                ("attn.proj.weight", [c, c]), ("attn.proj.bias", [c]),
                                ("mlp.fc1.weight", [4 * c, c]), ("mlp.fc2.weight", [c, 4 * c])):
                trained[f"decoder.{i}.{name}"] = draw(*shape)
        tensors = {"model." + n: t for n, t in trained.items()}
        tensors |= {"trainable_modules.0." + n.removeprefix("bottleneck."): t for n, t in trained.items()
                    if "bottleneck" in n}
        tensors |= {"model.encoder.feature_extractor." + n: t for n, t in model.state_dict().items()}
        tensors |= {"model.gaussian_blur.kernel": torch.ones(1, 1, 5, 5),
                    "post_processor._image_threshold": torch.tensor(0.5)}
        settings = {"encoder_name": "vit_small_patch14_reg4_dinov2.lvd142m", "bottleneck_dropout": 0.2,
                    "decoder_depth": 8, "target_layers": None, "remove_class_token": False, "use_context_recentering": False,
                    "precision": PrecisionType.FLOAT32}
        file = self.folder / "model.ckpt"
        checkpoint = {"best_model_score": torch.tensor(0.9), "dirpath": pathlib.PurePosixPath("/x"),
                      "kth_value": numpy.float32(0.25), "precision": PrecisionType.FLOAT32}
        contents = {"epoch": 1, "global_step": 10, "state_dict": tensors, "hyper_parameters": settings,
                    "pytorch-lightning_version": "2.6.0", "loops": {"fit_loop": {"state_dict": {}}},
                    "optimizer_states": [], "lr_schedulers": [], "callbacks": {"ModelCheckpoint{}": checkpoint}}
        torch.save(contents, file)
        done = run("info", file)
        self.assertIn("what: anomalib's Dinomaly with encoder ViT-S/14", done.stdout)
        out = self.folder / "model.safetensors"
        done = run("convert", file, out, "--to", "authors")
        self.assertEqual(done.returncode, 0, done.stderr)
        found = load_file(out)
        for name, tensor in trained.items():
            self.assertTrue(torch.equal(found[name], tensor), name)
        self.assertEqual(float(found["decoder.3.mlp.fc1.bias"].abs().max()), 0.0)
        for name, tensor in oracle.canonical(model.state_dict()).items():
            self.assertTrue(torch.equal(found["encoder." + name], tensor), name)
        done = run("info", out)
        self.assertIn('"reflect_blur":true', done.stdout)
        self.assertIn('"position_resize":"size"', done.stdout)

        contents["hyper_parameters"]["use_context_recentering"] = True
        torch.save(contents, file)
        done = run("convert", file, out, "--to", "authors")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("use_context_recentering", done.stderr)


if __name__ == "__main__":
    unittest.main()
