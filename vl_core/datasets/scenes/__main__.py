"""Write scenes as VCR (multiple choice), WebQA (questions with sources) or a folder with a table.

Whatever reads those data sets then runs on pictures whose truth is known, and that may be passed
on freely.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from vl_core.datasets.scenes.layout import TRAINING_SEEDS, UNSEEN_SEEDS
from vl_core.datasets.scenes.table_files import write_table
from vl_core.datasets.scenes.task_sets import choice_items, question_item, sourced_items
from vl_core.datasets.scenes.vcr_files import write_vcr
from vl_core.datasets.scenes.webqa_files import write_webqa
from vl_core.errors import VLError

_EXAMPLE = """\
examples: questions that the embedded model was not trained on, then as many without their labels.
These lie beside the others; of WebQA, whose pictures are numbered, each split takes a folder.

  python -m vl_core.datasets.scenes vcr scenes-vcr --count 200
  python -m vl_core.datasets.scenes vcr scenes-vcr --count 200 --split test
  python -m vl_core.datasets.scenes webqa scenes-webqa --count 100
  python -m vl_core.datasets.scenes webqa scenes-webqa-test --count 100 --split test
  python -m vl_core.datasets.scenes folder scenes-folder --count 100
"""

_FIRST_SEEDS = {
    "train": TRAINING_SEEDS.start,
    "val": UNSEEN_SEEDS.start,
    "test": UNSEEN_SEEDS.start + 1_000_000_000,  # no set for validation gets that far
}
_TOLD_EVERY = 50


def main() -> None:
    """Read the command line, draw the items and write them."""
    parser = _parser()
    chosen = parser.parse_args()
    first = _FIRST_SEEDS[chosen.split] if chosen.first_seed is None else chosen.first_seed
    if chosen.count < 1 or not 0 <= first < UNSEEN_SEEDS.stop:
        parser.error(f"--count must be at least 1, and --first-seed from 0 to {UNSEEN_SEEDS[-1]}")
    # Scenes for training never run on into those that are not.
    seeds = range(first, (TRAINING_SEEDS if first in TRAINING_SEEDS else UNSEEN_SEEDS).stop)
    tell = _progress(chosen.count)
    try:
        if chosen.format == "vcr":
            write_vcr(chosen.folder, choice_items(seeds, chosen.count), chosen.split, tell)
        elif chosen.format == "folder":
            questions = [question_item(seeds, number) for number in range(chosen.count)]
            write_table(chosen.folder, questions, chosen.split, tell)
        else:
            write_webqa(chosen.folder, sourced_items(seeds, chosen.count), chosen.split, tell)
    except (VLError, OSError) as error:
        sys.exit(f"{parser.prog}: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vl_core.datasets.scenes",
        description=__doc__,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("format", choices=("vcr", "webqa", "folder"), help="of the files")
    parser.add_argument("folder", type=Path, help="where they go; it is made if need be")
    parser.add_argument("--count", type=int, default=500, help="of questions (default: 500)")
    parser.add_argument(
        "--split",
        choices=tuple(_FIRST_SEEDS),
        default="val",
        help='"test" leaves out what tells the right answers (default: val)',
    )
    parser.add_argument(
        "--first-seed",
        type=int,
        help="of the scenes that are drawn from (default: each split has scenes of its own)",
    )
    return parser


def _progress(count: int) -> Callable[[int], None]:
    def tell(n_written: int) -> None:
        if n_written % _TOLD_EVERY == 0 or n_written == count:
            sys.stderr.write(f"{n_written} of {count} questions written\n")

    return tell


if __name__ == "__main__":
    main()
