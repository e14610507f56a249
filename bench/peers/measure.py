"""What is measured: the cost of a process, the accuracy of logits, the latency of two sessions."""

import os
import shlex
import subprocess
import sys
import time

import numpy as np

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# Peers iterate over sets of names; without a fixed seed two runs order their graphs differently.
FIXED = {"PYTHONHASHSEED": "0", "NO_COLOR": "1"}
ROUNDS, RUNS = 15, 6


class Failed(Exception):
    """A quantizer that ended with an error."""


def run(command, cwd, log):
    """Runs a command to its end: CPU seconds and peak RSS of its largest process, descendants included."""
    print(shlex.join(command), file=sys.stderr, flush=True)
    start = time.monotonic()
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **ONE_THREAD, **FIXED},
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failed(f"exit code {process.returncode}, its output is in {log}")
    return {
        "wall_s": round(time.monotonic() - start, 1),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mb": round(usage.ru_maxrss * 1024 / 1e6),
    }


def accuracy(expected, found, labels):
    """Top-1, same class as float, and SQNR = 10·log10(Σ f² / Σ (q − f)²) over all logits of all images."""
    f, q = expected.astype(np.float64), found.astype(np.float64)
    noise = ((q - f) ** 2).sum()
    classes = q.argmax(1)
    return {
        "images": len(q),
        "hits": None if labels is None else int((classes == labels).sum()),
        "same_class": int((classes == f.argmax(1)).sum()),
        "sqnr_db": round(float(10 * np.log10((f**2).sum() / noise)), 2) if noise else None,
    }


def latency(sessions, image):
    """Median milliseconds of each session, in turns so that all see the same machine; the first of each turn warms up."""
    times = [[] for _ in sessions]
    for _ in range(ROUNDS):
        for session, measured in zip(sessions, times):
            feeds = {session.get_inputs()[0].name: image}
            for index in range(RUNS):
                start = time.perf_counter()
                session.run(None, feeds)
                if index:
                    measured.append((time.perf_counter() - start) * 1e3)
    return [float(np.median(measured)) for measured in times]
