"""`python -m training`: render scenes, warm the backbone up, cache its features, train, export.

Each stage goes on where it was stopped. See `--help` and README.md.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

import torch

from training import held_out
from training.export import export
from training.recipe import Recipe
from training.stages import run_all
from training.start import keep_start

EMBEDDED = Path(__file__).parents[1] / "models" / "embedded"


def main() -> None:
    """Read the command line and start the processes."""
    recipe = Recipe()
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vl-interpret"
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument(
        "--folder",
        type=Path,
        help="pictures, features, checkpoint and log; default: in the user's cache directory",
    )
    parser.add_argument(
        "--questions",
        type=int,
        default=recipe.questions.sequences,
        help="sequences of the first phase; may change on resuming",
    )
    parser.add_argument(
        "--tasks",
        type=int,
        default=recipe.tasks.sequences,
        help="sequences of the second phase; 0 leaves it out",
    )
    parser.add_argument(
        "--start",
        type=Path,
        help="folder of a model to go on from, with the second phase, instead of from new weights",
    )
    parser.add_argument(
        "--processes",
        type=int,
        default=1 if torch.cuda.is_available() else min(2, os.cpu_count() or 1),
        help="one thread each",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="where the model is written; default: where the shipped one lies",
    )
    parser.add_argument(
        "--smoke", action="store_true", help="all stages in about a minute; learns nothing"
    )
    parser.add_argument(
        "--without-pairs",
        action="store_true",
        help="the experiment that keeps eight combinations of color and shape out of training: "
        "the first phase alone, in a folder and to a model of its own",
    )
    chosen = parser.parse_args()
    # Candidates and sources are not kept from naming the pairs: the experiment has none.
    n_tasks = 0 if chosen.without_pairs else chosen.tasks
    recipe = replace(
        recipe,
        questions=replace(recipe.questions, sequences=chosen.questions),
        tasks=replace(recipe.tasks, sequences=n_tasks),
        without_pairs=held_out.PAIRS if chosen.without_pairs else (),
    )
    folder = chosen.folder or cache / ("held-out" if chosen.without_pairs else "training")
    output = chosen.output or (folder / "model" if chosen.without_pairs else EMBEDDED)
    if chosen.start:
        keep_start(folder, chosen.start)
    if chosen.smoke:
        recipe = recipe.smoke()
    run_all(recipe, folder, chosen.processes)
    export(recipe, folder, output)


if __name__ == "__main__":
    main()
