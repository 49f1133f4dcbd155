"""`python -m training`: render scenes, warm the backbone up, cache its features, train, export.

Each stage goes on where it was stopped. See `--help` and README.md.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

import torch

from training.export import export
from training.recipe import Recipe
from training.stages import run_all

EMBEDDED = Path(__file__).parents[1] / "models" / "embedded"


def main() -> None:
    """Read the command line and start the processes."""
    recipe = Recipe()
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vl-interpret"
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument(
        "--folder",
        type=Path,
        default=cache / "training",
        help="pictures, features, checkpoint and log",
    )
    parser.add_argument(
        "--sequences",
        type=int,
        default=recipe.sequences,
        help="texts to train on; may change on resuming",
    )
    parser.add_argument(
        "--processes",
        type=int,
        default=1 if torch.cuda.is_available() else min(2, os.cpu_count() or 1),
        help="one thread each",
    )
    parser.add_argument("--output", type=Path, default=EMBEDDED, help="where the model is written")
    parser.add_argument(
        "--smoke", action="store_true", help="all stages in about a minute; learns nothing"
    )
    chosen = parser.parse_args()
    recipe = replace(recipe, sequences=chosen.sequences)
    if chosen.smoke:
        recipe = recipe.smoke()
    run_all(recipe, chosen.folder, chosen.processes)
    export(recipe, chosen.folder, chosen.output)


if __name__ == "__main__":
    main()
