"""How the picture reached a model, in words: whole or in part, in tiles, or only as regions."""

import numpy as np

from vl_core.counted import counted
from vl_core.token_attention import has_place, placed_views
from vl_core.trace import TokenTable, Trace
from vl_core.trace.nouns import QUERY_TOKEN, REGION, image_noun

Size = tuple[int, int]  # width and height


def words_and_patches(trace: Trace) -> tuple[TokenTable, TokenTable]:
    """The tokens of the first stream with words, and of the first with patches in the picture.

    Where the stream with words has patches too, as in a model of one stream, these are the ones.
    """
    tables = [stream.tokens for stream in trace.streams.values()]
    words = next((table for table in tables if table.is_text.any()), tables[0])
    return words, next((one for one in [words, *tables] if has_place(one).any()), words)


def sentence(trace: Trace) -> str:
    """What stands for the picture, and how much of it came in at which size.

    Without patches in the picture nobody can say how much; "" if nothing stands for it at all.
    """
    seen, original = trace.example.image, trace.example.original_size
    if seen is None or original is None:
        return ""
    words, patches = words_and_patches(trace)
    noun, placed = image_noun(patches), has_place(patches)
    if not placed.any():
        return _without_place(trace)
    without = int(patches.is_image.sum() - placed.sum())
    many = counted(int(placed.sum()), noun.one, noun.many) + _views(patches)
    if without:
        many += f" and {counted(without, 'token')} without a place in the picture"
    if noun is REGION:
        return (
            f"{many}, as a detector found them in the picture of {_size(original)} pixels. The "
            "model reads no pixels."
        )
    if noun is not QUERY_TOKEN and image_noun(words) is QUERY_TOKEN:
        many += f", read through {counted(int(words.is_image.sum()), 'query token')}"
    return f"{many}. {_part(patches, original, seen.size)} {_form(trace, patches, seen.size)}."


def _without_place(trace: Trace) -> str:
    """How many tokens of the first stream with any stand for the picture, but for no place."""
    for stream in trace.streams.values():
        if count := int(stream.tokens.is_image.sum()):
            noun = image_noun(stream.tokens)
            return f"{counted(count, noun.one, noun.many)} without a place in the picture."
    return ""


def _views(patches: TokenTable) -> str:
    """How many patches each view has, where there are several."""
    views = placed_views(patches)
    if len(views) < 2:
        return ""
    placed = np.array(patches.views)[has_place(patches)]
    return f" ({', '.join(f'{view}: {(placed == view).sum():,}' for view in views)})"


def _part(patches: TokenTable, original: Size, seen: Size) -> str:
    """How much of the picture lies in patches, of which there are some; the rest is cut away."""
    whole = f"The picture of {_size(original)} pixels reaches the model"
    boxes = patches.boxes[has_place(patches)]
    before, last = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    behind = np.array(original) - last
    pixel = (last - before) / seen  # of those that the model sees: less is a matter of rounding
    if (np.maximum(before, behind) < pixel).all():
        return whole
    width, height = np.round(last - before).astype(int).tolist()
    # Of an uneven number of pixels one more is cut off on one side.
    what = "its middle" if (abs(before - behind) < 1.5 * pixel).all() else "a part"
    return (
        f"Of the picture of {_size(original)} pixels {what}, {_size((width, height))}, reaches the "
        "model"
    )


def _form(trace: Trace, patches: TokenTable, size: Size) -> str:
    """At which size it came in, and whether in tiles besides."""
    if len(placed_views(patches)) < 2:
        return f"as {_size(size)}"
    count = _n_tiles(trace)
    tiles = f"{counted(count, 'tile')} of the same size" if count else "tiles"
    return f"whole as {_size(size)} and in {tiles}"


def _n_tiles(trace: Trace) -> int:
    """In how many tiles it was looked at beside the whole: one evaluation for each; 0 if unknown.

    Only a tower looks at them apart; words read them in one sequence.
    """
    for stack in trace.stacks.values():
        is_tower = stack.is_self_attention and not stack.queries.is_text.any()
        if is_tower and len(placed_views(stack.queries)) > 1:
            return len(stack.blocks[0]) - 1
    return 0


def _size(size: Size) -> str:
    return f"{size[0]:,} × {size[1]:,}"
