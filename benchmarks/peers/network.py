# SPDX-License-Identifier: Apache-2.0
"""Dinomaly in PyTorch, from dinomaly_torch.py of a folder that the caller names, as a peer that makes the best of a
fixed picture size would write it: the position embedding is resized once, not with every picture."""
import sys

import torch
import torch.nn.functional as F

CROP = 392
MAP = 256


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

    def __init__(self, net):
        super().__init__()
        self.net = net
        offset = torch.arange(5.0) - 2
        blur = torch.exp(-(offset[:, None] ** 2 + offset[None] ** 2) / 32)
        self.blur = (blur / blur.sum())[None, None]
        self.eval()

    def to(self, device):
        self.blur = self.blur.to(device)  # no buffer: it stays in fp32
        return super().to(device)

    def forward(self, pictures):
        en, de = self.net(pictures)
        maps = [F.interpolate(1 - cosine(a.float(), b.float()).unsqueeze(1), size=(CROP, CROP), mode="bilinear",
                              align_corners=True) for a, b in zip(en, de)]
        mean = F.interpolate(torch.cat(maps, 1).mean(1, keepdim=True), size=MAP, mode="bilinear", align_corners=False)
        return F.conv2d(mean, self.blur, padding=2)


def make(oracle, arch):
    return oracle.Dinomaly(arch, drop=0.2)


def fix_position(net):
    """In the type and on the device of the encoder."""
    side = CROP // net.encoder.patch
    position = net.encoder.position(side, side).detach().to(net.encoder.pos_embed)
    net.encoder.position = lambda h, w: position
