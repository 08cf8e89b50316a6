#!/usr/bin/env python3
"""Seconds of one whole GRPO step with TRL, at a given shape. A peer to time Tenon against; every setting is tried by the caller.

    OMP_NUM_THREADS=2 python trl_step.py --shape toy|smollm2 [--dtype fp32|bf16] [--checkpointing] [--steps 4]

Random weights of the shape, EOS disabled (min = max new tokens), one update per rollout, beta 0; the first step is discarded. Prints one JSON object.
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
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

# hidden, ffn, layers, heads, kv heads, vocabulary, prompts, group, prompt tokens, new tokens
SHAPES = {"toy": (128, 512, 4, 4, 4, 256, 8, 16, 32, 64), "smollm2": (576, 1536, 30, 9, 3, 49152, 4, 8, 64, 64)}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--shape", choices=SHAPES, required=True)
    p.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    p.add_argument("--checkpointing", action="store_true")
    p.add_argument("--steps", type=int, default=4)
    a = p.parse_args()
    d, ffn, layers, heads, kv, vocab, prompts, group, n_prompt, n_new = SHAPES[a.shape]
    torch.manual_seed(0)
    tok = Tokenizer(models.WordLevel({f"t{i}": i for i in range(vocab)}, unk_token="t0"))
    tok.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tok = PreTrainedTokenizerFast(tokenizer_object=tok, eos_token="t1", pad_token="t2", unk_token="t0", padding_side="left")
    model = LlamaForCausalLM(LlamaConfig(vocab_size=vocab, hidden_size=d, intermediate_size=ffn, num_hidden_layers=layers, num_attention_heads=heads,
                                         num_key_value_heads=kv, max_position_embeddings=2048, tie_word_embeddings=True, bos_token_id=None,
                                         eos_token_id=1, pad_token_id=2))
    rng = random.Random(0)
    data = Dataset.from_list([{"prompt": " ".join(f"t{rng.randrange(3, vocab)}" for _ in range(n_prompt))} for _ in range(prompts * (a.steps + 4))])
    stamps = []

    class Stamp(TrainerCallback):
        def on_step_end(self, *_, **__):
            stamps.append(time.time())

    config = GRPOConfig(output_dir=tempfile.mkdtemp(), use_cpu=True, bf16=a.dtype == "bf16", gradient_checkpointing=a.checkpointing, beta=0.0,
                        num_generations=group, per_device_train_batch_size=prompts * group, max_completion_length=n_new,
                        generation_kwargs={"min_new_tokens": n_new}, max_steps=a.steps, learning_rate=1e-5, save_strategy="no", report_to=[],
                        disable_tqdm=True, logging_steps=1000, seed=0)
    trainer = GRPOTrainer(model=model, reward_funcs=lambda completions, **_: [rng.random() for _ in completions], args=config, train_dataset=data,
                          processing_class=tok, callbacks=[Stamp()])
    trainer.train()
    seconds = sorted(b - a for a, b in zip(stamps, stamps[1:]))
    print(json.dumps({"peer": "trl", "shape": a.shape, "dtype": a.dtype, "checkpointing": a.checkpointing,
                      "seconds": seconds[len(seconds) // 2], "min": seconds[0], "max": seconds[-1], "steps": len(seconds)}))


if __name__ == "__main__":
    main()
