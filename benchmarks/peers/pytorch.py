#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times the same work as benchmark_dinomaly with eager PyTorch, in fp32: 448/392, 4 registers, random weights.

    pytorch.py infer|train [small|base|large] [batch] [repeat] [threads] [--oracle DIR]

DIR holds dinomaly_torch.py (by default ../shared/oracle beside the checkout). The first round is not counted."""
import argparse
import pathlib
import resource
import sys
import time

default_oracle = pathlib.Path(__file__).resolve().parents[3] / "shared" / "oracle"
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("mode", choices=("infer", "train"))
parser.add_argument("arch", nargs="?", default="small", choices=("small", "base", "large"))
parser.add_argument("batch", nargs="?", type=int)
parser.add_argument("repeat", nargs="?", type=int, default=5)
parser.add_argument("threads", nargs="?", type=int, default=2)
parser.add_argument("--oracle", type=pathlib.Path, default=default_oracle)
arguments = parser.parse_args()
batch = arguments.batch or (1 if arguments.mode == "infer" else 16)

sys.path.insert(0, str(arguments.oracle))
import torch  # noqa: E402
import dinomaly_torch as oracle  # noqa: E402

torch.set_num_threads(arguments.threads)
torch.manual_seed(1)
net = oracle.Dinomaly(arguments.arch, drop=0.2)
oracle.randomize(net, 1, 0.02)
images = torch.randn(batch, 3, 392, 392)


def infer():
    with torch.inference_mode():
        en, de = net(images)
        oracle.image_score(oracle.anomaly_map(en, de, 392))


def train():
    en, de = net(images)
    loss = oracle.loose_loss(en, de, 0.0, 0.1)
    for parameter in net.trainable():
        parameter.grad = None
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.trainable(), 0.1)
    optimizer.step()


net.train(arguments.mode == "train")
optimizer = oracle.StableAdamW(net.trainable(), lr=1e-4)
rounds = []
for i in range(arguments.repeat + 1):
    start = time.perf_counter()
    (train if arguments.mode == "train" else infer)()
    if i > 0:
        rounds.append(time.perf_counter() - start)
rounds.sort()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"PyTorch {torch.__version__} eager {arguments.mode} {arguments.arch} batch {batch}, {arguments.threads} threads: "
      f"median {1e3 * rounds[len(rounds) // 2]:.1f} ms, least {1e3 * rounds[0]:.1f} ms; peak {peak:.0f} MB")
