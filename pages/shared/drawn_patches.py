"""Which patches are drawn over a picture that the model is shown several times."""

import numpy as np

from vl_core.arrays import TokenMask
from vl_core.token_attention import has_place
from vl_core.trace import TokenTable


def view_sizes(tokens: TokenTable) -> dict[str, int]:
    """How many patches with a place each view has, "" being the only one of most models."""
    placed = has_place(tokens)
    views = np.array(tokens.views)
    counts = {view: int((placed & (views == view)).sum()) for view in dict.fromkeys(tokens.views)}
    return {view: count for view, count in counts.items() if count}


def drawn_patches(tokens: TokenTable) -> TokenMask:
    """Those of the view that has most patches, which is the finest."""
    counts = view_sizes(tokens)
    finest = max(counts, key=counts.__getitem__, default="")
    return np.asarray(has_place(tokens) & (np.array(tokens.views) == finest))
