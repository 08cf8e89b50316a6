# The process that a reward of type `python` runs in: imports the function, then scores batches that arrive in shared memory.
# SPDX-License-Identifier: Apache-2.0
#
# Started as: python3 -c <this text> FILE FUNCTION. Descriptors: 3 commands, 4 answers, 5 the shared memory. Each is one line of JSON; a command is
# {"n", "size", "deadline"} about the batch in the memory:
#   u64 offsets[n + 1] of prompts, of completions, of metas, then of tokens (in numbers); their bytes, one after the other; int32 tokens, from a multiple of 8 on
# and the answer {"ready": 1}, {"error": text} or {"reasons": {place: text}}, the memory then beginning with f64 rewards[n], u8 status[n].
import array
import asyncio
import importlib.util
import inspect
import json
import math
import mmap
import os
import sys
import threading
import traceback

OK, NOT_APPLICABLE, CRASHED = 1, 2, 4
commands, answers, memory_fd = os.fdopen(3, "r"), os.fdopen(4, "w", buffering=1), 5


def answer(**fields):
    answers.write(json.dumps(fields) + "\n")


def last_line(error):
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if os.path.abspath(f.filename) == os.path.abspath(sys.argv[1])]
    where = f"{own[-1].filename}:{own[-1].lineno}: " if own else ""
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename}:{error.lineno}:{error.offset}: "
        return f"{where}{type(error).__name__}: {error.msg}"
    return f"{where}{type(error).__name__}: {error}"


def load(path, name):
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    spec = importlib.util.spec_from_file_location(os.path.splitext(os.path.basename(path))[0], path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        known = [k for k, v in vars(module).items() if inspect.isfunction(v) and v.__module__ == module.__name__]
        raise LookupError(f"{path} has no function {name}. It has: {', '.join(known) or 'none'}")
    return function


class Batch:
    def __init__(self, memory, n):
        at = 0

        def offsets():
            nonlocal at
            part = array.array("Q", memory[at : at + 8 * (n + 1)])
            at += 8 * (n + 1)
            return part

        prompts, completions, metas, tokens = offsets(), offsets(), offsets(), offsets()

        def texts(of):
            nonlocal at
            begin, at = at, at + of[n]
            return [str(memory[begin + of[i] : begin + of[i + 1]], "utf-8", "replace") for i in range(n)]

        self.prompts, self.completions = texts(prompts), texts(completions)
        self.columns = [json.loads(m) if m else {} for m in texts(metas)]
        at = (at + 7) // 8 * 8
        ids = array.array("i", memory[at : at + 4 * tokens[n]])
        self.ids = [ids[tokens[i] : tokens[i + 1]].tolist() for i in range(n)] if tokens[n] else None


def call(function, batch, accepted, places):
    of = lambda column: [column[i] for i in places]
    arguments = {"prompts": of(batch.prompts), "completions": of(batch.completions)}
    if batch.ids is not None:
        arguments["completion_ids"] = of(batch.ids)
    for key in {k for i in places for k in batch.columns[i]}:
        arguments.setdefault(key, [batch.columns[i].get(key) for i in places])
    if accepted is not None:
        arguments = {k: v for k, v in arguments.items() if k in accepted}
    result = function(**arguments)
    if inspect.isawaitable(result):
        result = asyncio.run(as_coroutine(result))
    result = list(result)
    if len(result) != len(places):
        raise ValueError(f"it returned {len(result)} rewards for {len(places)} completions")
    return result


async def as_coroutine(awaitable):
    return await awaitable


def judge(value):
    """Reward, status and reason of what the function returned for one sample."""
    if value is None:
        return 0.0, NOT_APPLICABLE, "it returned None"
    try:
        number = float(value)
    except (TypeError, ValueError):
        return 0.0, CRASHED, f"it returned {value!r:.100}, not a number"
    if not math.isfinite(number):
        return 0.0, CRASHED, f"it returned {number}, not a finite number"
    return number, OK, ""


def score(function, batch, accepted, n):
    """Of each sample (reward, status, reason). Where the batch raises, each sample is tried alone, so that it costs its own reward only."""
    try:
        return [judge(v) for v in call(function, batch, accepted, range(n))]
    except Exception as error:
        if n == 1:
            return [(0.0, CRASHED, last_line(error))]
    out = []
    for i in range(n):
        try:
            out.append(judge(call(function, batch, accepted, [i])[0]))
        except Exception as error:
            out.append((0.0, CRASHED, last_line(error)))
    return out


def leave_with_the_host():
    """The command pipe cannot be watched while a function runs; descriptor 6 is a pipe whose other end the host holds as long as it lives."""
    os.read(6, 1)
    os._exit(1)


def main():
    sys.stdout = sys.stderr  # whatever the function prints is not an answer
    threading.Thread(target=leave_with_the_host, daemon=True).start()
    try:
        function = load(sys.argv[1], sys.argv[2])
        parameters = inspect.signature(function).parameters.values()
    except BaseException as error:
        return answer(error=last_line(error))
    takes_all = any(p.kind == p.VAR_KEYWORD for p in parameters)
    accepted = None if takes_all else {p.name for p in parameters}
    answer(ready=1)
    for line in commands:
        command = json.loads(line)
        n = command["n"]
        with mmap.mmap(memory_fd, command["size"]) as memory:
            try:
                results = score(function, Batch(memory, n), accepted, n)
            except BaseException as error:  # SystemExit too: the answer must come
                answer(error=last_line(error))
                continue
            memory[: 8 * n] = array.array("d", [r[0] for r in results]).tobytes()
            memory[8 * n : 9 * n] = bytes(r[1] for r in results)
        answer(reasons={str(i): r[2] for i, r in enumerate(results) if r[2]})


main()
