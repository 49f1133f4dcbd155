"""All head statistics of a stack as a table to take away: one row for each head."""

import csv
import io

from vl_core.arrays import HeadMap
from vl_core.head_stats import views, vlinterpret
from vl_core.head_stats.own import all_statistics
from vl_core.head_stats.passes import stored_key
from vl_core.head_stats.pattern import patterns
from vl_core.trace import Stack


def as_csv(stack: Stack) -> str:
    """Layer and head (from 1, as on screen), the pattern, then each statistic by its key.

    A key followed by "/without_specials" is the statistic without special tokens, one that ends in
    "/z" its z-score over all heads. The last columns, "vlinterpret/" and the name in its menu, are
    VL-InterpreT's own z-scores, for a stack that it knew. What is missing is empty.
    """
    maps = _maps(stack)
    named = patterns(stack)
    content = io.StringIO()
    table = csv.writer(content)
    table.writerow(["layer", "head", "pattern", *maps])
    for layer in range(stack.n_layers):
        for head in range(stack.n_heads):
            numbers = [_written(values[layer, head]) for values in maps.values()]
            place = [stack.layers[layer] + 1, head + 1]
            table.writerow([*place, named[layer][head].name, *numbers])
    return content.getvalue()


def _maps(stack: Stack) -> dict[str, HeadMap]:
    found = {
        stored_key(statistic.key, with_specials=with_specials): statistic.of(stack, with_specials)
        for statistic in all_statistics()
        for with_specials in (True, False)
    }
    found |= {f"{key}/z": views.z_scores(values) for key, values in found.items()}
    if vlinterpret.applies_to(stack):
        own = vlinterpret.statistics(stack)
        found |= {f"vlinterpret/{label}": scores for label, scores in own.items()}
    return found


def _written(value: float) -> str:
    return "" if value != value else f"{value:.8g}"  # noqa: PLR0124 nan alone differs from itself
