"""From a live evaluation to the form that a trace keeps, in half precision where that is enough."""

from dataclasses import replace

from vl_core.capture.evaluation import Evaluation
from vl_core.capture.rounding import Halves
from vl_core.capture.tapping import Overheard
from vl_core.trace import Block, Kept, KeptQueriesKeys, KeptWeights

HALF, SINGLE = 2, 4  # bytes of a number as it is kept
# Of any weight in any row. 2e-3 are promised: whoever works them out again rounds in another order.
TOLERANCE = 1.9e-3


def block(evaluation: Evaluation | Overheard) -> Block:
    """The evaluation as a trace keeps it.

    Queries and keys are kept unless the weights take less room (fewer tokens than twice the
    head's width), or a bias that follows from no distance was added to the scores, or the weights
    are all that was heard. Queries and keys of a float32 model are float16 if that gives the live
    weights, else float32, or weights if these are smaller.
    """
    return Block(evaluation.query_positions, evaluation.key_positions, _kept(evaluation))


def _kept(evaluation: Evaluation | Overheard) -> Kept:
    if isinstance(evaluation, Overheard):
        return KeptWeights(evaluation.weights.half().cpu().numpy(), evaluation.mask)
    numbers = evaluation.queries.numel() + evaluation.keys.numel()
    size = HALF * len(evaluation.queries) * evaluation.queries.shape[1] * evaluation.keys.shape[1]
    if not follows_from_queries_keys(evaluation) or size < HALF * numbers:
        return weights(evaluation)
    halves = in_halves(evaluation)
    if is_half(evaluation) or halves.are_within(TOLERANCE):
        return queries_keys(halves.rounded)
    return weights(evaluation) if size < SINGLE * numbers else queries_keys(halves.exact)


def follows_from_queries_keys(evaluation: Evaluation) -> bool:
    """Whether a trace can work the weights out from queries and keys."""
    return evaluation.mask.bias is None or evaluation.mask.distances is not None


def is_half(evaluation: Evaluation) -> bool:
    """Whether queries and keys came in 16 bits, so that float16 holds them as they are.

    bfloat16 has fewer digits, and a range that the scale brings into that of float16, but for
    numbers that are billions of times smaller than the largest.
    """
    return evaluation.queries.element_size() == evaluation.keys.element_size() == HALF


def weights(evaluation: Evaluation) -> KeptWeights:
    """All weights of the evaluation."""
    rows = evaluation.rows(slice(None), slice(None))
    return KeptWeights(rows.half().cpu().numpy(), evaluation.mask.description)


def queries_keys(evaluation: Evaluation) -> KeptQueriesKeys:
    """Queries and keys as they are, in the precision in which they came."""
    queries, keys = (one.cpu().numpy() for one in (evaluation.queries, evaluation.keys))
    return KeptQueriesKeys(
        # A copy: what the model computed is part of something larger, which can go.
        queries.copy(order="C"),
        keys.copy(order="C"),
        evaluation.scaling,
        evaluation.softcap,
        evaluation.mask.description,
        evaluation.mask.distances,
    )


def centred(evaluation: Evaluation) -> Evaluation:
    """The same in float32, with keys whose mean is zero in each head.

    Shifting all keys of a head alike shifts all scores of a row alike, which the softmax ignores,
    and which leaves float16 its digits where a model adds much to all keys. A softcap does not
    ignore it.
    """
    keys = evaluation.keys.float()
    if evaluation.softcap is None:
        keys = keys - keys.mean(dim=1, keepdim=True)
    return replace(evaluation, queries=evaluation.queries.float(), keys=keys)


def in_halves(evaluation: Evaluation) -> Halves:
    """The same in float16: what came in half precision as it is, all else centred and rounded."""
    return Halves.of(evaluation if is_half(evaluation) else centred(evaluation))
