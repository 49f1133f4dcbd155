"""How torch's own attention makes queries, keys and values of states with one packed weight.

In half precision another way to multiply the same differs in the last digit, so it is torch's own
function that is asked, by the only name it has.
"""

from torch.nn.functional import (  # type: ignore[attr-defined] # it stands in no stub
    _in_projection_packed as in_projection_packed,
)

__all__ = ["in_projection_packed"]
