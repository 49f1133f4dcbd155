"""The shapes of the arrays that are passed around, named once.

They are documentation for readers and are checked while the tests run; the app does not pay for
them. Every attention array is query before key, and each row over its keys sums to one.
"""

import numpy as np
from jaxtyping import Bool, Float, Float16, Float32, Int, UInt8

Attention = Float[np.ndarray, "layer head query key"]
LayerAttention = Float[np.ndarray, "head query key"]
HeadAttention = Float[np.ndarray, "query key"]
HeadMap = Float[np.ndarray, "layer head"]
LayerCurve = Float[np.ndarray, "layer"]

Boxes = Float[np.ndarray, "token 4"]  # left, top, right, bottom in pixels of the original picture
Centres = Float[np.ndarray, "token 2"]  # x, y in patches
Spans = Int[np.ndarray, "token 2"]  # first character and one past the last; -1 without a place
TokenMask = Bool[np.ndarray, "token"]
QueryMask = Bool[np.ndarray, "query"]
KeyMask = Bool[np.ndarray, "key"]
KeysByLayer = Bool[np.ndarray, "layer key"]
AllowedKeys = Bool[np.ndarray, "query key"]

HiddenStates = Float[np.ndarray, "state token width"]  # state 0: embeddings; k: after layer k
PackedStates = Float16[np.ndarray, "state token width"]
StateScales = Float32[np.ndarray, "state"]
Points = Float[np.ndarray, "state token 2"]
StateCurve = Float[np.ndarray, "state"]

Pixels = UInt8[np.ndarray, "row column 3"]
