# Writes adamw_fixture.txt and sgd_fixture.txt: what torch.optim gives on the problem of optimizer_fixture.h.
# Run: python3 optimizer_fixture.py <folder of adamw> <folder of sgd>   (made with torch 2.11.0)
# SPDX-License-Identifier: Apache-2.0
import math
import sys

import torch

SHAPES = [(5, 7), (7,), (3, 4), (1,)]
STEPS = 100


def problem():
    params = []
    for k, shape in enumerate(SHAPES):
        n = math.prod(shape)
        values = torch.tensor([math.cos(i + 3.0 * k) for i in range(n)], dtype=torch.float64).float()
        params.append(torch.nn.Parameter(values.view(shape)))
    return params


def gradients(params, step):
    for k, p in enumerate(params):
        g = [math.sin(0.7 * i + 1.3 * k + 0.37 * step) * (1 + k) for i in range(p.numel())]
        p.grad = torch.tensor(g, dtype=torch.float64).float().view(p.shape)


def groups(params, weight_decay):
    return [
        {"params": [p for p in params if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in params if p.dim() == 1], "weight_decay": 0.0},
    ]


def run(out, name, make, clip=None, schedule=None):
    params = problem()
    optimizer = make(params)
    base = [g["lr"] for g in optimizer.param_groups]
    for step in range(1, STEPS + 1):
        gradients(params, step)
        if clip:
            torch.nn.utils.clip_grad_norm_(params, clip)
        if schedule:
            for g, lr in zip(optimizer.param_groups, base):
                g["lr"] = lr * schedule(step - 1)
        optimizer.step()
        if step in (1, 10, 100):
            values = [x for p in params for x in p.detach().flatten().tolist()]
            out.write(f"{name} {step} " + " ".join(f"{x:.9g}" for x in values) + "\n")


def cosine(step, warmup=10, final=0.1):
    if step < warmup:
        return (step + 1) / warmup
    p = (step - warmup) / (STEPS - warmup - 1)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * p))


HEAD = "# Values of torch.optim, written by optimizer_fixture.py: case, step, all numbers of all parameters.\n"
with open(sys.argv[1] + "/adamw_fixture.txt", "w") as out:
    out.write(HEAD)
    run(out, "plain", lambda p: torch.optim.AdamW(groups(p, 0.0), lr=1e-2, betas=(0.9, 0.95), eps=1e-8))
    run(out, "decay", lambda p: torch.optim.AdamW(groups(p, 0.1), lr=1e-2, betas=(0.9, 0.999), eps=1e-6))
    run(out, "all", lambda p: torch.optim.AdamW(groups(p, 0.1), lr=3e-3, betas=(0.9, 0.95), eps=1e-8), clip=1.0, schedule=cosine)
with open(sys.argv[2] + "/sgd_fixture.txt", "w") as out:
    out.write(HEAD)
    run(out, "plain", lambda p: torch.optim.SGD(groups(p, 0.0), lr=1e-2))
    run(out, "momentum", lambda p: torch.optim.SGD(groups(p, 0.1), lr=1e-2, momentum=0.9, dampening=0.1))
    run(out, "nesterov", lambda p: torch.optim.SGD(groups(p, 0.1), lr=1e-2, momentum=0.9, nesterov=True), clip=1.0, schedule=cosine)
