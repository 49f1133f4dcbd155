"""Model-independent probes of geometry: which token shows which part of the picture.

They need nothing but the family's own doors, so every family's tests can run them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from unittest import mock

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from transformers import AttentionInterface, BatchFeature, PreTrainedModel

from vl_core import capture
from vl_core.capture import interface
from vl_core.example import Example
from vl_core.families import Family
from vl_core.model import Model, on_device
from vl_core.trace import TokenTable

IDENTITY = "identity"


def coordinate_image(size: tuple[int, int]) -> Image.Image:
    """Red says how far right a pixel lies, green how far down (0..255), blue is full.

    Whatever a processor does to it, each pixel still says where it came from; where blue is
    missing there is padding.
    """
    width, height = size
    x = np.broadcast_to((np.arange(width) + 0.5) / width, (height, width))
    y = np.broadcast_to(((np.arange(height) + 0.5) / height)[:, None], (height, width))
    shares = np.stack([x, y, np.ones_like(x)], axis=-1)
    return Image.fromarray((shares * 255).round().astype(np.uint8))


def seen_centres(pixels: Tensor, patch: int) -> tuple[np.ndarray, np.ndarray]:
    """Where in the picture each patch of a processed coordinate image lies, row by row.

    pixels: (3, height, width) in 0..1, before or after undoing the normalisation. Centres
    (patch x 2) as shares of width and height, and which patches are picture and not padding.
    """
    means = nn.functional.avg_pool2d(pixels[None].float(), patch)[0].flatten(1).T.numpy()
    return means[:, :2], means[:, 2] > 0.5


def _identity(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, *_args: object, **_kwargs: object
) -> tuple[Tensor, None]:
    if value.shape[2] != query.shape[2]:
        value = query.new_zeros(*query.shape[:3], value.shape[-1])
    groups = query.shape[1] // value.shape[1]
    return value.repeat_interleave(groups, dim=1).transpose(1, 2).contiguous(), None


AttentionInterface.register(IDENTITY, _identity)


@contextmanager
def identity_attention(model: PreTrainedModel) -> Iterator[None]:
    """Attention in which every token looks at itself alone, so that tokens never mix.

    What one token shows then stays in its place through all layers.
    """
    before = model.config._attn_implementation
    model.set_attn_implementation(IDENTITY)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def module_input(family: Family, example: Example, module: str) -> Tensor:
    """What this module is given when the model reads the example: token x width."""
    seen: list[Tensor] = []

    def keep(_module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Tensor]) -> None:
        seen.append(args[0] if args else kwargs["hidden_states"])

    handle = family.model.get_submodule(module).register_forward_pre_hook(keep, with_kwargs=True)
    try:
        with torch.inference_mode():
            family.model(**family.inputs(example))
    finally:
        handle.remove()
    return seen[0][0]


def changes(
    family: Family, examples: Sequence[Example], boxes: np.ndarray, module: str
) -> np.ndarray:
    """How much each token changes when the pixels inside one box are inverted: box x token.

    The norm of the change at the module's input, averaged over examples of the same sizes. One
    picture is not enough where convolutions see beyond a patch: there a neighbour that shows an
    edge may react more than a patch of plain background.
    """
    return np.mean([_changes(family, example, boxes, module) for example in examples], axis=0)


def _changes(family: Family, example: Example, boxes: np.ndarray, module: str) -> np.ndarray:
    before = module_input(family, example, module)
    after = [module_input(family, _inverted(example, box), module) for box in boxes]
    return np.stack([(tokens - before).norm(dim=-1).numpy() for tokens in after])


def _inverted(example: Example, box: np.ndarray) -> Example:
    corners = tuple(int(edge) for edge in np.round(box))
    picture = example.image.copy()
    picture.paste(ImageOps.invert(picture.crop(corners)), corners[:2])
    return Example(picture, example.text)


def padded(inputs: Sequence[BatchFeature]) -> BatchFeature:
    """Several inputs as one batch: columns of tokens padded on the right, all else joined."""
    names = inputs[0].keys()
    return BatchFeature({name: _joined(name, [one[name] for one in inputs]) for name in names})


def _joined(name: str, values: Sequence[Tensor]) -> Tensor:
    if values[0].dim() != 2 or values[0].is_floating_point():
        return torch.cat(list(values))
    longest = max(value.shape[1] for value in values)
    filler = 0 if "mask" in name else 1
    return torch.cat(
        [nn.functional.pad(value, (0, longest - value.shape[1]), value=filler) for value in values]
    )


def first_states(model: Model, example: Example) -> dict[str, Tensor]:
    """Of each stream the embeddings (token x width) when attention mixes nothing."""
    with torch.inference_mode():
        return _first_states(model, on_device(model.family, model.family.inputs(example)))


def _first_states(model: Model, inputs: BatchFeature) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}

    def note(stream: str, state: Tensor) -> None:
        found.setdefault(stream, state.flatten(0, -2).clone())

    with (
        mock.patch.object(interface, "sdpa_attention_forward", _identity),
        capture.recording(model.family.model, lambda *_: None, note),
    ):
        torch.manual_seed(0)
        model.family.model(**inputs)
    return found


def pass_rate(model: Model, example: Example, tokens: TokenTable, stream: str) -> float:
    """Which share of the stream's patches changes most when its own part is inverted.

    Some 40 of them, spread over all; each is compared with the patches of its own view.
    """
    before = first_states(model, example)[stream]
    placed = np.flatnonzero(tokens.is_image)
    asked = _asked(placed)
    passed = 0
    for token in asked:
        rivals = placed[[tokens.views[one] == tokens.views[token] for one in placed]]
        after = first_states(model, _inverted(example, tokens.boxes[token]))[stream]
        change = (after - before).norm(dim=-1).numpy()
        passed += rivals[change[rivals].argmax()] == token
    return passed / len(asked)


def _asked(placed: np.ndarray) -> np.ndarray:
    """Some 40 of these tokens, spread over all."""
    return placed[:: max(1, len(placed) // 40)]


def centre_errors(model: Model, example: Example, tokens: TokenTable, stream: str) -> np.ndarray:
    """How far from where the model sees it the centre of each patch's box lies, in pixels.

    Some 40 of them, spread over all. The pixels that a patch is made of are those of the
    model's input that its embedding depends on; where these lie in the original says a picture
    whose values are coordinates.
    """
    asked = _asked(np.flatnonzero(tokens.is_image))
    boxes = tokens.boxes[asked]
    places, is_picture = _pixel_places(model, example)
    seen = [
        places[area & is_picture].mean(axis=0) for area in _areas(model, example, stream, asked)
    ]
    return np.linalg.norm(np.stack(seen) - (boxes[:, :2] + boxes[:, 2:]) / 2, axis=1)


def _pixel_places(model: Model, example: Example) -> tuple[np.ndarray, np.ndarray]:
    """Where in the original each number of the input lies (... x 2), and which are of a picture.

    Processors resize, shift and scale: each number grows evenly from its value for black to that
    for white, so that no order of channels or patches need be known.
    """
    red, green, _ = coordinate_image(example.size).split()
    black, white = (Image.new("L", example.size, shade) for shade in (0, 255))
    inputs = [
        model.family.inputs(Example(Image.merge("RGB", [shade] * 3), example.text))
        for shade in (black, white, red, green)
    ]
    dark, bright, *coordinates = (one["pixel_values"].double().numpy() for one in inputs)
    span = bright - dark
    is_picture = span > span.max() / 2  # padding is the same for all
    shares = [(one - dark) / np.where(is_picture, span, 1) for one in coordinates]
    return np.stack(shares, axis=-1) * example.size, is_picture


def _areas(
    model: Model, example: Example, stream: str, asked: Sequence[int]
) -> Iterator[np.ndarray]:
    """For each of these tokens, which numbers of the input its embedding depends on."""
    inputs = on_device(model.family, model.family.inputs(example))
    pixels = inputs["pixel_values"] = inputs["pixel_values"].clone().requires_grad_()
    states = _first_states(model, inputs)[stream]
    # A norm makes the plain sum of an embedding the same for all.
    direction = torch.randn(states.shape[-1], generator=torch.Generator().manual_seed(0))
    for token in asked:
        (slope,) = torch.autograd.grad(states[token] @ direction, pixels, retain_graph=True)
        yield (slope != 0).numpy()
