"""Mean ablation: what becomes of the answer when a head says what it says on average.

A head's output at a token, before the layer's output projection, is exchanged for the mean of its
outputs over a set of examples, taken apart by the role of the token. Zeros would be something that
the layers after it have never seen; its mean takes away only what the head says of this example.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import Tensor
from transformers import BatchFeature

from vl_core import capture
from vl_core.arrays import HeadMap
from vl_core.attribution.self_attention import SelfAttention
from vl_core.errors import EmptySelectionError, ModelError
from vl_core.example import Example
from vl_core.frozen import freeze, own
from vl_core.head_stats.tables import class_token
from vl_core.model import Model
from vl_core.trace import TokenTable

ROLES = ("class", "special", "text", "image")
FORMAT = "vl-interpret-head-means"

MOST_SEQUENCES = 64  # in one forward pass
MOST_TOKENS = 16_384  # ... all sequences together

Head = tuple[int, int]  # layer and head, from 0


def roles(table: TokenTable) -> Int[np.ndarray, "token"]:
    """For each token its role by number: class token, other special, text, image; padding -1."""
    found = np.full(len(table), -1)
    for kind in ("special", "text", "image"):
        found[getattr(table, f"is_{kind}")] = ROLES.index(kind)
    found[class_token(table)] = ROLES.index("class")
    return found


@dataclass(frozen=True, eq=False)
class HeadMeans:
    """What each head says on average to a token of each of the ROLES.

    values: attention output before the output projection. counts: over how many tokens the mean of
    each role runs; a role that was never seen has 0 and a mean of zeros. weights_hash: of the model
    that said it. Raises ModelError for values that are no such means.
    """

    values: Float32[np.ndarray, "layer head role dim"]
    counts: Int[np.ndarray, "role"]
    weights_hash: str

    def __post_init__(self) -> None:
        fits = self.values.ndim == 4 and self.values.shape[2] == len(ROLES) == len(self.counts)
        if not fits or not np.isfinite(self.values).all():
            raise ModelError(
                f"Head means of shape {self.values.shape} for {len(self.counts)} roles; finite "
                f"numbers, layer x head x {len(ROLES)} roles x dim, are wanted."
            )
        freeze(self, values=own(self.values), counts=own(self.counts))

    @property
    def n_layers(self) -> int:
        """How many layers there are."""
        return len(self.values)

    @property
    def n_heads(self) -> int:
        """How many heads each layer has."""
        return self.values.shape[1]

    def save(self, path: str | Path) -> None:
        """Write the means as one safetensors file."""
        arrays = {"values": np.ascontiguousarray(self.values), "counts": self.counts}
        save_file(arrays, path, {"format": FORMAT, "weights_hash": self.weights_hash})

    @classmethod
    def load(cls, path: str | Path, weights_hash: str) -> "HeadMeans":
        """Read the means of the model whose weights have this hash.

        Raises ModelError if the file cannot be read, or if the means are those of other weights.
        """
        name = Path(path).name
        try:
            with safe_open(path, framework="np") as file:
                came = (file.metadata() or {}).get("weights_hash")
                arrays = {key: file.get_tensor(key) for key in ("values", "counts")}
        except (SafetensorError, OSError) as error:
            raise ModelError(
                f"{name} holds no head means that can be read ({error}). Compute them again."
            ) from error
        if came != weights_hash:
            raise ModelError(
                f"{name} holds the head means of other weights ({came or 'unknown'}, wanted "
                f"{weights_hash}). Compute them again for this model."
            )
        return cls(arrays["values"], arrays["counts"], came)


def head_means(model: Model, examples: Iterable[Example]) -> HeadMeans:
    """The mean attention output of every head over all tokens of each role in all examples.

    Raises ModelError for a model without exactly one stack of self-attention or whose attention
    can only be overheard, and EmptySelectionError without a single example.
    """
    stack = SelfAttention.of(model)
    sums, counts = torch.zeros(()), np.zeros(len(ROLES), int)
    for example in examples:
        inputs, tokens = stack.read(example)
        of_role = np.arange(len(ROLES))[:, None] == roles(tokens)
        outputs = _attention_outputs(stack, inputs).cpu().double()
        sums = sums + torch.einsum("lthd,rt->lhrd", outputs, torch.from_numpy(of_role).double())
        counts += of_role.sum(axis=1)
    if not counts.any():
        raise EmptySelectionError("Head means over no example at all; give at least one.")
    values = sums.numpy() / np.maximum(counts, 1)[:, None]
    return HeadMeans(values.astype(np.float32), counts, model.provenance.weights_hash)


def _attention_outputs(
    stack: SelfAttention, inputs: BatchFeature
) -> Float[Tensor, "layer token head dim"]:
    """What every head says to every token of the one sequence."""
    heard: dict[str, Tensor] = {}

    def listen(name: str, output: Tensor) -> Tensor:
        heard[name] = output[0]
        return output

    listening = capture.editing(stack.model.family.model, listen, stack.modules)
    with torch.inference_mode(), listening:
        stack.run(inputs)
    return torch.stack([heard[name] for name in stack.modules])


@dataclass(frozen=True)
class _Exchange:
    """In one layer: which sequences lose which of its heads, one each, and what comes instead."""

    sequences: list[int]
    heads: list[int]
    means: Float[Tensor, "chosen token dim"]
    is_padding: Bool[Tensor, "chosen token"]

    def applied(self, output: Float[Tensor, "sequence token head dim"]) -> Tensor:
        """The output with the means in place of the heads; padding is left as it is."""
        said = output[self.sequences, :, self.heads]
        changed = output.clone()
        changed[self.sequences, :, self.heads] = torch.where(
            self.is_padding[..., None], said, self.means.to(output.dtype)
        )
        return changed


@contextmanager
def without_heads(
    model: Model,
    means: HeadMeans,
    heads: Sequence[Head | None],
    roles: Int[Tensor, "sequence token"],
) -> Iterator[None]:
    """Run batches of this shape with one head of each sequence exchanged for its mean.

    heads: for each sequence of the batch the layer and head that is exchanged, or None. roles: of
    each token as `roles` gives them, -1 for padding. Raises ModelError for means of other weights,
    heads that the model has not, or a batch of another shape.
    """
    stack = SelfAttention.of(model)
    _check(model, means, heads, roles)
    roles = roles.to(model.family.model.device)
    exchanges = {
        name: _exchange(means, layer, heads, roles) for layer, name in enumerate(stack.modules)
    }

    def edit(name: str, output: Tensor) -> Tensor:
        if output.shape[:2] != roles.shape:
            raise ModelError(
                f"A batch of {output.shape[0]} sequences of {output.shape[1]} tokens was run with "
                f"the roles of {roles.shape[0]} x {roles.shape[1]}."
            )
        exchange = exchanges.get(name)
        return exchange.applied(output) if exchange is not None else output

    with capture.editing(model.family.model, edit, stack.modules):
        yield


def _check(model: Model, means: HeadMeans, heads: Sequence[Head | None], roles: Tensor) -> None:
    if means.weights_hash != model.provenance.weights_hash:
        raise ModelError(
            f"These head means belong to other weights than those of {model.model_id}. Compute "
            "them again for this model."
        )
    if len(heads) != len(roles):
        raise ModelError(f"{len(heads)} heads to leave out of {len(roles)} sequences; one for each")
    for layer, head in filter(None, heads):
        if not (0 <= layer < means.n_layers and 0 <= head < means.n_heads):
            raise ModelError(
                f"Layer {layer}, head {head} is to be left out; there are {means.n_layers} layers "
                f"of {means.n_heads} heads, counted from 0."
            )


def _exchange(
    means: HeadMeans, layer: int, heads: Sequence[Head | None], roles: Tensor
) -> _Exchange | None:
    """What happens in this layer; None for nothing."""
    chosen = {i: head[1] for i, head in enumerate(heads) if head is not None and head[0] == layer}
    if not chosen:
        return None
    asked = torch.tensor(list(chosen.values()), device=roles.device)
    role = roles[list(chosen)]
    values = torch.tensor(means.values[layer], device=roles.device)
    spoken = values[asked[:, None], role.clamp(min=0)]
    return _Exchange(list(chosen), list(chosen.values()), spoken, role < 0)


@dataclass(frozen=True, eq=False)
class HeadEffects:
    """What the answer to one example loses without each head.

    answer: of the intact model. change: the answer's log-probability without the head minus that
    of the intact model, in nats: below 0 the head supported the answer, above 0 it spoke against
    it. flips: whether another answer becomes the likeliest.
    """

    answer: str
    change: HeadMap
    flips: Bool[np.ndarray, "layer head"]


def head_effects(model: Model, example: Example, means: HeadMeans) -> HeadEffects:
    """Exchange each head of each layer for its mean, one at a time.

    Many copies of the example run at once, beside an intact one. Raises ModelError for a model
    without exactly one stack of self-attention or means that are not its own, and TextError or
    ImageError for an example that it cannot read.
    """
    stack = SelfAttention.of(model)
    inputs, tokens = stack.read(example)
    every = [(layer, head) for layer in range(means.n_layers) for head in range(means.n_heads)]
    role = torch.from_numpy(roles(tokens))
    step = int(np.clip(MOST_TOKENS // len(tokens), 2, MOST_SEQUENCES)) - 1
    parts = [
        _changes(stack, example, inputs, role, every[start : start + step], means)
        for start in range(0, len(every), step)
    ]
    shape = means.n_layers, means.n_heads
    return HeadEffects(
        parts[0][0],
        np.concatenate([change for _, change, _ in parts]).reshape(shape),
        np.concatenate([flips for _, _, flips in parts]).reshape(shape),
    )


def _changes(
    stack: SelfAttention,
    example: Example,
    inputs: BatchFeature,
    role: Tensor,
    chosen: Sequence[Head],
    means: HeadMeans,
) -> tuple[str, Float[np.ndarray, "chosen"], Bool[np.ndarray, "chosen"]]:
    """The intact answer, and its change and flips without each of the chosen heads."""
    family, count = stack.model.family, 1 + len(chosen)
    copies = BatchFeature(
        {name: value.repeat_interleave(count, dim=0) for name, value in inputs.items()}
    )
    # The intact copy runs beside the others: a batch of another size would round differently.
    with (
        torch.inference_mode(),
        without_heads(stack.model, means, (None, *chosen), role.expand(count, -1)),
    ):
        outputs = stack.run(copies)
        logits = family.answer_logits(outputs).double().log_softmax(dim=-1).cpu().numpy()
    top = logits[0].argmax()
    answer = family.prediction(example, inputs, outputs).top[0][0]
    return answer, logits[1:, top] - logits[0, top], logits[1:].argmax(axis=1) != top
