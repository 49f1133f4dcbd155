"""Is what was captured the truth? Differences that are zero when it is, up to rounding."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from vl_core.capture.adapters import asks_the_interface, attach, release
from vl_core.capture.budget import Footprint
from vl_core.capture.evaluation import Evaluation
from vl_core.capture.recorder import Note, Recorder
from vl_core.capture.repeating import Given, noting, repeating
from vl_core.capture.scores import HALF
from vl_core.capture.tap import tapped
from vl_core.capture.tapping import Overheard, overhear, recording
from vl_core.errors import ModelError

# Far beyond rounding, below what a wrong mask or scale does even where attention is almost even.
TOLERANCE = 1e-3
# Outputs in half precision: eager attention rounds scores that capture does not. Some last digits.
ROUNDINGS = 16

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
    may look at anything; where the model has no eager attention, than the fused one. In half
    precision both are worked out in float32, from what the model's own eager attention is fed, and
    each module is fed the same on both runs. Modules that never ask the captured function are
    overheard from now on. Raises ModelError if an expected module (by name) was not captured, if
    anything the model evaluated was not, or if outputs or weights are not those of the model.
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
    figures = {
        "output_on_off": _outputs_difference(run.outputs, plain),
        "weights_vs_eager": _weights_difference(model, inputs, run),
    }
    limit = max(TOLERANCE, ROUNDINGS * run.rounding)
    largest = _worst(output[output.isfinite()].abs() for output in plain.values())
    _check("output_on_off", figures["output_on_off"], limit * largest)
    _check("weights_vs_eager", figures["weights_vs_eager"], TOLERANCE)
    return figures


def plain_outputs(model: PreTrainedModel, inputs: Inputs) -> Outputs:
    """Every tensor that the model gives by itself, by where it lies in its outputs.

    Raises ModelError for outputs that are no numbers.
    """
    release(model)
    plain = _outputs(model, inputs)
    for name, output in plain.items():
        if output.isnan().any():
            raise ModelError(
                f"Of a small picture and a question this model makes what is no number (nan), in "
                f"{name}. Load it in float32 or bfloat16, whose range is larger than float16's."
            )
    return plain


@dataclass(frozen=True)
class _Run:
    """A captured run: outputs, what was heard, what attention modules gave in half precision."""

    outputs: Outputs
    recorder: Recorder
    given: Given

    @property
    def rounding(self) -> float:
        """The last digit of the coarsest precision that attention was computed in."""
        heard = chain.from_iterable(self.recorder.evaluations.values())
        dtypes = {one.queries.dtype for one in heard if isinstance(one, Evaluation)}
        return max((torch.finfo(dtype).eps for dtype in dtypes), default=0.0)


def _captured(
    model: PreTrainedModel,
    inputs: Inputs,
    expected: Sequence[str],
    note: Note = lambda _stream, _state: None,
) -> _Run:
    # In float32 differences do not add up, and so tell of outputs that are wrong as well.
    is_half = any(parameter.dtype in HALF for parameter in model.parameters())
    modules = [model.get_submodule(name) for name in expected if is_half]
    with recording(model, note=note) as recorder, noting(modules) as given:
        outputs = _outputs(model, inputs)
    return _Run(outputs, recorder, given)


def _check(name: str, value: float, limit: float) -> None:
    if not value <= limit:  # written this way round, a nan is refused as well
        raise ModelError(
            f"Captured attention is not this model's own: {name} is {value:.3g}, wanted at most "
            f"{limit:.3g}. Its attention does something that capture does not know. Choose another "
            "model."
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


def _outputs_difference(captured: Outputs, plain: Outputs) -> float:
    if changed := plain.keys() ^ captured.keys():
        raise ModelError(
            f"With captured attention the model gives {len(captured)} outputs, without "
            f"{len(plain)}; {min(changed)} is not in both. Choose another model."
        )
    return _worst(
        # Infinite outputs are no different from themselves.
        torch.where(captured[name] == output, 0, captured[name].float() - output.float()).abs()
        for name, output in plain.items()
    )


def _weights_difference(model: PreTrainedModel, inputs: Inputs, run: _Run) -> float:
    comparison = _Comparison(run.recorder.evaluations)
    with _unattached(model), repeating(run.given), tapped(model, comparison.hear):
        _outputs(model, inputs)
    comparison.check_counts()
    return _worst(comparison.differences)


@contextmanager
def _unattached(model: PreTrainedModel) -> Iterator[None]:
    release(model)
    if asks_the_interface(model):
        model.set_attn_implementation("eager")
    try:
        yield
    finally:
        attach(model)


class _Comparison:
    """What was captured against what the model does by itself, one matrix at a time.

    The matrices of all layers together may be larger than memory; queries and keys are not.
    """

    def __init__(self, captured: Evaluations) -> None:
        self.differences: list[Tensor] = []
        self._captured = captured
        self._seen: Counter[str] = Counter()

    def hear(self, name: str, matrix: Tensor) -> None:
        """Compare the module's next matrix (head, query, key), if it was captured."""
        evaluations = self._captured.get(name, ())
        if self._seen[name] < len(evaluations):
            difference = _row_differences(evaluations[self._seen[name]], matrix)
            self.differences.append(difference)
        self._seen[name] += 1

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
