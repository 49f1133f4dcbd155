"""Where a trace comes from, and how far it can be trusted."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from vl_core.errors import TraceError
from vl_core.frozen import freeze, own_mapping

ROUNDING = 1e-3
# Of row_reconstruction, in float32 and in half precision, above which a model is refused: twenty
# and four times what is rounded off. The most is (2.6e-2, against 2.5e-3) where bfloat16 rounds the
# scores of a model with a softcap, whose kept weights are those of float32.
ROWS, ROWS_IN_HALF = 1e-2, 1e-1

PredictionKind = Literal["answer", "match", "score", "similarity", "text", "told"]
_LARGEST = float(np.finfo(np.float64).max)
_RANGES = {"similarity": (-1, 1), "score": (-_LARGEST, _LARGEST)}


@dataclass(frozen=True)
class Prediction:
    """What the model said.

    kind: "answer" from a fixed list, "match" or no match of picture and text, the "score" of a
    candidate or a source, "similarity" of picture and text, or generated "text"; "told" where the
    model ran elsewhere, and its answer is known without any number, or is not known either. top:
    the likeliest first, each with its probability (0..1); for a similarity the cosine (-1..1), for
    generated text what each token adds to it, in turn, with that token's probability; for a score
    any number, which is larger the better what was judged fits and compares with those of the same
    question only; for what was told one answer with nan, or none.
    similarity: the cosine of picture and text, where a model gives it beside an answer.
    text: all that was generated, without signs such as </s>, which have their place in `top`; None
    where nothing is generated. is_cut_off: whether the text ends only because no more tokens were
    allowed.
    """

    kind: PredictionKind
    top: tuple[tuple[str, float], ...]
    similarity: float | None = None
    text: str | None = None
    is_cut_off: bool = False

    def __post_init__(self) -> None:
        if not self.top and self.kind != "told":
            raise TraceError("a prediction without a single answer")
        if self.kind not in get_args(PredictionKind):
            kinds = ", ".join(get_args(PredictionKind))
            raise TraceError(f"a prediction of the kind {self.kind}; there are {kinds}")
        if (self.kind == "text") != isinstance(self.text, str):
            raise TraceError(
                f"a prediction of the kind {self.kind} with the text {self.text!r}; a generated "
                "text is wanted where the kind is text, and nowhere else"
            )
        if not isinstance(self.is_cut_off, bool) or (self.is_cut_off and self.kind != "text"):
            raise TraceError(
                f"a prediction of the kind {self.kind} with is_cut_off {self.is_cut_off!r}; true "
                "or false is wanted, and true only of generated text"
            )
        numbers = [number for _, number in self.top]
        if self.kind == "told":
            _check_told(numbers)
            return
        lowest, highest = _RANGES.get(self.kind, (0, 1))
        for number in numbers:
            # Half precision rounds a probability or a cosine of 1 up by as much.
            if not lowest - ROUNDING <= number <= highest + ROUNDING:
                raise TraceError(f"a prediction of {number}, wanted {lowest} to {highest}")
        if self.similarity is not None and not abs(self.similarity) <= 1 + ROUNDING:
            raise TraceError(f"a similarity of {self.similarity}, wanted -1 to 1")
        if self.kind != "text" and numbers != sorted(numbers, reverse=True):
            raise TraceError(f"predictions in the order {numbers}, wanted the likeliest first")

    @classmethod
    def told(cls, answer: str | None = None) -> "Prediction":
        """The answer of a model that ran elsewhere, without a number; None if it is not known."""
        return cls("told", () if answer is None else ((answer, math.nan),))


def _check_told(numbers: list[float]) -> None:
    if len(numbers) > 1 or not all(map(math.isnan, numbers)):
        raise TraceError(f"told answers with {numbers}; one at most, with nan, is wanted")


@dataclass(frozen=True)
class Provenance:
    """Which model made a trace, from what, with which libraries, and how faithfully.

    fidelity: named differences, 0 is perfect. weights_vs_eager, layer_on_off and output_on_off are
    measured when the model is loaded; row_reconstruction on each run: how far weights times values
    are from the layer's own attention output, relative, on sampled rows.
    """

    model_id: str
    revision: str
    weights_hash: str
    family: str
    dtype: str
    device: str
    versions: Mapping[str, str]
    preprocessing: Mapping[str, Any]
    fidelity: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        mappings = ("versions", "preprocessing", "fidelity")
        freeze(self, **{name: own_mapping(getattr(self, name)) for name in mappings})

    @property
    def highest(self) -> float:
        """Of row_reconstruction, what is still a matter of rounding."""
        return ROWS if self.dtype == "float32" else ROWS_IN_HALF

    @property
    def is_doubtful(self) -> bool:
        """Whether what is kept of the run is not what the model did, by the run's own figure."""
        return not self.fidelity.get("row_reconstruction", 0.0) <= self.highest  # of a nan as well

    def as_dict(self) -> dict[str, Any]:
        """All of it in plain dictionaries, as JSON wants them."""
        return {
            name: dict(value) if isinstance(value, Mapping) else value
            for name, value in vars(self).items()
        }
