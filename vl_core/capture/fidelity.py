"""Is what was captured the truth? Differences that are zero when it is, up to rounding."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from vl_core.capture.evaluation import Evaluation
from vl_core.capture.interface import NAME, attach
from vl_core.capture.recorder import Recorder, recording
from vl_core.capture.stacks import Place
from vl_core.errors import ModelError
from vl_core.trace import Block, Stack

# Far beyond rounding, below what a wrong mask or scale does even where attention is almost even.
TOLERANCE = 1e-3
# Eager attention in half precision rounds scores that capture does not: some last digits of them.
ROUNDINGS = 16

Inputs = Mapping[str, Any]


def measured_at_load(
    model: PreTrainedModel, inputs: Inputs, expected: Sequence[str]
) -> dict[str, float]:
    """Attach the model and compare capture with the model as it came, on this input.

    output_on_off: the largest difference of any output between the plain and the captured model.
    weights_vs_eager: the largest share of a row's attention (total variation, 0..1) that capture
    puts elsewhere than the model's own eager attention, over all layers, heads and queries. Raises
    ModelError if an expected module (by name) was not captured, or if the weights are not those of
    the model.
    """
    plain = _outputs(model, inputs)
    attach(model)
    with recording(model) as recorder:
        captured = _outputs(model, inputs)
    recorder.check_complete(expected)
    figures = {
        "output_on_off": _worst(
            (captured[name].float() - plain[name].float()).abs() for name in plain
        ),
        "weights_vs_eager": _weights_difference(recorder, eager_weights(model, inputs, expected)),
    }
    limit = max(TOLERANCE, ROUNDINGS * torch.finfo(model.dtype).eps)
    largest = _worst(output.abs() for output in plain.values())
    _check("output_on_off", figures["output_on_off"], limit * largest)
    _check("weights_vs_eager", figures["weights_vs_eager"], limit)
    return figures


def _check(name: str, value: float, limit: float) -> None:
    if not value <= limit:  # written this way round, a nan is refused as well
        raise ModelError(
            f"Captured attention is not this model's own: {name} is {value:.3g}, wanted at most "
            f"{limit:.3g}. Its attention does something that capture does not know."
        )


def row_reconstruction(
    evaluations: Mapping[str, Sequence[Evaluation]],
    place: Callable[[str], Place | None],
    stacks: Mapping[str, Stack],
) -> float:
    """How far stored weights times live values are from the attention output, relative, at worst.

    Measured on the sample of each evaluation; 0 is perfect, half precision gives about 1e-3.
    """
    return _worst(
        _reconstruction_error(block, evaluation)
        for name, heard in evaluations.items()
        if (found := place(name)) is not None
        for block, evaluation in zip(_blocks(stacks, found), heard, strict=True)
    )


def _blocks(stacks: Mapping[str, Stack], place: Place) -> tuple[Block, ...]:
    stack = stacks[place.stack]
    return stack.blocks[stack.layers.index(place.layer)]


def _reconstruction_error(block: Block, evaluation: Evaluation) -> Tensor:
    everything, sample = slice(None), evaluation.sample
    weights = torch.from_numpy(block.kept.rows(everything, sample.rows)).to(sample.values.device)
    values = sample.values[evaluation.key_heads(everything)].float()
    output = sample.output.float().transpose(0, 1)
    # Where every key is hidden, eager attention spreads evenly over them; no weights are kept.
    has_keys = weights.sum(dim=-1, keepdim=True) > 0
    error = torch.where(has_keys, weights @ values - output, 0).norm()
    return error / output.norm().clamp(min=torch.finfo(torch.float32).tiny)


def eager_weights(
    model: PreTrainedModel, inputs: Inputs, modules: Sequence[str]
) -> dict[str, list[Tensor]]:
    """The weights that each of these modules returns with eager attention, float32.

    For each module one tensor (head, query, key) for each sequence of each call. Raises
    ModelError if a module returns none. The model is switched meanwhile: not for use while others
    run it.
    """
    seen: dict[str, list[Tensor]] = {name: [] for name in modules}

    def keep(name: str, output: Any) -> None:  # noqa: ANN401 whatever the module returns
        tensors = [part for part in output if isinstance(part, Tensor)]
        if not isinstance(output, tuple) or len(tensors) < 2:
            raise ModelError(f"{name} does not return its weights with eager attention.")
        # Output first, weights last; some put a position bias between them.
        seen[name].extend(tensors[-1].float())

    with _eager(model), _hooks(model, modules, keep):
        _outputs(model, inputs)
    return seen


@contextmanager
def _eager(model: PreTrainedModel) -> Iterator[None]:
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(NAME)


@contextmanager
def _hooks(
    model: nn.Module, modules: Sequence[str], keep: Callable[[str, Any], None]
) -> Iterator[None]:
    handles = [
        model.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: keep(name, output)
        )
        for name in modules
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _outputs(model: nn.Module, inputs: Inputs) -> dict[str, Tensor]:
    with torch.inference_mode():
        outputs = model(**inputs)
    return {name: value for name, value in outputs.items() if isinstance(value, Tensor)}


def _worst(values: Iterable[Tensor]) -> float:
    """The largest of all; a nan anywhere is the worst, which the built-in max may overlook."""
    return float(torch.stack([value.float().max() for value in values]).max())


def _weights_difference(recorder: Recorder, eager: Mapping[str, Sequence[Tensor]]) -> float:
    everything = slice(None)
    return _worst(
        (captured.rows(everything, everything) - weights).abs().sum(dim=-1) / 2
        for name, own in eager.items()
        for captured, weights in zip(recorder.evaluations[name], own, strict=True)
    )
