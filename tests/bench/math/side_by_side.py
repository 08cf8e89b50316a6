#!/usr/bin/env python3
"""The library of math answers beside Math-Verify on the same rows in one run: right verdicts and CPU time per pair.

    side_by_side.py MATH_BENCH DATA [--rows N]

MATH_BENCH is the program of this folder, DATA the folder with math_answers/, olympiadbench/ and gsm8k/. Needs `pip install math-verify==0.9.0 antlr4-python3-runtime==4.13.2`.
Rows: gold answers of MATH against themselves and against rewritings (label: equal) or changes of a digit, a sign, a function (label: different), golds of OlympiadBench
against themselves, model solutions of GSM8K with their published labels, and the library's own exam. Math-Verify gets answers wrapped in dollars, which suits it, and the
golds first, as it asks. Times are CPU times, of one core, with reading the gold; on a busy machine caches still cost.
"""
# SPDX-License-Identifier: Apache-2.0
import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path


EXAM = Path(__file__).resolve().parents[3] / "plugins/common/math_answer/testdata/exam.tsv"


def golds(data):
    texts = set()
    for name in ("test", "train"):
        for line in open(data / f"math_answers/{name}.jsonl", encoding="utf-8"):
            answer = json.loads(line)["answer"]
            if answer:
                texts.add(answer)
    return sorted(texts)


def same(text):
    yield text.replace("\\frac", "\\dfrac")
    yield re.sub(r"\\sqrt\{(\w+)\}", r"(\1)^{1/2}", text)
    yield re.sub(r"\\pi(?![a-z])", " pi ", text)
    yield text.replace("^2", "^{2}")
    if re.fullmatch(r"-?\d+", text):
        yield f"{int(text) * 2}/2"
        yield f"{int(text):,}"
        yield f"x = {text}"


def changed(text):
    if re.search(r"text|mbox|=|[A-Z]", text):
        return
    digit = re.search(r"[1-8]", text)
    if digit:
        yield text[: digit.start()] + str(int(digit[0]) + 1) + text[digit.end() :]
    if " + " in text:
        yield text.replace(" + ", " - ", 1)
    if "\\sqrt" in text:
        yield text.replace("\\sqrt", "")
    if "\\pi" in text and text.strip() != "\\pi":
        yield text.replace("\\pi", "")


def tables(data, rows):
    draw = random.Random(0)
    texts = golds(data)
    pick = lambda pairs: draw.sample(pairs, min(rows, len(pairs)))
    yield "golds with themselves", [(t, t, True) for t in pick(texts)], False
    yield "rewritten", pick([(t, o, True) for t in texts for o in same(t) if o != t]), False
    yield "changed", pick([(t, o, False) for t in texts for o in changed(t) if o != t]), False
    solutions = [json.loads(line) for line in open(data / "gsm8k/model_solutions.jsonl", encoding="utf-8")]
    olympiad = [json.loads(line) for line in open(data / "olympiadbench/oe_to_maths_en.jsonl", encoding="utf-8")]
    finals = sorted({answer.strip("$") for row in olympiad for answer in row["final_answer"]})
    yield "OlympiadBench golds", [(t, t, True) for t in pick(finals)], False
    for search, name in ((False, "own exam, bare"), (True, "own exam, texts")):
        lines = [line.split("\t") for line in EXAM.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        yield name, [(g, re.sub(r"\\n(?![a-z])", "\n", a) if search else a, s == "same") for s, k, g, a in lines if (k == "text") == search], search
    yield "model solutions", pick([(s["gold"], s["completion"], s["is_correct"]) for s in solutions]), True


def ours(program, pairs, search):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for gold, answer, _ in pairs:
            file.write(json.dumps({"gold": gold, "completion" if search else "answer": answer}) + "\n")
        file.flush()
        lines = subprocess.run([program, file.name], check=True, capture_output=True, text=True).stdout.splitlines()
    results = [json.loads(line) for line in lines]
    return [r["verdict"] == "equal" for r in results], [r["micros"] for r in results]


def theirs(pairs, search):
    from math_verify import parse, verify

    verdicts, times = [], []
    for gold, answer, _ in pairs:
        start = time.process_time()
        verdicts.append(bool(verify(parse(f"${gold}$"), parse(answer if search else f"${answer}$"))))
        times.append(1e6 * (time.process_time() - start))
    return verdicts, times


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=500)
    arguments = parser.parse_args()
    print(f"{'rows':24}{'grader':14}{'right':>8}{'of':>7}{'false +':>9}{'false -':>9}{'mean us':>10}{'p99 us':>10}{'max us':>11}")
    for name, pairs, search in tables(arguments.data, arguments.rows):
        for grader, (verdicts, times) in (("tenon", ours(arguments.program, pairs, search)), ("math-verify", theirs(pairs, search))):
            labels = [label for _, _, label in pairs]
            plus = sum(v and not l for v, l in zip(verdicts, labels))
            minus = sum(l and not v for v, l in zip(verdicts, labels))
            right = len(labels) - plus - minus
            print(f"{name:24}{grader:14}{right:8}{len(labels):7}{plus:9}{minus:9}{sum(times) / len(times):10.1f}{sorted(times)[len(times) * 99 // 100]:10.1f}{max(times):11.1f}")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
