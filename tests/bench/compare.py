#!/usr/bin/env python3
"""Tenon and its peers, side by side: interleaved runs on one machine, and the ratio of their times.

    python compare.py quickstart|toy|smollm2 --tenon build/release/bin/tenon --peer-python VENV/bin/python [--repeats 3] [--gguf FILE]

Every setting of a peer that its users would try is timed; the ratio is taken against the fastest. Times are of the work itself (start-up and loading are
left out on both sides). Before, between and after the runs a fixed matrix product is timed; if it moved by more than 10 % the table says so.
Run it on an idle machine. The peers need what their files say. SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def calibrate(python):
    """GFLOP/s of a fixed float32 product on two threads, the median of nine."""
    code = ("import torch,time;torch.set_num_threads(2);a=torch.randn(1024,1024);t=[]\n"
            "for _ in range(9):\n s=time.perf_counter();a@a;t.append(time.perf_counter()-s)\n"
            "print(2*1024**3/sorted(t)[4]/1e9)")
    return float(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout)


def tenon(args, config, overrides=(), drop=1):
    """Runs a configuration in a folder of its own; seconds of all steps by stage, and the median step after the first `drop`, and eval.json."""
    runs = pathlib.Path(tempfile.mkdtemp(prefix="tenon-bench-"))
    command = [args.tenon, "run", str(config), "--set", f"run.runs={runs}"]
    for o in overrides:
        command += ["--set", o]
    if args.plugin_path:
        command += ["--plugin-path", args.plugin_path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nexit {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    run = next(p for p in runs.iterdir() if p.is_dir())
    steps = {}
    for line in open(run / "timings.jsonl", encoding="utf-8"):
        row = json.loads(line)
        steps.setdefault(row["stage"], []).append(row["step_seconds"])
    result = {"total": {s: sum(t) for s, t in steps.items()},
              "median": {s: statistics.median(t[drop:] or t) for s, t in steps.items()},
              "eval": json.load(open(run / "eval.json", encoding="utf-8")) if (run / "eval.json").exists() else None}
    shutil.rmtree(runs)
    return result


def peer(args, script, *arguments):
    env = dict(os.environ, OMP_NUM_THREADS="2", MKL_NUM_THREADS="2")
    done = subprocess.run([args.peer_python, str(HERE / "peers" / script), *map(str, arguments)], capture_output=True, text=True, env=env)
    if done.returncode != 0:
        sys.exit(f"{script} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} – {max(values):.2f})"


def quickstart(args):
    rows = []
    for seed in range(args.repeats):
        ours = tenon(args, ROOT / "configs/quickstart.yaml",
                     [f"run.seed={seed}", f"pipeline.base.steps={args.base_steps}", f"pipeline.zero.steps={args.rl_steps}"])
        theirs = peer(args, "trl_quickstart.py", "--seed", seed, "--base-steps", args.base_steps, "--rl-steps", args.rl_steps)
        rows.append((ours, theirs))
        print(json.dumps({"seed": seed, "tenon": ours, "trl": theirs}), flush=True)
    base = [t["base_seconds"] / o["total"]["base"] for o, t in rows]
    zero = [t["rl_seconds"] / o["total"]["zero"] for o, t in rows]
    whole = [(t["base_seconds"] + t["rl_seconds"]) / (o["total"]["base"] + o["total"]["zero"]) for o, t in rows]
    print(f"TRL time / Tenon time: base {spread(base)}, reinforcement learning {spread(zero)}, both stages {spread(whole)}")


def step(args, shape, config, overrides, settings):
    times = {}
    ours = []
    for _ in range(args.repeats):
        ours.append(tenon(args, config, overrides)["median"]["step"])
        print(json.dumps({"tenon": ours[-1]}), flush=True)
        for s in settings:
            r = peer(args, "trl_step.py", "--shape", shape, *s)
            times.setdefault(" ".join(s), []).append(r["seconds"])
            print(json.dumps(r), flush=True)
    best = min(times, key=lambda s: statistics.median(times[s]))
    print(f"Tenon {spread(ours)} s; TRL by setting: " + "; ".join(f"{s} {spread(t)} s" for s, t in times.items()))
    print(f"TRL's best ({best}) / Tenon: {spread([t / o for t, o in zip(times[best], ours)])}")


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("what", choices=["quickstart", "toy", "smollm2"])
    p.add_argument("--tenon", default=str(ROOT / "build/release/bin/tenon"))
    p.add_argument("--plugin-path", default=str(ROOT / "build/release/tests/bench/plugins"))
    p.add_argument("--peer-python", required=True)
    p.add_argument("--repeats", type=int, default=3)
    p.add_argument("--base-steps", type=int, default=2065)
    p.add_argument("--rl-steps", type=int, default=75)
    p.add_argument("--gguf", help="SmolLM2-135M-Instruct; default: where `.ci/deps smollm2` puts it")
    a = p.parse_args()
    before = calibrate(a.peer_python)
    if a.what == "quickstart":
        quickstart(a)
    elif a.what == "toy":
        step(a, "toy", HERE / "configs/step-toy.yaml", [], [["--dtype", "fp32"], ["--dtype", "fp32", "--checkpointing"], ["--dtype", "bf16"]])
    else:
        gguf = pathlib.Path(a.gguf).resolve() if a.gguf else None
        step(a, "smollm2", HERE / "configs/step-smollm2.yaml",
             [f"components.policy.weights={gguf}", f"components.policy.tokenizer.file={gguf}"] if gguf else [],
             [["--dtype", "fp32", "--steps", "3"], ["--dtype", "bf16", "--steps", "3"]])
    after = calibrate(a.peer_python)
    moved = abs(after / before - 1)
    print(f"calibration: {before:.0f} GFLOP/s before, {after:.0f} after" + ("; MOVED BY MORE THAN 10 %: run it again" if moved > 0.1 else ""))


if __name__ == "__main__":
    main()
