#!/usr/bin/env python3
"""The quickstart with a user's tools: `transformers` for the base, TRL's GRPOTrainer for the reinforcement learning. A peer to time Tenon against.

    OMP_NUM_THREADS=2 python trl_quickstart.py [--base-steps 2065] [--rl-steps 75] [--seed 0]

Same task and corpus as configs/quickstart.yaml: sums of seven one-digit numbers, 40 % of documents step by step; a 3-layer Llama of width 64 with
a character vocabulary; loss on the answer part; then 16 prompts x 16 completions a step with the accuracy reward alone. Prints one JSON object.
Needs: torch 2.11, transformers 5.23, trl 1.16, datasets. SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import random
import tempfile
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
import torch
from datasets import Dataset
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import GRPOConfig, GRPOTrainer

ALPHABET = "0123456789+-=<>,"


def problem(rng, operands=7):
    """Returns (text up to and including "=", the steps, the result). The running value is never negative."""
    value = rng.randint(0, 9)
    text, steps = str(value), []
    for _ in range(operands - 1):
        n = rng.randint(0, 9)
        sign = "-" if n <= value and rng.random() < 0.5 else "+"
        after = value - n if sign == "-" else value + n
        text += f"{sign}{n}"
        steps.append(f"{value}{sign}{n}={after}")
        value = after
    return text + "=", ",".join(steps), str(value)


def document(rng):
    prompt, steps, answer = problem(rng)
    return prompt, f"<{steps if rng.random() < 0.4 else ''}>{answer}"


def tokenizer():
    vocab = {c: i for i, c in enumerate(["_", "$"] + list(ALPHABET))}
    t = Tokenizer(models.WordLevel(vocab, unk_token="_"))
    t.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    t.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=t, eos_token="$", pad_token="_", unk_token="_", padding_side="left")


def accuracy(completions, answer, **_):
    return [1.0 if c.rsplit(">", 1)[-1] == a and ">" in c else 0.0 for c, a in zip(completions, answer)]


@torch.no_grad()
def sampled(model, tok, rng, n=512):
    """Sampled accuracy, mean completion length and the share that works step by step, at temperature 1."""
    model.eval()
    rows = [problem(rng) for _ in range(n)]
    inputs = tok([r[0] for r in rows], return_tensors="pt", padding=True, return_token_type_ids=False)
    out = model.generate(**inputs, do_sample=True, temperature=1.0, top_k=0, max_new_tokens=64, pad_token_id=tok.pad_token_id)
    out = out[:, inputs["input_ids"].shape[1]:]
    texts, lengths = [], []
    for ids in out.tolist():
        end = ids.index(tok.eos_token_id) if tok.eos_token_id in ids else len(ids)
        texts.append(tok.decode(ids[:end]))
        lengths.append(min(end + 1, len(ids)))
    right = accuracy(texts, [r[2] for r in rows])
    model.train()
    return {"accuracy": sum(right) / n, "length": sum(lengths) / n, "steps": sum("," in t for t in texts) / n}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--base-steps", type=int, default=2065)
    p.add_argument("--rl-steps", type=int, default=75)
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    torch.manual_seed(a.seed)
    rng = random.Random(a.seed)
    tok = tokenizer()
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tok), hidden_size=64, intermediate_size=256, num_hidden_layers=3, num_attention_heads=4,
                                         max_position_embeddings=128, tie_word_embeddings=True, bos_token_id=None, eos_token_id=tok.eos_token_id,
                                         pad_token_id=tok.pad_token_id))

    start = time.time()
    opt = torch.optim.AdamW(model.parameters(), lr=4e-3, betas=(0.9, 0.99), weight_decay=0.0)
    cosine = torch.optim.lr_scheduler.LambdaLR(
        opt, lambda s: 0.1 + 0.9 * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * s / a.base_steps)).item()))
    for _ in range(a.base_steps):
        docs = [document(rng) for _ in range(48)]
        ids = [tok.encode(q + c) + [tok.eos_token_id] for q, c in docs]
        width = max(map(len, ids))
        x = torch.full((48, width), tok.pad_token_id)
        y = torch.full((48, width), -100)
        m = torch.zeros((48, width), dtype=torch.long)
        for i, (row, (q, _)) in enumerate(zip(ids, docs)):
            x[i, : len(row)] = torch.tensor(row)
            y[i, len(q): len(row)] = x[i, len(q): len(row)]
            m[i, : len(row)] = 1
        model(input_ids=x, attention_mask=m, labels=y).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        cosine.step()
        opt.zero_grad()
    base_seconds = time.time() - start
    base = sampled(model, tok, random.Random(10_000 + a.seed))

    rows = [problem(rng) for _ in range(16 * (a.rl_steps + 8))]
    data = Dataset.from_list([{"prompt": q, "answer": v} for q, _, v in rows])
    config = GRPOConfig(output_dir=tempfile.mkdtemp(), use_cpu=True, bf16=False, fp16=False, gradient_checkpointing=False, beta=0.0, loss_type="dapo",
                        num_generations=16, per_device_train_batch_size=256, max_completion_length=64, max_steps=a.rl_steps, learning_rate=1.5e-4,
                        lr_scheduler_type="constant_with_warmup", warmup_steps=10, adam_beta2=0.95, temperature=1.0, logging_steps=25,
                        save_strategy="no", report_to=[], seed=a.seed, disable_tqdm=True)
    trainer = GRPOTrainer(model=model, reward_funcs=accuracy, args=config, train_dataset=data, processing_class=tok)
    start = time.time()
    trainer.train()
    rl_seconds = time.time() - start
    result = sampled(model, tok, random.Random(10_000 + a.seed))
    print(json.dumps({"peer": "trl", "seed": a.seed, "base_seconds": base_seconds, "rl_seconds": rl_seconds, "base_steps": a.base_steps,
                      "rl_steps": a.rl_steps, "base": base, "result": result}))


if __name__ == "__main__":
    main()
