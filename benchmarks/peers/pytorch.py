#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The peer PyTorch: eager or compiled, fp32 or bf16, inference or a training step. Started by compare.py (worker.py).

In inference bf16 means that weights and activations are bf16, which measured 3 to 5 % faster than autocast on a CPU; in
training it means autocast. Compiled inference is frozen (torch._inductor's freezing packs the weights).

--best is for GPUs: the encoder's weights in bf16, loss and optimiser compiled too (fast_step.py), cuDNN's attention
first, and everything replayed as one CUDA graph. Without it training is as users write it: the network compiled, the
loss and the authors' optimiser as they are. Pictures lie on the device before a round begins."""
import contextlib
import functools
import math

import fast_step
import network
import torch
import worker
from safetensors.torch import load_file


def infer(oracle, net, pictures, arguments):
    """The work, and how far its map is from the expected one."""
    import torch._inductor.config

    torch._inductor.config.freezing = arguments.compile
    dtype = torch.bfloat16 if arguments.precision == "bf16" else torch.float32
    net.to(arguments.device, dtype)
    network.fix_position(net)
    judge = network.Judge(net).to(arguments.device)
    if arguments.compile:
        judge = torch.compile(judge, mode=arguments.compile_mode)
    batch = pictures["pictures"][:arguments.batch].to(arguments.device)

    @torch.no_grad()
    def judged():
        maps = judge(batch.to(dtype))
        return maps, oracle.image_score(maps)

    judged_fast = fast_step.record(judged) if arguments.best else judged

    def work():
        maps, scores = judged_fast()
        scores.cpu()  # a round waits for its results
        return maps

    return work, worker.map_difference(work()[0, 0].cpu().numpy(), pictures["map"].numpy())


def train(oracle, net, pictures, arguments):
    """The work, and how far its loss without dropout is from the expected one."""
    is_autocast = arguments.precision == "bf16"
    device = torch.device(arguments.device)
    autocast = functools.partial(torch.autocast, device.type, torch.bfloat16) if is_autocast else contextlib.nullcontext
    if arguments.best and is_autocast:
        net.encoder.to(torch.bfloat16)
    net.to(device)
    network.fix_position(net)
    batch = pictures["pictures"][:arguments.batch].to(device)
    forward = torch.compile(net, mode=arguments.compile_mode) if arguments.compile else net
    optimizer = oracle.StableAdamW(net.trainable(), lr=1e-4)

    def loss_of():
        with autocast():
            en, de = forward(batch)
        return oracle.loose_loss([x.float() for x in en], [x.float() for x in de], 0.0, 0.1)

    def step():
        loss = loss_of()
        for parameter in net.trainable():
            parameter.grad = None
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.trainable(), 0.1)
        optimizer.step()
        return loss.detach()

    net.eval()
    if arguments.best:
        fast = fast_step.FastStep(net, batch, autocast, arguments.compile_mode, lr=1e-4)
        with torch.no_grad():
            loss = fast.loss(batch).item()  # not compiled: that would take as long again
        net.train()
        step = fast_step.record(fast.work)
    else:
        loss = loss_of().item()
        net.train()
        step()

    def work():
        if not math.isfinite(step().item()):
            raise RuntimeError("the loss is not finite")

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
    attention, peak = contextlib.nullcontext(), worker.peak_megabytes
    if arguments.device != "cpu":
        peak = lambda: torch.cuda.max_memory_reserved() / 2**20
        if arguments.best:
            from torch.nn.attention import SDPBackend, sdpa_kernel

            attention = sdpa_kernel([SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.MATH],
                                    set_priority=True)
    with attention:
        work, difference = make_work(oracle, net, pictures, arguments)
        worker.serve(answers, torch.__version__, difference, work, peak)


if __name__ == "__main__":
    main()
