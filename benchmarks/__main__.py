"""Measure everything and print it beside its aims; with a name, one part of it."""

import argparse

from benchmarks import (
    capturing,
    decoder,
    first_paint,
    machine,
    memory,
    payloads,
    pointing,
    round_trips,
    uploads,
)
from benchmarks.figure import table, written

PARTS = {
    "first-paint": first_paint,
    "uploads": uploads,
    "pointing": pointing,
    "round-trips": round_trips,
    "payloads": payloads,
    "capture": capturing,
    "decoder": decoder,
    "memory": memory,
}


def main() -> None:
    """The parts that were asked for, each figure as it comes, and a table at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=PARTS, nargs="?", help="the only part to measure")
    only = parser.parse_args().name
    found = []
    before = machine.load()
    for name in [only] if only else PARTS:
        print(f"{name} ({PARTS[name].__doc__.splitlines()[0]})", flush=True)
        for figure in PARTS[name].figures():
            print(f"  {figure.what}: {written(figure)}", flush=True)
            found.append(figure)
    print("", table(found), "", sep="\n")
    print(*machine.facts(), f"At the start {before}, at the end {machine.load()}.", sep="\n")


if __name__ == "__main__":
    main()
