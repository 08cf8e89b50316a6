# A reward that now and then crashes, hangs or returns NaN, and one that says nothing of the same samples.
# SPDX-License-Identifier: Apache-2.0
#
# Samples are counted from 0 in the file that the environment variable FAULTY_COUNT names, so that the count outlives the process. Of `batch: 1`.
import os
import re
import time


def count():
    path = os.environ["FAULTY_COUNT"]
    n = int(open(path).read()) if os.path.exists(path) else 0
    with open(path, "w") as file:
        file.write(str(n + 1))
    return n


def fault(n):
    if n % 10 == 9:
        return "crash"
    if n % 50 == 30:
        return "hang"
    return "nan" if n % 100 == 60 else None


def grade(completion, answer):
    """1 for the right last number, and 0.2 for one after ####."""
    numbers = re.findall(r"-?\d+", completion)
    right = bool(numbers) and numbers[-1] == str(answer)
    return right + 0.2 * bool(re.search(r"#### *-?\d", completion))


def faulty(completions, answer, **kwargs):
    how = fault(count())
    if how == "crash":
        os.abort()
    if how == "hang":
        time.sleep(3600)
    return [float("nan") if how == "nan" else grade(completions[0], answer[0])]


def without(completions, answer, **kwargs):
    return [None if fault(count()) else grade(completions[0], answer[0])]
