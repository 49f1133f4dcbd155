"""How far what is kept of an evaluation is from what the model's own attention gave."""

import torch

from vl_core.capture.evaluation import Evaluation
from vl_core.capture.tapping import Overheard
from vl_core.trace import Block


def reconstruction_error(block: Block, evaluation: Evaluation | Overheard) -> float:
    """Kept weights times live values against the attention output, as a share of its norm.

    Measured on the evaluation's sample; 0 is perfect, half precision gives about 1e-3. Of what was
    overheard there are no values: kept weights against the model's own, in the same way.
    """
    if isinstance(evaluation, Overheard):
        kept = torch.from_numpy(block.kept.rows(slice(None), slice(None)))
        error = kept.to(evaluation.weights.device) - evaluation.weights
        return float(error.norm() / evaluation.weights.norm())
    everything, sample = slice(None), evaluation.sample
    weights = torch.from_numpy(block.kept.rows(everything, sample.rows)).to(sample.values.device)
    values = sample.values[evaluation.key_heads(everything)].float()
    # Where every key is hidden, eager attention spreads evenly over them; no weights are kept.
    has_keys = weights.sum(dim=-1, keepdim=True) != 0  # a nan is not nothing
    output = torch.where(has_keys, sample.output.float().transpose(0, 1), 0)
    error = torch.where(has_keys, weights @ values - output, 0).norm()
    return float(error / output.norm().clamp(min=torch.finfo(torch.float32).tiny))
