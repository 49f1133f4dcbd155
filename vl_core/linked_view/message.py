"""What the view is told, and the bytes that it shows.

The message holds the selection and where things are found; tokens, attention and picture come as
bytes, by keys "analysis/name".
"""

import io
from collections.abc import Callable
from functools import partial
from itertools import cycle
from typing import Any

from PIL import Image

from vl_core.figures.style import REGION_COLORS
from vl_core.linked_view.delivery import Delivery
from vl_core.linked_view.tokens import tables
from vl_core.trace import TracedExample

PICTURE = "picture"


def message(
    analysis: str, example: TracedExample, delivery: Delivery, *, seen: int = 0
) -> dict[str, Any]:
    """What the view is told, as JSON takes it.

    analysis: names the trace and changes with its content. seen: the visitor's last change that
    the choice knows of; a message that answers an older one is out of date.
    """
    stack, choice = delivery.stack, delivery.selection
    return {
        "version": f"{analysis}/{stack.name}",
        "stackKey": f"{analysis}/{stack.name}",
        "tokensKey": f"{analysis}/{delivery.tokens_name}",
        "layerNumbers": [number + 1 for number in stack.layers],
        "pictureKey": None if example.picture is None else f"{analysis}/{PICTURE}",
        "size": example.original_size,
        "regions": _regions(example),
        "showsRegions": any(region.number is not None for region in example.regions),
        "heads": stack.n_heads,
        "isWhole": delivery.is_whole,
        "holdsLayer": delivery.holds_layer,
        "reach": delivery.reach,
        "offersPosition": delivery.offers_position,
        "profile": _profile(analysis, delivery),
        "selection": {
            "layer": choice.layer,
            "allLayers": choice.all_layers and delivery.is_whole,
            "head": choice.head,
            "direction": choice.direction,
            "position": choice.position,
            "view": choice.picture_view,
            "tokens": choice.tokens,
            "keys": choice.keys,
        },
        "seen": seen,
    }


def _regions(example: TracedExample) -> list[dict[str, Any]]:
    """Each place once, however often the text names it, in a color of its own."""
    places = dict.fromkeys((region.label, region.box) for region in example.regions)
    return [
        {"label": label, "box": box, "color": color}
        for (label, box), color in zip(places, cycle(REGION_COLORS), strict=False)
    ]


def _profile(analysis: str, delivery: Delivery) -> dict[str, Any] | None:
    """What the server works out for the pinned tokens, where the browser would take too long."""
    if not delivery.sends_profile:
        return None
    return {
        "key": f"{analysis}/{delivery.profile_name}",
        "layer": delivery.selection.layer,
        "direction": delivery.selection.direction,
        "position": delivery.selection.position,
        "tokens": delivery.shown,
    }


def blobs(example: TracedExample, delivery: Delivery) -> dict[str, Callable[[], bytes]]:
    """What is on show first, by name: tokens, the attention chosen, the picture; then the rest."""
    stack, size = delivery.stack, example.original_size
    found: dict[str, Callable[[], bytes]] = {delivery.tokens_name: partial(tables, stack, size)}
    found |= delivery.chosen()
    if example.picture is not None:
        found[PICTURE] = partial(_jpeg, example.picture)
    return found | delivery.rest()


def _jpeg(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.convert("RGB").save(content, "JPEG", quality=92)
    return content.getvalue()
