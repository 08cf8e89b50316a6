# Strings that tokenizers disagree about: code, scripts, digits, combining marks, white space, control tokens.
# SPDX-License-Identifier: Apache-2.0
import random

WORDS = """the quick brown fox jumps over a lazy dog don't we'll I'm you've they're it's he'd CAN'T WE'LL naïve café
Straße Ελληνικά русский текст עברית العربية हिन्दी ไทย 日本語 ひらがな カタカナ 中文 字符 한국어 tokens answer reasoning
therefore 1st 2nd x1 y22 z333 1,234.56 -7 3.14159 1e-9 0x1F ½ ² ³ ⅷ ٣٤٥ 一二三 １２３ mc² H₂O""".split()
CODE = ["def f(x):\n    return x + 1\n", "for (int i = 0; i < n; ++i) { a[i] *= 2; }", "#include <vector>\r\n",
        "\tif x == None:\n\t\tpass\n", "SELECT * FROM t WHERE id=12345;", "<div class=\"a\">&nbsp;</div>",
        "a->b::c<d>(e)&&f||!g", "std::cout << \"hi\\n\";", "x=[1,2,3][::-1]", "https://a.b/c?d=e&f=g#h",
        "\\frac{1}{2}\\sqrt{x^2}", "```python\nprint(1)\n```", "{\"key\": [null, true, 1.5]}", "<think>\n7*6=42\n</think>"]
MARKS = ["e\u0301", "a\u0308\u0323", "\u0928\u093f", "\u1100\u1161\u11a8", "o\u0302\u0301", "\u0e01\u0e33", "q\u0307",
         "A\u030a", "\u212b", "\ufb01", "\u0344", "ſ's", "\u017fs", "K'S", "I\u0307"]
EMOJI = ["😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇫🇷", "👍🏽", "❤️", "🤖🤖🤖", "1️⃣", "♥", "→", "∑", "€", "©", "„“", "…", "–", "¿"]
SPACES = [" ", "  ", "    ", "\n", "\n\n", "\r\n", "\t", " \n", "\n ", "\t\t ", "\u00a0", "\u3000", "\u2003", "\u200b",
          "\u180e", "\u0085", "\u2028", "\x0b", "\x0c", "\x1f", "\u202f", " \u00a0 ", "\ufeff", " " * 17, "\n" * 9]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|im_start|>user\n", "<|im_end", "|>", "<|im_end|>\n", "<｜User｜>"]
PUNCT = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + ["'s", "'T", "'re", "''", "...", "?!", "—", "。", "、", "「」", "_"]
PLANES = [(0x20, 0x7e), (0xa0, 0x24f), (0x300, 0x36f), (0x370, 0x3ff), (0x400, 0x4ff), (0x5d0, 0x5ea), (0x620, 0x64a),
          (0x900, 0x939), (0xe00, 0xe3a), (0x2000, 0x206f), (0x2100, 0x214f), (0x2190, 0x21ff), (0x3040, 0x30ff),
          (0x4e00, 0x9fff), (0xac00, 0xd7a3), (0xf900, 0xfa6d), (0xff00, 0xffef), (0x1d400, 0x1d7ff), (0x1f600, 0x1f64f),
          (0x20000, 0x2a6d6), (0, 0x1f), (0x7f, 0x9f)]


def text(rng):
    kind = rng.random()
    if kind < 0.15:
        return "".join(chr(rng.randint(*rng.choice(PLANES))) for _ in range(rng.randint(1, 30)))
    if kind < 0.25:
        return "".join(rng.choice("0123456789") for _ in range(rng.randint(1, 25)))
    if kind < 0.35:
        return "".join(rng.choice(SPACES) for _ in range(rng.randint(1, 8)))
    pools = [WORDS, WORDS, WORDS, CODE, MARKS, EMOJI, SPACES, SPACES, SPECIAL, PUNCT, PUNCT]
    parts = []
    for _ in range(rng.randint(1, 14)):
        parts.append(rng.choice(rng.choice(pools)))
        if rng.random() < 0.4:
            parts.append(" ")
    if kind > 0.99:
        parts = parts * rng.randint(20, 60)
    if kind > 0.97:
        parts.append("".join(rng.choice("abcdefghijklmnop") for _ in range(rng.randint(60, 400))))
    return "".join(parts)


def broken(rng):
    """Bytes that are not UTF-8, with text around them."""
    data = bytearray(text(rng).encode())
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(data))
        data[at:at] = rng.choice([b"\x80", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xf0\x80\x80\x80",
                                  b"\xbf\xbf\xbf", b"\xc3\x28", b"\xf4\x90\x80\x80"])
    return bytes(data)
