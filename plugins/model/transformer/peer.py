# What Hugging Face's transformers computes from the same weights; run by weights_test.cpp where TENON_PEER_PYTHON names a Python that has it.
# SPDX-License-Identifier: Apache-2.0
"""Usage: peer.py folder FOLDER IDS.json OUT.json   logits of the model in FOLDER for rows of ids
          peer.py gguf FILE OUT.json                ids of five prompts, logits of the first, greedy continuations of 64 tokens
"""
import json
import os
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

PROMPTS = [
    "The capital of France is",
    "def fibonacci(n):\n    ",
    "Question: Tom has 3 apples and buys 4 more. How many apples has he now?\nAnswer:",
    "Once upon a time, in a small village by the sea,",
    "Water boils at",
]


def logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].float()


def main():
    if sys.argv[1] == "folder":
        model = AutoModelForCausalLM.from_pretrained(sys.argv[2], dtype=torch.float32, attn_implementation="eager")
        rows = json.load(open(sys.argv[3]))
        json.dump([logits(model, row).flatten().tolist() for row in rows], open(sys.argv[4], "w"))
        return
    folder, name = os.path.split(sys.argv[2])
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32, attn_implementation="eager")
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    out = []
    for prompt in PROMPTS:
        ids = tokenizer(prompt).input_ids
        tokens = list(ids)
        cache, step = None, torch.tensor([ids])
        with torch.no_grad():
            for _ in range(64):
                result = model(step, past_key_values=cache, use_cache=True)
                cache = result.past_key_values
                tokens.append(int(result.logits[0, -1].argmax()))
                step = torch.tensor([[tokens[-1]]])
        out.append({"ids": ids, "continuation": tokens[len(ids):]})
    out[0]["logits"] = logits(model, out[0]["ids"]).flatten().tolist()
    json.dump(out, open(sys.argv[3], "w"))


main()
