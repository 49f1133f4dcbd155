"""Names of tokens that leave room for something beside them: in an axis, a list, a chip."""

import re

from vl_core.token_attention import patch_places, token_labels, token_names
from vl_core.trace import TokenTable
from vl_core.trace.picture_views import WHOLE

LONGEST = 16  # characters
SHORT_VIEWS = {WHOLE: "whole"}  # of views with longer names

_PART = re.compile(r" \(\d+/\d+\)'?$|'$")  # which part of one text a token is; a closing quote


def cut_name(name: str, most: int = LONGEST) -> str:
    """The name with at most so many characters, an ellipsis where some are missing.

    What tells the parts of one text apart, as "(3/48)" at its end, stays.
    """
    if len(name) <= most:
        return name
    found = _PART.search(name)
    end = found[0] if found else ""
    return name[: max(1, most - len(end) - 1)].rstrip() + "…" + end


def short_names(tokens: TokenTable, most: int = LONGEST) -> tuple[str, ...]:
    """What each token is called in a sentence, cut if it is long; names of patches stay whole."""
    return _cut(tokens, token_names(tokens), most)


def short_labels(tokens: TokenTable, most: int = LONGEST) -> tuple[str, ...]:
    """What each token is called where room is scarce.

    Patches with a row and a column by these and, where there are several, their view: "patch 3, 5",
    "whole 3, 5". Everything else as `token_labels` says, cut if it is long.
    """
    labels = list(_cut(tokens, token_labels(tokens), most))
    for patch, (row, column) in patch_places(tokens).items():
        labels[patch] = f"{short_view(tokens.views[patch]) or 'patch'} {row}, {column}"
    return tuple(labels)


def short_view(view: str) -> str:
    """What a view of the picture is called where room is scarce."""
    return SHORT_VIEWS.get(view, view)


def _cut(tokens: TokenTable, names: tuple[str, ...], most: int) -> tuple[str, ...]:
    is_image = tokens.is_image.tolist()
    return tuple(
        name if whole else cut_name(name, most) for name, whole in zip(names, is_image, strict=True)
    )
