# Writes adamw_fixture.txt, sgd_fixture.txt and muon_fixture.txt: what torch.optim gives on the problem of optimizer_fixture.h.
# Run: python3 optimizer_fixture.py <folder of adamw> <folder of sgd> <folder of muon>   (made with torch 2.11.0)
# SPDX-License-Identifier: Apache-2.0
import math
import sys

import torch

SHAPES = [(5, 7), (7,), (3, 4), (1,)]
MUON = {"shapes": [(5, 7), (7,), (9, 4), (3,)], "bend": 0.11}  # a wide matrix and a tall one, of full rank
STEPS = 100


def problem(shapes):
    params = []
    for k, shape in enumerate(shapes):
        n = math.prod(shape)
        values = torch.tensor([math.cos(i + 3.0 * k) for i in range(n)], dtype=torch.float64).float()
        params.append(torch.nn.Parameter(values.view(shape)))
    return params


def gradients(params, step, bend):
    for k, p in enumerate(params):
        g = [math.sin(0.7 * i + bend * i * i + 1.3 * k + 0.37 * step) * (1 + k) for i in range(p.numel())]
        p.grad = torch.tensor(g, dtype=torch.float64).float().view(p.shape)


def groups(params, weight_decay):
    return [
        {"params": [p for p in params if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in params if p.dim() == 1], "weight_decay": 0.0},
    ]


class Both:
    """Two optimizers, of the matrices and of the rest, as one."""

    def __init__(self, *parts):
        self.parts = parts
        self.param_groups = [g for p in parts for g in p.param_groups]

    def step(self):
        for p in self.parts:
            p.step()


def muon(params, adamw_lr, **options):
    return Both(
        torch.optim.Muon([p for p in params if p.dim() > 1], **options),
        torch.optim.AdamW([p for p in params if p.dim() == 1], lr=adamw_lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0),
    )


def run(out, name, make, clip=None, schedule=None, shapes=SHAPES, bend=0.0):
    params = problem(shapes)
    optimizer = make(params)
    base = [g["lr"] for g in optimizer.param_groups]
    for step in range(1, STEPS + 1):
        gradients(params, step, bend)
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
with open(sys.argv[3] + "/muon_fixture.txt", "w") as out:
    out.write(HEAD)
    out.write("# Cases but \"bfloat16\": with the Newton-Schulz iteration of torch.optim.Muon in float64 instead of bfloat16.\n")
    original = {"lr": 1e-2, "momentum": 0.95, "weight_decay": 0.1, "adjust_lr_fn": "original"}
    run(out, "bfloat16", lambda p: muon(p, 3e-3, **original), **MUON)
    torch.Tensor.bfloat16 = torch.Tensor.double
    run(out, "original", lambda p: muon(p, 3e-3, **original), **MUON)
    run(out, "plain", lambda p: muon(p, 3e-3, lr=1e-2, momentum=0.9, nesterov=False, weight_decay=0.0, ns_steps=3), **MUON)
    run(out, "all", lambda p: muon(p, 1e-2, lr=1e-2, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"), clip=1.0, schedule=cosine, **MUON)
