#!/usr/bin/env python3
"""Writes the prompts of the step benches: data/prompts-32.jsonl (32 characters of the toy's alphabet) and data/prompts-64.jsonl (English words).
SPDX-License-Identifier: Apache-2.0"""
import json
import pathlib
import random

here = pathlib.Path(__file__).parent / "data"
here.mkdir(exist_ok=True)
rng = random.Random(0)
alphabet = [chr(c) for c in range(0x100, 0x200)]
words = "the of and to in is was for on that by with as at from his her they which one all we can has more if will no time about".split()
with open(here / "prompts-32.jsonl", "w", encoding="utf-8") as f:
    for _ in range(64):
        f.write(json.dumps({"text": "".join(rng.choice(alphabet) for _ in range(32))}, ensure_ascii=False) + "\n")
with open(here / "prompts-64.jsonl", "w", encoding="utf-8") as f:
    for _ in range(64):
        f.write(json.dumps({"text": rng.choice(words) + "".join(" " + rng.choice(words) for _ in range(63))}) + "\n")
