"""From a live evaluation to the form that a trace keeps, in half precision."""

import numpy as np
import torch
from jaxtyping import Float16
from torch import Tensor

from vl_core.capture.evaluation import Evaluation
from vl_core.capture.tapping import Overheard
from vl_core.trace import Block, Kept, KeptQueriesKeys, KeptWeights


def block(evaluation: Evaluation | Overheard) -> Block:
    """The evaluation as a trace keeps it.

    Queries and keys are kept unless the weights take less room (fewer tokens than twice the
    head's width), or a bias, which queries and keys do not hold, was added to the scores, or the
    weights are all that was heard.
    """
    return Block(evaluation.query_positions, evaluation.key_positions, _kept(evaluation))


def _kept(evaluation: Evaluation | Overheard) -> Kept:
    if isinstance(evaluation, Overheard):
        return KeptWeights(evaluation.weights.half().cpu().numpy(), evaluation.mask)
    return weights(evaluation) if _keeps_weights(evaluation) else queries_keys(evaluation)


def _keeps_weights(evaluation: Evaluation) -> bool:
    n_heads, n_queries, _ = evaluation.queries.shape
    size = n_heads * n_queries * evaluation.keys.shape[1]
    has_bias = evaluation.mask.bias is not None
    return has_bias or size < evaluation.queries.numel() + evaluation.keys.numel()


def weights(evaluation: Evaluation) -> KeptWeights:
    """All weights of the evaluation."""
    rows = evaluation.rows(slice(None), slice(None))
    return KeptWeights(rows.half().cpu().numpy(), evaluation.mask.description)


def queries_keys(evaluation: Evaluation) -> KeptQueriesKeys:
    """Queries and keys, the keys centred for each head.

    Shifting all keys of a head alike shifts all scores of a row alike, which the softmax ignores;
    a softcap does not, so there the keys stay as they are.
    """
    live = evaluation.keys.float()
    if evaluation.softcap is None:
        live = live - live.mean(dim=1, keepdim=True)
    keys, key_scale = _half(live)
    queries, query_scale = _half(evaluation.queries.float())
    scaling = evaluation.scaling * query_scale * key_scale
    return KeptQueriesKeys(queries, keys, scaling, evaluation.softcap, evaluation.mask.description)


def _half(values: Tensor) -> tuple[Float16[np.ndarray, "head token dim"], float]:
    """The values divided by a power of two, so that float16 can hold the largest, and the power."""
    largest = float(values.abs().max())
    scale = 2.0 ** np.ceil(np.log2(largest)) if largest > 0 else 1.0
    return (values / scale).to(torch.float16).cpu().numpy(), scale
