# SPDX-License-Identifier: Apache-2.0
"""A training step as PyTorch runs it fastest: network and loss in one compiled function, clipping and StableAdamW in
another, and on a GPU all of it recorded as one CUDA graph.

The loss is that of the oracle without a hook, and the optimiser that of the oracle without a word to the host, so that
both can be compiled; pytorch.py checks the first loss.
"""
import math

import torch
from torch.nn import functional as F

BETAS, EPS, DECAY, LIMIT = (0.9, 0.999), 1e-10, 1e-4, 0.1


def loose_loss(en, de, p, factor):
    """Points below the threshold, the easy ones, pass on `factor` of their gradient."""
    total = 0
    for a, b in zip(en, de):
        with torch.no_grad():
            distance = 1 - F.cosine_similarity(a, b).unsqueeze(1)
            threshold = torch.topk(distance.flatten(), k=int(distance.numel() * (1 - p)))[0][-1]
            share = torch.where(distance < threshold, factor, 1.0)
        b = b.detach() + share * (b - b.detach())
        total = total + (1 - F.cosine_similarity(a.flatten(1), b.flatten(1))).mean()
    return total / len(en)


class StableAdamW:
    """With AMSGrad, and clipping by the joint norm before it; all state on the device."""

    def __init__(self, parameters, lr):
        self.p = [p.detach() for p in parameters]
        self.m, self.v, self.vmax = ([torch.zeros_like(p) for p in self.p] for _ in range(3))
        self.t = torch.zeros((), device=self.p[0].device, dtype=torch.float64)
        self.lr = lr

    @torch.no_grad()
    def step(self, gradients):
        self.t += 1
        correct1 = (1 - BETAS[0] ** self.t).float()
        correct2 = (1 - BETAS[1] ** self.t).sqrt().float()
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        g = torch._foreach_mul(gradients, (LIMIT / (norm + 1e-6)).clamp(max=1))
        torch._foreach_mul_(self.p, 1 - self.lr * DECAY)
        torch._foreach_lerp_(self.m, g, 1 - BETAS[0])
        torch._foreach_mul_(self.v, BETAS[1])
        torch._foreach_addcmul_(self.v, g, g, value=1 - BETAS[1])
        torch._foreach_maximum_(self.vmax, self.v)
        den = torch._foreach_add(torch._foreach_div(torch._foreach_sqrt(self.vmax), correct2), EPS)
        norms = torch._foreach_norm(torch._foreach_div(g, den))
        rates = [-self.lr / correct1 / (n / math.sqrt(x.numel())).clamp(min=1) for n, x in zip(norms, g)]
        torch._foreach_add_(self.p, torch._foreach_mul(torch._foreach_div(self.m, den), rates))


class FastStep:
    """work() is one step on `batch`; its loss stays on the device."""

    def __init__(self, net, batch, autocast, mode, lr):
        self.net, self.batch, self.autocast = net, batch, autocast
        self.trained = net.trainable()
        self.forward = torch.compile(self.loss, mode=mode)
        self.update = torch.compile(StableAdamW(self.trained, lr).step, mode=mode)

    def loss(self, pictures):
        with self.autocast():
            en, de = self.net(pictures)
        return loose_loss([x.float() for x in en], [x.float() for x in de], 0.0, 0.1)

    def work(self):
        for p in self.trained:
            p.grad = None
        loss = self.forward(self.batch)
        loss.backward()
        self.update([p.grad for p in self.trained])
        return loss.detach()


def record(work):
    """work(), recorded after some ordinary runs; what it returns is overwritten by each run of the result. On a CPU there
    is nothing to record."""
    if not torch.cuda.is_available():
        return work
    apart = torch.cuda.Stream()
    apart.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(apart):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(apart)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = work()

    def replay():
        graph.replay()
        return result

    return replay
