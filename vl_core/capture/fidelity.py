"""Is what was captured the truth? Differences that are zero when it is, up to rounding."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from vl_core.capture import keeping
from vl_core.capture.adapters import asks_the_interface, attach, detach
from vl_core.capture.budget import Footprint
from vl_core.capture.evaluation import Evaluation
from vl_core.capture.finite import not_finite
from vl_core.capture.reconstruction import reconstruction_error
from vl_core.capture.recorder import Note, Recorder
from vl_core.capture.repeating import Given, noting, repeating
from vl_core.capture.scores import HALF
from vl_core.capture.tap import tapped
from vl_core.capture.tapping import Overheard, overhear, recording
from vl_core.errors import ModelError
from vl_core.trace.provenance import ROWS, ROWS_IN_HALF

# Limits: some times what the most inexact of some 60 tiny models of all architectures shows, far
# below what a fault in one layer does, which is half of the figure's whole range or more.
# Of a row's weights, far beyond rounding: a wrong mask or scale shows where attention is almost
# even; and of an output in float32.
TOLERANCE = 1e-3
# Of what a layer gives, in float32 (3e-7) and in half precision (4e-3 in bfloat16).
LAYER, LAYER_IN_HALF = 1e-4, 2e-2
# Of an output in half precision, by its last digit: 6 where attention is as even as usual, 18 where
# scores are six times as large. Where a model's own attention rounds scores that capture does not,
# differences add up from layer to layer, of which each is held against its own limit.
ROUNDINGS = 32

Inputs = Mapping[str, Any]
Outputs = Mapping[str, Tensor]
Evaluations = Mapping[str, Sequence[Evaluation | Overheard]]


def measured_at_load(
    model: PreTrainedModel,
    inputs: Inputs,
    expected: Sequence[str],
    footprint: Footprint | None = None,
    plain: Outputs | None = None,
) -> dict[str, float]:
    """Attach the model and compare capture with the model as it came, on this input.

    output_on_off: the largest difference of any output between the plain and the captured model.
    weights_vs_eager: the largest share of a row's attention (total variation, 0..1) that capture
    puts elsewhere than the model's own eager attention, over all layers, heads and queries that
    may look at anything; where the model has no eager attention, than the fused one.
    layer_on_off: the largest difference between what an attention module gives captured and what
    its own code makes of the same input with that attention, as a share of its norm.
    In half precision the model's own scores are worked out in float32, from what they are made of;
    for what a layer gives only where its own would be too far off, as large ones are rounded.
    Modules that never ask the captured function are overheard from now on. Raises ModelError if an
    expected module (by name) was not captured, if anything the model evaluated was not, or if
    outputs, layers or weights are not those of the model, or if what a trace keeps of a layer
    would not give its own attention output again (row_reconstruction, which each trace measures).
    footprint: is shown the captured run. plain: what `plain_outputs` gave for this input, if that
    is known. The model is switched meanwhile: not for use while others run it.
    """
    plain = plain_outputs(model, inputs) if plain is None else plain
    attach(model)
    footprint = footprint or Footprint(lambda _: ())
    run = _captured(model, inputs, expected, footprint.note)
    if unheard := set(expected) - run.recorder.heard.keys():
        overhear(model, unheard)
        run = _captured(model, inputs, expected)
    run.recorder.check_complete(expected)
    for name, heard in run.recorder.evaluations.items():
        footprint.hear(name, heard)
    outputs = _output_differences(run.outputs, plain)
    compared = _compared(model, inputs, run)
    if compared.exceeds:
        compared.ease(_compared(model, inputs, run, exact=True))
    figures = {
        "output_on_off": outputs,
        "weights_vs_eager": {name: _worst(rows) for name, rows in compared.weights.items()},
        "layer_on_off": compared.layers,
    }
    _check("weights_vs_eager", figures["weights_vs_eager"], lambda _: TOLERANCE)
    _check("layer_on_off", compared.layers, compared.limits.__getitem__)
    _check("row_reconstruction", _rows_differences(run.recorder.evaluations), run.rows_limit)
    _check("output_on_off", outputs, lambda name: run.share * _largest(plain[name]))
    return {figure: max(values.values(), default=0.0) for figure, values in figures.items()}


def plain_outputs(model: PreTrainedModel, inputs: Inputs) -> Outputs:
    """Every tensor that the model gives as it came, by where it lies in its outputs.

    One that is attached is no longer so. Raises ModelError for outputs that are no numbers.
    """
    detach(model)
    plain = _outputs(model, inputs)
    _refuse_nan(plain.items(), "a small picture and a question")
    return plain


def check_numbers(outputs: Mapping[str, Any], source: str) -> None:
    """Raise ModelError, with what to do, if any output is nan; some models hide answers by -inf.

    source: what the model was fed, in words.
    """
    _refuse_nan(_tensors(outputs), source)


def _refuse_nan(outputs: Iterable[tuple[str, Tensor]], source: str) -> None:
    for name, output in outputs:
        if output.isnan().any():
            raise not_finite(source, f"nan, in {name}")


@dataclass(frozen=True)
class _Run:
    """A captured run: outputs, what was heard, what attention modules gave."""

    outputs: Outputs
    recorder: Recorder
    given: Given

    def rows_limit(self, name: str) -> float:
        """To what is kept of the module of this name; weights that were overheard are exact."""
        heard = self.recorder.evaluations[name][0]
        is_half = isinstance(heard, Evaluation) and heard.queries.dtype in HALF
        return ROWS_IN_HALF if is_half else ROWS

    @property
    def share(self) -> float:
        """Of an output, by how much it may differ: by the coarsest precision of its attention."""
        heard = chain.from_iterable(self.recorder.evaluations.values())
        dtypes = {one.queries.dtype for one in heard if isinstance(one, Evaluation)}
        return max([TOLERANCE, *(ROUNDINGS * torch.finfo(dtype).eps for dtype in dtypes)])


def _captured(
    model: PreTrainedModel,
    inputs: Inputs,
    expected: Sequence[str],
    note: Note = lambda _stream, _state: None,
) -> _Run:
    modules = [model.get_submodule(name) for name in expected]
    with recording(model, note=note) as recorder, noting(modules) as given:
        outputs = _outputs(model, inputs)
    return _Run(outputs, recorder, given)


def _rows_differences(evaluations: Evaluations) -> dict[str, float]:
    return {
        name: float(np.max([reconstruction_error(keeping.block(one), one) for one in heard]))
        for name, heard in evaluations.items()
    }


def _check(figure: str, values: Mapping[str, float], limit: Callable[[str], float]) -> None:
    """Raise ModelError if the figure exceeds its limit anywhere; it says where it does most."""
    # Written this way round, a nan is refused as well, and is the worst of all.
    wrong = [(value, place) for place, value in values.items() if not value <= limit(place)]
    if wrong:
        value, place = max(wrong, key=lambda one: math.inf if math.isnan(one[0]) else one[0])
        raise ModelError(
            f"Captured attention is not this model's own: {figure} is {value:.3g} in {place}, "
            f"wanted at most {limit(place):.3g}. Its attention does something that capture does "
            "not know. Choose another model."
        )


def _outputs(model: nn.Module, inputs: Inputs) -> Outputs:
    with torch.inference_mode():
        return dict(_tensors(model(**inputs)))


def _tensors(outputs: Any, name: str = "output") -> Iterator[tuple[str, Tensor]]:  # noqa: ANN401
    """Every tensor of what a model gives back, wherever it lies in it, but for its weights.

    Some models report these unasked; capture, like sdpa, writes none out.
    """
    if isinstance(outputs, Tensor):
        if outputs.numel():
            yield name, outputs
    elif isinstance(outputs, Mapping):
        for key, part in outputs.items():
            if not key.endswith("attentions"):
                yield from _tensors(part, f"{name}.{key}")
    elif isinstance(outputs, tuple | list):
        for index, part in enumerate(outputs):
            yield from _tensors(part, f"{name}[{index}]")


def _worst(values: Iterable[Tensor]) -> float:
    """The largest of all; a nan anywhere is the worst, which the built-in max may overlook."""
    largest = [value.float().max().cpu() for value in values if value.numel()]
    return float(torch.stack(largest).max())


def _largest(output: Tensor) -> float:
    """Of its numbers, by size; 0 if there are none."""
    return float(output[output.isfinite()].abs().float().max()) if output.isfinite().any() else 0.0


def _output_differences(captured: Outputs, plain: Outputs) -> dict[str, float]:
    if changed := plain.keys() ^ captured.keys():
        raise ModelError(
            f"With captured attention the model gives {len(captured)} outputs, without "
            f"{len(plain)}; {min(changed)} is not in both. Choose another model."
        )
    return {
        # Infinite outputs are no different from themselves.
        name: float(
            torch.where(captured[name] == output, 0, captured[name].float() - output.float())
            .abs()
            .max()
        )
        for name, output in plain.items()
    }


def _compared(
    model: PreTrainedModel, inputs: Inputs, run: _Run, *, exact: bool = False
) -> "_Comparison":
    """exact: see tapped."""
    names = {module: name for name, module in model.named_modules()}
    comparison = _Comparison(run.recorder.evaluations)

    def compare(module: nn.Module, own: object, captured: object) -> None:
        comparison.compare(names[module], own, captured)

    with (
        _unattached(model),
        repeating(run.given, compare),
        tapped(model, comparison.hear, exact=exact),
    ):
        _outputs(model, inputs)
    comparison.check_counts()
    return comparison


@contextmanager
def _unattached(model: PreTrainedModel) -> Iterator[None]:
    detach(model)
    if asks_the_interface(model):
        model.set_attn_implementation("eager")
    try:
        yield
    finally:
        detach(model)  # eager is not what it came with
        attach(model)


class _Comparison:
    """What was captured against what the model does by itself, one matrix at a time.

    The matrices of all layers together may be larger than memory; queries and keys are not.
    weights: of each module the differences of its rows. layers: of each the largest difference of
    what it gives, as a share of that. limits: to the latter, by the precision of what it gives.
    """

    def __init__(self, captured: Evaluations) -> None:
        self.weights: dict[str, list[Tensor]] = {}
        self.layers: dict[str, float] = {}
        self.limits: dict[str, float] = {}
        self._captured = captured
        self._seen: Counter[str] = Counter()

    def hear(self, name: str, matrix: Tensor) -> None:
        """Compare the module's next matrix (head, query, key), if it was captured."""
        evaluations = self._captured.get(name, ())
        if self._seen[name] < len(evaluations):
            difference = _row_differences(evaluations[self._seen[name]], matrix)
            self.weights.setdefault(name, []).append(difference)
        self._seen[name] += 1

    def compare(self, name: str, own: object, captured: object) -> None:
        """Compare what a call of the module gave; states come first, weights were compared."""
        one, other = (next(iter(_tensors(given)), ("", None))[1] for given in (own, captured))
        if one is None or other is None or one.shape != other.shape:
            raise ModelError(
                f"With captured attention {name} gives {_shape(other)}, without {_shape(one)}. "
                "Choose another model."
            )
        self.limits[name] = LAYER_IN_HALF if one.dtype in HALF else LAYER
        # The built-in max would drop a nan, which is the worst of all.
        self.layers[name] = float(np.maximum(self.layers.get(name, 0.0), _relative(other, one)))

    @property
    def exceeds(self) -> bool:
        """Whether any layer is beyond its limit."""
        return any(not value <= self.limits[name] for name, value in self.layers.items())

    def ease(self, other: "_Comparison") -> None:
        """Take for each layer the smaller difference; capture rounds scores as eager, or not."""
        # Scores that leave the range of float16 make a nan here, and none there.
        self.layers = {
            name: float(np.fmin(value, other.layers[name])) for name, value in self.layers.items()
        }

    def check_counts(self) -> None:
        """Raise ModelError if anything was left out, or was captured twice."""
        for name in {**self._seen, **self._captured}:
            n_captured = len(self._captured.get(name, ()))
            if self._seen[name] != n_captured:
                raise ModelError(
                    f"The model evaluated the attention of {name} {self._seen[name]} times, "
                    f"capture saw {n_captured}. It is computed in a way that capture does not "
                    "know. Choose another model."
                )


def _shape(states: Tensor | None) -> str:
    return "no states" if states is None else f"states of shape {tuple(states.shape)}"


def _relative(captured: Tensor, own: Tensor) -> float:
    """The difference as a share of the norm of what the module gives by itself."""
    own = own.float()
    difference, norm = (captured.float() - own).norm(), own.norm()
    return float(difference / norm.clamp(min=torch.finfo(torch.float32).tiny))


def _row_differences(evaluation: Evaluation | Overheard, weights: Tensor) -> Tensor:
    """The total variation of each row; a head at a time, as all may be a gigabyte."""
    ends = len(evaluation.query_positions), len(evaluation.key_positions)
    shape = evaluation.n_heads, *ends
    if shape != weights.shape:
        raise ModelError(
            f"Captured attention has {shape} heads, queries and keys, the model's own "
            f"{tuple(weights.shape)}. Choose another model."
        )
    everything = slice(None)
    # Where every key is hidden, eager attention is arbitrary and captured rows are empty.
    has_keys = evaluation.allowed(everything).any(dim=-1)
    differences = [
        (evaluation.rows(slice(head, head + 1), everything)[0] - own).abs().sum(dim=-1) / 2
        for head, own in enumerate(weights)
    ]
    return torch.stack(differences).where(has_keys, 0)
