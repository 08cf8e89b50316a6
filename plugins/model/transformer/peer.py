# What Hugging Face's transformers computes from the same weights; run by weights_test.cpp where TENON_PEER_PYTHON names a Python that has it.
# SPDX-License-Identifier: Apache-2.0
"""Usage: peer.py WEIGHTS IDS.json OUT.json

WEIGHTS: a folder, or a .gguf file, which transformers dequantises itself. IDS: rows of ids. OUT: for each row its logits, flat, if it is the
first or the weights are a folder, and the greedy next token after each of its tokens.
"""
import json
import os
import sys

import torch
from transformers import AutoModelForCausalLM

weights, ids_file, out_file = sys.argv[1:]
torch.set_num_threads(2)
gguf = weights.endswith(".gguf")
folder, name = os.path.split(weights) if gguf else (weights, None)
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32, attn_implementation="eager")
out = []
with torch.no_grad(), open(ids_file) as f:
    for i, ids in enumerate(json.load(f)):
        logits = model(torch.tensor([ids])).logits[0].float()
        out.append({"logits": logits.flatten().tolist() if i == 0 or not gguf else [], "next": logits.argmax(-1).tolist()})
with open(out_file, "w") as f:
    json.dump(out, f)
