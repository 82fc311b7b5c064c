# SPDX-License-Identifier: Apache-2.0
"""Dinomaly in PyTorch, from dinomaly_torch.py of a folder that the caller names, as a peer that makes the best of a
fixed picture size would write it: the position embedding is resized once, not with every picture."""
import sys

import torch

CROP = 392


def import_oracle(folder):
    sys.path.insert(0, str(folder))
    import dinomaly_torch

    return dinomaly_torch


def cosine(a, b, dim=1):
    """cosine_similarity from operations that every exporter knows."""

    def norm(x):
        return x.square().sum(dim).sqrt().clamp(min=1e-8)

    return (a * b).sum(dim) / (norm(a) * norm(b))


class Judge(torch.nn.Module):
    """Pictures [B, 3, 392, 392] to blurred maps [B, 1, 256, 256]; the map itself is always computed in fp32."""

    def __init__(self, oracle, net):
        super().__init__()
        self.oracle, self.net = oracle, net
        oracle.F.cosine_similarity = cosine  # the oracle calls PyTorch's, which OpenVINO cannot convert
        self.eval()

    def forward(self, pictures):
        en, de = self.net(pictures)
        return self.oracle.anomaly_map([x.float() for x in en], [x.float() for x in de], CROP)


def make(oracle, arch):
    return oracle.Dinomaly(arch, drop=0.2)


def fix_position(net, dtype=torch.float32):
    side = CROP // net.encoder.patch
    position = net.encoder.position(side, side).detach().to(dtype)
    net.encoder.position = lambda h, w: position
