"""How long one question about one picture takes."""

import os
import platform
import time
from statistics import median

import torch

from training.evaluation.scoring import Input, inputs
from training.evaluation.subject import REPORTED_SEEDS, Subject
from training.questions import Asked, question_set

_RUNS = 60


def speed(subject: Subject) -> dict[str, float | str]:
    """Milliseconds of one forward pass, the picture's preparation counted, on two threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    asked = question_set(REPORTED_SEEDS, 2)
    try:
        times = [_seconds(subject, asked[run % len(asked)]) for run in range(_RUNS)][10:]
    finally:
        torch.set_num_threads(before)
    return {
        "median": 1000 * median(times),
        "slowest of fifty": 1000 * max(times),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }


@torch.inference_mode()
def _seconds(subject: Subject, one: Asked) -> float:
    given = [Input((one.question.text,), one.picture)]
    start = time.perf_counter()
    subject.model(**inputs(subject.processor, given))
    return time.perf_counter() - start
