"""Is what was captured the truth? Differences that are zero when it is, up to rounding."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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

SAMPLED_ROWS = 8
# Far beyond rounding, far below what a wrong mask or scale does.
TOLERANCE = 0.05

Inputs = Mapping[str, Any]


def measured_at_load(
    model: PreTrainedModel, inputs: Inputs, expected: Sequence[str]
) -> dict[str, float]:
    """Attach the model and compare capture with the model as it came, on this input.

    output_on_off: the largest difference of any output between the plain and the captured model.
    weights_vs_eager: the largest difference between a captured weight and what the model's own
    eager attention says, over all layers and heads. Raises ModelError if an expected module (by
    name) was not captured, or if the weights are not those of the model.
    """
    plain = _outputs(model, inputs)
    attach(model)
    with recording(model) as recorder:
        captured = _outputs(model, inputs)
    recorder.check_complete(expected)
    figures = {
        "output_on_off": max(_difference(captured[name], plain[name]) for name in plain),
        "weights_vs_eager": _weights_difference(recorder, eager_weights(model, inputs, expected)),
    }
    largest = max(1.0, *(float(output.abs().max()) for output in plain.values()))
    _check("output_on_off", figures["output_on_off"], TOLERANCE * largest)
    _check("weights_vs_eager", figures["weights_vs_eager"], TOLERANCE)
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

    Some rows of each evaluation are sampled; 0 is perfect, half precision gives about 1e-3.
    """
    return max(
        _reconstruction_error(block, evaluation)
        for name, heard in evaluations.items()
        if (found := place(name)) is not None
        for block, evaluation in zip(_blocks(stacks, found), heard, strict=True)
    )


def _blocks(stacks: Mapping[str, Stack], place: Place) -> tuple[Block, ...]:
    stack = stacks[place.stack]
    return stack.blocks[stack.layers.index(place.layer)]


def _reconstruction_error(block: Block, evaluation: Evaluation) -> float:
    everything = slice(None)
    n_queries = len(block.query_positions)
    sampled = slice(None, None, max(1, n_queries // SAMPLED_ROWS))
    weights = torch.from_numpy(block.kept.rows(everything, sampled)).to(evaluation.values.device)
    values = evaluation.values[evaluation.key_heads(everything)].float()
    output = evaluation.output[sampled].float().transpose(0, 1)
    # Where every key is hidden, eager attention spreads evenly over them; no weights are kept.
    has_keys = weights.sum(dim=-1, keepdim=True) > 0
    error = torch.where(has_keys, weights @ values - output, 0).norm()
    return float(error / output.norm().clamp(min=torch.finfo(torch.float32).tiny))


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


def _difference(one: Tensor, other: Tensor) -> float:
    return float((one.float() - other.float()).abs().max())


def _weights_difference(recorder: Recorder, eager: Mapping[str, Sequence[Tensor]]) -> float:
    everything = slice(None)
    return max(
        _difference(captured.rows(everything, everything), weights)
        for name, own in eager.items()
        for captured, weights in zip(recorder.evaluations[name], own, strict=True)
    )
