#!/usr/bin/env python3
"""Loss, gradient and advantages of TRL's trainers for given log-probabilities and rewards. Run by trl_test.cpp:

    python trl_losses.py CASES.json ANSWERS.json

CASES has a list of variants, each with its settings and its sequences (group by group); ANSWERS gets, of each variant by name, loss, gradient and advantages.
The losses are those of GRPOTrainer._compute_loss and RLOOTrainer._compute_loss themselves, in float64, called without a model: only the log-probabilities are
put in. The advantages are restated, as TRL computes them in the middle of generation: less the group's mean, by its sample deviation + 1e-4 (GRPO, lines
2767-2790 of 1.16); less the mean of the others (RLOO, lines 1685-1690).
Needs: trl 1.16, torch. SPDX-License-Identifier: Apache-2.0
"""
import collections
import json
import os
import sys
import types

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import torch
from trl import GRPOTrainer, RLOOTrainer

torch.set_default_dtype(torch.float64)


def padded(rows):
    width = max(len(row) for row in rows)
    return torch.tensor([list(row) + [0.0] * (width - len(row)) for row in rows])


def advantages_of(variant, rewards, groups):
    out = torch.zeros_like(rewards)
    for g in sorted(set(groups)):
        rows = [i for i, other in enumerate(groups) if other == g]
        own = rewards[rows]
        if variant["trainer"] == "rloo":
            out[rows] = own - (own.sum() - own) / (len(rows) - 1)
        else:
            out[rows] = own - own.mean()
            if variant["scale_rewards"] != "none":
                out[rows] /= own.std() + 1e-4
    return out


def answer(variant):
    rows = variant["sequences"]
    mask = padded([row["mask"] for row in rows])
    logps = padded([row["lp_new"] for row in rows]).requires_grad_(True)
    old, ref = padded([row["lp_old"] for row in rows]), padded([row["lp_ref"] for row in rows])
    advantages = advantages_of(variant, torch.tensor([row["reward"] for row in rows]), [row["group"] for row in rows])
    ids = torch.zeros(mask.shape, dtype=torch.long)
    present = padded([[1.0] * len(row["mask"]) for row in rows])
    trainer = types.SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *_, **__: (logps, torch.zeros_like(old), None),
        _metrics={"train": collections.defaultdict(list)}, _entropy_bonus_enabled=False, aux_loss_enabled=False, top_entropy_quantile=1.0,
        off_policy_mask_threshold=None, use_vllm=False, vllm_importance_sampling_correction=False, current_gradient_accumulation_steps=1,
        accelerator=types.SimpleNamespace(num_processes=1, gather=lambda x: x, gather_for_metrics=lambda x: x, reduce=lambda x, **_: x),
        model=types.SimpleNamespace(training=True), loss_type=variant["loss_type"], importance_sampling_level=variant["level"], beta=variant["beta"],
        epsilon_low=variant["epsilon_low"], epsilon_high=variant["epsilon_high"], max_completion_length=variant["max_completion_length"],
        args=types.SimpleNamespace(delta=variant["delta"], use_bias_correction_kl=variant["bias_correction"], steps_per_generation=1))
    inputs = {"prompt_ids": ids[:, :1], "prompt_mask": ids[:, :1], "completion_ids": ids, "completion_mask": present, "advantages": advantages}
    if variant["trainer"] == "rloo":
        inputs["old_logps"] = (old * present).sum(1)
        loss = RLOOTrainer._compute_loss(trainer, None, inputs)
    else:
        inputs.update(tool_mask=mask, old_per_token_logps=old, ref_per_token_logps=ref, num_items_in_batch=mask.sum())
        loss = GRPOTrainer._compute_loss(trainer, None, inputs)
    loss.backward()
    gradient = [logps.grad[i, : len(row["mask"])].tolist() for i, row in enumerate(rows)]
    return {"loss": loss.item(), "gradient": gradient, "advantages": advantages.tolist()}


def main():
    with open(sys.argv[1]) as file:
        variants = json.load(file)
    with open(sys.argv[2], "w") as file:
        json.dump({variant["name"]: answer(variant) for variant in variants}, file)


if __name__ == "__main__":
    main()
