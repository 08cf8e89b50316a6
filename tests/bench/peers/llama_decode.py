#!/usr/bin/env python3
"""Decoding speed of llama.cpp on a GGUF: tokens/s at a batch of B sequences. A peer to time Tenon against.

    python llama_decode.py MODEL.gguf [--batch 8] [--new 64] [--prompt 32] [--threads 2]

Drives llama_decode through llama-cpp-python's low-level API with greedy tokens, as the C library's own batched bench does; the cost of Python is a few
microseconds a step. Prints one JSON object. Needs: llama-cpp-python 0.3.36, numpy. SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import time

import llama_cpp
import numpy as np


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--new", type=int, default=64)
    p.add_argument("--prompt", type=int, default=32)
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    llama_cpp.llama_backend_init()
    quiet = llama_cpp.llama_log_callback(lambda *_: None)  # must outlive the calls below
    llama_cpp.llama_log_set(quiet, None)
    model = llama_cpp.llama_model_load_from_file(a.model.encode(), llama_cpp.llama_model_default_params())
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = a.batch * (a.prompt + a.new + 8)
    params.n_batch = params.n_ubatch = max(512, a.batch)
    params.n_seq_max = a.batch
    params.n_threads = params.n_threads_batch = a.threads
    ctx = llama_cpp.llama_init_from_model(model, params)
    vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    batch = llama_cpp.llama_batch_init(max(512, a.batch), 0, 1)

    def decode(rows):
        batch.n_tokens = len(rows)
        for i, (token, pos, seq, logits) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, pos, 1, logits
            batch.seq_id[i][0] = seq
        if llama_cpp.llama_decode(ctx, batch) != 0:
            raise SystemExit("llama_decode failed")

    for s in range(a.batch):
        decode([(3 + (7 * s + t) % 1000, t, s, t == a.prompt - 1) for t in range(a.prompt)])
    tokens = [3 + s for s in range(a.batch)]
    best, total = None, []
    for step in range(a.new):
        start = time.perf_counter()
        decode([(tokens[s], a.prompt + step, s, True) for s in range(a.batch)])
        logits = [np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(ctx, s), shape=(vocab,)) for s in range(a.batch)]
        total.append(time.perf_counter() - start)
        tokens = [int(l.argmax()) for l in logits]
    seconds = sorted(total)[len(total) // 2]
    print(json.dumps({"peer": "llama.cpp", "model": a.model.rsplit("/", 1)[-1], "batch": a.batch, "tokens_per_second": a.batch / seconds,
                      "best": a.batch / min(total)}))


if __name__ == "__main__":
    main()
