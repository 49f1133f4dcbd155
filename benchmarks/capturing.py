"""What capture costs: the embedded model with it against a plain forward pass."""

import time
from collections.abc import Callable, Iterator

import torch
from transformers.utils import logging

import vl_core
from benchmarks.figure import Figure
from vl_core import capture, families
from vl_core.capture import keeping
from vl_core.checkpoints import EMBEDDED
from vl_core.datasets.gallery import GALLERY
from vl_core.example import Example
from vl_core.families import Family
from vl_core.model import Model

ROUNDS = 30
SQUARE = next(entry for entry in GALLERY if entry.size == (128, 128))  # most patches: 64


def figures() -> Iterator[Figure]:
    """CPU time of one thread, ways taken in turn, the least of all rounds."""
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    times = _least_times(_ways(SQUARE.example()))
    plain = times.pop("plain forward (sdpa)")
    yield Figure("plain forward (sdpa)", 1000 * plain, "ms")
    for name, seconds in times.items():
        yield Figure(f"{name} / plain forward", seconds / plain, "times")


def _ways(example: Example) -> dict[str, Callable[[], object]]:
    """The forward pass, plain and captured to different degrees; each with a model of its own."""
    captured = vl_core.load("embedded")
    captured.family.model.to("cpu")  # elsewhere a thread's time says nothing
    plain, eager = families.load(EMBEDDED), families.load(EMBEDDED)
    plain.model.set_attn_implementation("sdpa")
    eager.model.set_attn_implementation("eager")
    return {
        "plain forward (sdpa)": _forward(plain, example),
        "capture installed, idle": _forward(captured.family, example),
        "queries and keys kept": _kept(captured, example),
        "all statistics as well": _measured(captured, example),
        "output_attentions=True (eager)": _forward(eager, example, output_attentions=True),
    }


def _forward(family: Family, example: Example, **options: bool) -> Callable[[], object]:
    inputs = family.inputs(example)
    return lambda: family.model(**inputs, output_hidden_states=True, **options)


def _kept(model: Model, example: Example) -> Callable[[], object]:
    """Recorded and brought into the form that a trace keeps."""
    forward = _forward(model.family, example)

    def run() -> object:
        with capture.recording(model.family.model) as recorder:
            forward()
        return [keeping.block(one) for heard in recorder.evaluations.values() for one in heard]

    return run


def _measured(model: Model, example: Example) -> Callable[[], object]:
    """Recorded, kept, and every head statistic computed on the live weights."""
    family = model.family
    forward = _forward(family, example)
    tables = family.streams(example, family.inputs(example))

    def run() -> object:
        stacks = capture.Gathering(family.places, tables, example.regions)
        with capture.recording(family.model, stacks.hear):
            forward()
        return stacks.stacks()

    return run


def _least_times(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    least = dict.fromkeys(ways, float("inf"))
    with torch.inference_mode():
        for _ in range(ROUNDS):
            for name, run in ways.items():
                start = time.thread_time()
                run()
                least[name] = min(least[name], time.thread_time() - start)
    return least
