# The pre-tokenizers of the model families, as members of a tokenizer.json.
# SPDX-License-Identifier: Apache-2.0


def byte_level(use_regex):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def split(regex):
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
DEEPSEEK = [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
            r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
            r"|\s*[\r\n]+|\s+(?!\S)|\s+"]

VARIANTS = {
    "gpt-2": {"normalizer": None, "pre_tokenizer": byte_level(True)},
    "smollm": {"normalizer": None,
               "pre_tokenizer": sequence({"type": "Digits", "individual_digits": True}, byte_level(True))},
    "llama-3": {"normalizer": None, "pre_tokenizer": sequence(split(LLAMA3), byte_level(False))},
    "qwen2": {"normalizer": {"type": "NFC"}, "pre_tokenizer": sequence(split(QWEN2), byte_level(False))},
    "deepseek-v3": {"normalizer": {"type": "Sequence", "normalizers": []},
                    "pre_tokenizer": sequence(*[split(p) for p in DEEPSEEK], byte_level(False))},
}
