"""Numbers that leave the range of the model's precision, and what to do then."""

from vl_core.errors import ModelError


def not_finite(where: str, numbers: str) -> ModelError:
    """The error to raise. where: with "Of" before it. numbers: what they are, and in what."""
    return ModelError(
        f"Of {where} this model makes what is no number ({numbers}). Load it in float32 or "
        "bfloat16, whose range is larger than float16's; where it is, choose another model."
    )
