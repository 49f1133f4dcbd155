"""The file that VCR's leaderboard takes: probabilities of all candidates of the test split."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vl_core.datasets.vcr.reading import N_CANDIDATES
from vl_core.datasets.whole_files import whole_file
from vl_core.errors import DatasetError

_PLACES = range(N_CANDIDATES)
COLUMNS = (
    "annot_id",
    *(f"answer_{one}" for one in _PLACES),
    *(f"rationale_conditioned_on_a{given}_{one}" for given in _PLACES for one in _PLACES),
)
_NAME = re.compile(r"\w+-(\d+)")


def write_submission(
    path: Path,
    names: Sequence[str],
    answers: Float[np.ndarray, "item 4"],
    rationales: Float[np.ndarray, "item 4 4"],
) -> None:
    """Write 21 columns: each item's name, four answers, four rationales given each of these.

    names: of the items, "test-0". answers: their scores. rationales: item x given answer x
    rationale. Scores of one question become probabilities by a softmax, which leaves their order
    as it is. Rows are sorted by the number in the name; the file appears whole, in the place of an
    older one. Raises DatasetError for names that are no such names or come twice, and for scores
    that are not finite.
    """
    order = _order(names)
    if not (np.isfinite(answers).all() and np.isfinite(rationales).all()):
        raise DatasetError("Some scores are no finite numbers, of which no probability is made.")
    shares = [_softmax(answers), _softmax(rationales).reshape(len(names), -1)]
    numbers = np.concatenate(shares, axis=1).tolist()
    rows = ((names[place], *map(repr, numbers[place])) for place in order)
    with whole_file(path) as file:
        file.write(_table(rows).encode())


def _order(names: Sequence[str]) -> list[int]:
    """The places of the names by their number."""
    numbers = []
    for name in names:
        found = _NAME.fullmatch(name)
        if found is None:
            raise DatasetError(f"{name!r} is no item of VCR's; their names are like test-0.")
        numbers.append(int(found[1]))
    (number, count), *_ = Counter(numbers).most_common(1) or [(0, 0)]
    if count > 1:
        raise DatasetError(f"{count} items have the number {number}; one row for each is wanted.")
    return sorted(range(len(names)), key=numbers.__getitem__)


def _softmax(scores: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    grown = np.exp(scores.astype(np.float64) - scores.max(axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True))


def _table(rows: Iterator[tuple[str, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue()
