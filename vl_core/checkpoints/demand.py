"""What loading a checkpoint will take, known before any of its weights is read."""

from dataclasses import dataclass

from vl_core import families
from vl_core.checkpoints import devices, memory
from vl_core.checkpoints.naming import Checkpoint
from vl_core.checkpoints.precision import Precision, kept_as
from vl_core.checkpoints.sizes import needed


@dataclass(frozen=True)
class Demand:
    """Bytes of memory on the device where a model will run.

    weights: of its weights alone. needed: with what running takes beside them. free: what can be
    taken now; None where the system does not say.
    """

    weights: int
    needed: int
    free: int | None


def demand_of(
    checkpoint: Checkpoint, precision: Precision = "auto", device: str | None = None
) -> Demand:
    """What `loading` with the same arguments will take, and what there is.

    Reads only the headers of the files. Raises ModelError if its architecture is not covered, or
    weights are missing or damaged.
    """
    families.covered(families.model_type(checkpoint.path), checkpoint.model_id)
    place = device or devices.best_device()
    weights = memory.weights_bytes(checkpoint.path, kept_as(precision, place))
    return Demand(weights, needed(weights), devices.free_memory(place))
