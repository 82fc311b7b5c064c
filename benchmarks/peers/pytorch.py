#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The peer PyTorch: eager or compiled, fp32 or bf16, inference or a training step. Started by compare.py (worker.py).

In inference bf16 means that weights and activations are bf16, which measured 3 to 5 % faster than autocast; in training
it means autocast. Compiled inference is frozen (torch._inductor's freezing packs the weights)."""
import contextlib
import math

import network
import torch
import worker
from safetensors.torch import load_file


def infer(oracle, net, pictures, arguments):
    """The work, and how far its map is from the expected one."""
    import torch._inductor.config

    torch._inductor.config.freezing = arguments.compile
    dtype = torch.bfloat16 if arguments.precision == "bf16" else torch.float32
    net.to(dtype)
    network.fix_position(net, dtype)
    judge = network.Judge(oracle, net)
    if arguments.compile:
        judge = torch.compile(judge)
    batch = pictures["pictures"][:arguments.batch]

    @torch.no_grad()
    def work():
        maps = judge(batch.to(dtype))
        oracle.image_score(maps)
        return maps

    return work, worker.map_difference(work()[0, 0].numpy(), pictures["map"].numpy())


def train(oracle, net, pictures, arguments):
    """The work, and how far its loss without dropout is from the expected one."""
    network.fix_position(net)
    batch = pictures["pictures"][:arguments.batch]
    forward = torch.compile(net) if arguments.compile else net
    optimizer = oracle.StableAdamW(net.trainable(), lr=1e-4)

    def loss_of():
        is_autocast = arguments.precision == "bf16"
        with torch.autocast("cpu", torch.bfloat16) if is_autocast else contextlib.nullcontext():
            en, de = forward(batch)
        return oracle.loose_loss([x.float() for x in en], [x.float() for x in de], 0.0, 0.1)

    def work():
        loss = loss_of()
        for parameter in net.trainable():
            parameter.grad = None
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.trainable(), 0.1)
        optimizer.step()
        if not math.isfinite(loss.item()):
            raise RuntimeError("the loss is not finite")

    net.eval()
    loss = loss_of().item()
    net.train()
    work()
    return work, abs(loss / pictures["loss"].item() - 1)


def main():
    arguments = worker.parse_arguments(__doc__, ("fp32", "bf16"), ("infer", "train"))
    answers = worker.own_output()
    torch.set_num_threads(arguments.threads)
    oracle = network.import_oracle(arguments.oracle)
    net = network.make(oracle, arguments.arch)
    net.load_state_dict(load_file(arguments.files / "model.safetensors"))
    for parameter in net.encoder.parameters():
        parameter.requires_grad_(False)
    pictures = load_file(arguments.files / "pictures.safetensors")
    make_work = infer if arguments.mode == "infer" else train
    work, difference = make_work(oracle, net, pictures, arguments)
    worker.serve(answers, torch.__version__, difference, work)


if __name__ == "__main__":
    main()
