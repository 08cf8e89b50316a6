# Writes tokenizer.json, variants.json and expected.jsonl with Hugging Face's tokenizers:
#   python make_fixture.py          (needs: pip install tokenizers; made with 0.23.3)
# SPDX-License-Identifier: Apache-2.0
import json
import pathlib
import random

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

import strings
from variants import VARIANTS

HERE = pathlib.Path(__file__).parent

CORPUS = """A tenon is the part of a joint that plugs in. A reward is what a program pays for the right answer.
The model thinks step by step: it writes the running value, then the next one, and then the answer. The answer is 42.
def add(a, b):
    return a + b

for (int i = 0; i < n; ++i) { total += values[i]; }
We don't guess; we'll check. It's what they're doing, I'm told, and you've seen it. He'd say so too.
Der schnelle braune Fuchs springt über den faulen Hund. Le cœur a ses raisons que la raison ne connaît point.
Быстрая коричневая лиса. Η γρήγορη αλεπού. 日本語の文章です。今天天气很好，我们去公园。 한국어 문장입니다.
First we add 3 and 4 to get 7; then we take 2 from 7 to get 5; therefore the answer is 5. Reasoning is patient work.
The quick brown fox jumps over the lazy dog while the token stream goes on and on, one token after another token.
"""


def train():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=3 + 256 + 500, show_progress=False, min_frequency=1,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
                                  special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.train_from_iterator(CORPUS.splitlines(keepends=True) * 2, trainer)
    tokenizer.add_tokens([AddedToken("<think>", normalized=False), AddedToken("</think>", normalized=True),
                          AddedToken("café", single_word=True, normalized=True),
                          AddedToken("[L]", lstrip=True, normalized=False),
                          AddedToken("[R]", rstrip=True, normalized=False)])
    return tokenizer


def main():
    base = json.loads(train().to_str())
    (HERE / "tokenizer.json").write_text(json.dumps(base, ensure_ascii=False, separators=(",", ":")) + "\n")
    (HERE / "variants.json").write_text(json.dumps(VARIANTS, ensure_ascii=False, indent=1) + "\n")
    built = {name: Tokenizer.from_str(json.dumps({**base, **patch})) for name, patch in VARIANTS.items()}

    rng = random.Random(20260101)
    texts = ["", " ", "a", "<think>7</think>", " <think> 7 </think> ", "cafés café cafe\u0301 xcafé café.", "a [L] b [L][L]c",
             "a [R] b[R]\n [R]c", "[L] [R] [L]", "<|im_start|>user\nHi<|im_end|>\n"]
    while len(texts) < 200:
        text = strings.text(rng)
        if len(text) < 160:
            texts.append(text)
    with open(HERE / "expected.jsonl", "w") as out:
        for text in texts:
            ids = {name: tokenizer.encode(text, add_special_tokens=False).ids for name, tokenizer in built.items()}
            out.write(json.dumps({"text": text, "ids": ids}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
