"""What capture costs models of real size: CPU time and peak memory beside a plain sdpa forward.

`python -m benchmarks.decoder --sizes 1024 2048 4096 vilt` measures what is asked for; `--eager`
adds `output_attentions=True`, which takes 6.7 GB at 2048 tokens.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from benchmarks import machine
from benchmarks.figure import Figure, table, written
from benchmarks.subjects import STREAM, Subject, decoder, vilt
from vl_core import capture
from vl_core.capture import keeping
from vl_core.head_stats import BlockStatistic, Measuring
from vl_core.head_stats.builtin import STATISTICS
from vl_core.head_stats.modalities import MASSES
from vl_core.head_stats.spread import CONCENTRATION

Way = Callable[[], object]

VILT = "vilt"
SIZES = ("1024", VILT)
PLAIN, EAGER = "plain", "eager"
AIMS = {"idle": 1.00, "kept": 1.05, "masses": 1.10, "statistics": 1.40, "everything": 1.40}
MOST_EXTRA = 400  # MB above a plain forward
# The Gini coefficient sorts every row of weights, which costs about as much as all the rest.
UNSORTED = [one for one in STATISTICS if one is not CONCENTRATION]


def figures() -> Iterator[Figure]:
    """The sizes that take a few minutes."""
    return measured(SIZES, list(AIMS), rounds=2)


def measured(sizes: Sequence[str], ways: Sequence[str], rounds: int) -> Iterator[Figure]:
    """For each size every way against the plain forward; each peak is that of a new process.

    Times are CPU seconds of one thread, all ways in turn in one process, the least of all rounds.
    """
    _keep_to_one_thread()
    for size in sizes:
        yield from _times(size, ways, rounds)
        yield from _peaks(size, ways)


def _times(size: str, ways: Sequence[str], rounds: int) -> Iterator[Figure]:
    subject = _subject(size)
    runs = {way: WAYS[way](subject) for way in (PLAIN, *ways)}
    least = dict.fromkeys(runs, float("inf"))
    with torch.inference_mode():
        for _ in range(rounds):
            for way, run in runs.items():
                start = time.process_time()
                run()
                least[way] = min(least[way], time.process_time() - start)
    plain = least.pop(PLAIN)
    yield Figure(f"{size}: {PLAIN}, CPU time", plain, "s")
    for way, seconds in least.items():
        yield Figure(f"{size}: {way} / {PLAIN}", seconds / plain, "times", AIMS.get(way))


def _peaks(size: str, ways: Sequence[str]) -> Iterator[Figure]:
    plain = _peak(size, PLAIN)
    yield Figure(f"{size}: {PLAIN}, memory above the model at its peak", plain, "MB")
    for way in ways:
        aim = MOST_EXTRA if way in AIMS else None
        yield Figure(f"{size}: {way} - {PLAIN}, memory", _peak(size, way) - plain, "MB", aim)


def _peak(size: str, way: str) -> float:
    """What a new process that runs the way once takes at its peak, more than with the model alone.

    MB.
    """
    command = [sys.executable, "-m", "benchmarks.decoder", "--peak-of", way, "--sizes", size]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout))


def _own_peak(size: str, way: str) -> float:
    _keep_to_one_thread()
    subject = _subject(size)
    run = WAYS[way](subject)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = machine.peak("self")
    with torch.inference_mode():
        run()
    return machine.peak("self") - before


def _keep_to_one_thread() -> None:
    """Those of numpy's matrix products would wait by spinning, which counts as CPU time."""
    torch.set_num_threads(1)
    threadpool_limits(1)


def _subject(size: str) -> Subject:
    return vilt() if size == VILT else decoder(int(size))


def _plain(subject: Subject) -> Way:
    return partial(subject.twin(), **subject.inputs)


def _idle(subject: Subject) -> Way:
    return partial(subject.captured(), **subject.inputs)


def _kept(subject: Subject) -> Way:
    """Queries and keys in the form that a trace keeps."""
    model = subject.captured()

    def run() -> object:
        blocks = []
        with capture.recording(model, lambda _, heard: blocks.append(keeping.block(heard))):
            model(**subject.inputs)
        return blocks

    return run


def _statistics(subject: Subject, statistics: Sequence[BlockStatistic] = STATISTICS) -> Way:
    """Head statistics of the live weights, nothing else kept."""
    model, places, tokens = subject.captured(), subject.places, subject.tokens

    def run() -> object:
        measuring = Measuring(tokens, tokens, subject.regions, statistics)

        def hear(name: str, heard: capture.Evaluation) -> None:
            measuring.add(places(name)[0].layer, heard)

        with capture.recording(model, hear):
            model(**subject.inputs)
        return measuring.finished()

    return run


def _everything(subject: Subject) -> Way:
    """What `Model.trace` does: statistics, queries and keys, hidden states."""
    model, tables = subject.captured(), {STREAM: subject.tokens}

    def run() -> object:
        stacks = capture.Gathering(subject.places, tables, subject.regions)
        states = capture.States(subject.doors)
        with capture.recording(model, stacks.hear, states.note):
            model(**subject.inputs)
        return stacks.stacks(), states.stream(STREAM, subject.tokens)

    return run


def _eager(subject: Subject) -> Way:
    """All weights at once, as transformers gives them."""
    model = subject.twin()
    model.set_attn_implementation("eager")
    return partial(model, **subject.inputs, output_attentions=True, output_hidden_states=True)


WAYS: dict[str, Callable[[Subject], Way]] = {
    PLAIN: _plain,
    "idle": _idle,
    "kept": _kept,
    "masses": partial(_statistics, statistics=MASSES),
    "unsorted": partial(_statistics, statistics=UNSORTED),
    "statistics": _statistics,
    "everything": _everything,
    EAGER: _eager,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """The sizes and ways that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoder", description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=SIZES, help=f"tokens, or {VILT}")
    choices = [way for way in WAYS if way not in (PLAIN, EAGER)]
    parser.add_argument("--ways", nargs="+", choices=choices, default=list(AIMS))
    parser.add_argument("--eager", action="store_true", help="output_attentions=True as well")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--peak-of", choices=WAYS, help="of one way in this process; bytes")
    asked = parser.parse_args(arguments)
    if asked.peak_of:
        print(json.dumps(_own_peak(asked.sizes[0], asked.peak_of)))
        return
    ways = [*asked.ways, EAGER] if asked.eager else asked.ways
    before, found = machine.load(), []
    for figure in measured(asked.sizes, ways, asked.rounds):
        print(f"  {figure.what}: {written(figure)}", flush=True)
        found.append(figure)
    print("", table(found), "", *machine.facts(), sep="\n")
    print(f"At the start {before}, at the end {machine.load()}.")


if __name__ == "__main__":
    main()
