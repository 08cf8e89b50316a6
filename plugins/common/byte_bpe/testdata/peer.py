# Encodes generated strings with Hugging Face's tokenizers and the vocabulary of a GGUF:
#   python peer.py MODEL.gguf OUTPUT.jsonl COUNT SEED      (needs: tokenizers, gguf)
# Each line of OUTPUT: {"hex": bytes of the string, "ids": ids, or null where the bytes are not UTF-8}.
# SPDX-License-Identifier: Apache-2.0
import json
import random
import sys

import gguf
from tokenizers import AddedToken, Tokenizer

import strings
from variants import VARIANTS


def from_gguf(path):
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    pre = fields["tokenizer.ggml.pre"].contents()
    added = [{"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
              "special": kind == 3} for i, (token, kind) in enumerate(zip(tokens, types)) if kind in (3, 4)]
    return Tokenizer.from_str(json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, **VARIANTS[pre],
        "post_processor": None, "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                                            "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {token: i for i, token in enumerate(tokens)},
                  "merges": fields["tokenizer.ggml.merges"].contents()}}))


def main():
    path, output, count, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    tokenizer = from_gguf(path)
    rng = random.Random(seed)
    with open(output, "w") as out:
        for i in range(count):
            if i % 20 == 19:
                data = strings.broken(rng)
            else:
                data = strings.text(rng).encode()
            try:
                ids = tokenizer.encode(data.decode(), add_special_tokens=False).ids
            except UnicodeDecodeError:
                ids = None
            out.write(json.dumps({"hex": data.hex(), "ids": ids}) + "\n")


if __name__ == "__main__":
    main()
