"""A loaded model: from an example to a trace."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from vl_core import __version__, capture, families
from vl_core.example import Example, Region
from vl_core.trace import Provenance, Stack, Stream, TokenTable, Trace, TracedExample

EMBEDDED = Path(__file__).parents[1] / "models" / "embedded"

# What from_pretrained reads of a folder. Notes beside it, such as how a model was trained, change
# nothing that it does.
_READ = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "*processor_config.json",
    "tokenizer*",
    "*.model",
    "chat_template*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
)

Progress = Callable[[str], None]
Inputs = Mapping[str, torch.Tensor]
Evaluations = Mapping[str, Sequence[capture.Evaluation]]


@dataclass(frozen=True)
class Model:
    """One checkpoint, attached to capture and checked.

    provenance: all that its traces have in common. fidelity in it was measured at load; each
    trace adds its own figure.
    """

    family: families.Family
    provenance: Provenance

    @property
    def model_id(self) -> str:
        """The name it was loaded by."""
        return self.provenance.model_id

    def trace(self, example: Example, progress: Progress | None = None) -> Trace:
        """Run the model once on the example and keep what happened.

        progress is told, in words for the screen, what is being done. Raises TextError or
        ImageError for an example that the model cannot read. Several threads may call it at once.
        """
        tell = progress or (lambda _: None)
        tell("Reading the example")
        inputs = self.family.inputs(example)
        tables = self.family.streams(example, inputs)
        tell("Running the model")
        outputs, evaluations = self._run(inputs)
        tell("Measuring the heads")
        stacks, error = self._stacks(evaluations, tables, example.regions)
        fidelity = {**self.provenance.fidelity, "row_reconstruction": error}
        return Trace(
            TracedExample.of(example, self.family.seen(example)),
            {
                name: Stream.of(name, tables[name], states.float().cpu().numpy())
                for name, states in self.family.hidden_states(outputs).items()
            },
            stacks,
            self.family.prediction(outputs),
            replace(self.provenance, fidelity=fidelity),
        )

    def _run(self, inputs: Inputs) -> tuple[Any, Evaluations]:
        """The model's outputs, and what every attention module did, none left out."""
        family = self.family
        with torch.inference_mode(), capture.recording(family.model) as recorder:
            outputs = family.model(**_on_device(family, inputs), output_hidden_states=True)
        recorder.check_complete(attention_modules(family))
        return outputs, recorder.evaluations

    def _stacks(
        self,
        evaluations: Evaluations,
        tables: Mapping[str, TokenTable],
        regions: tuple[Region, ...],
    ) -> tuple[dict[str, Stack], float]:
        """The stacks, and how far their rows are from giving back the attention's output."""
        place = self.family.place
        with torch.inference_mode():
            stacks = capture.stacks(evaluations, place, tables, regions)
            return stacks, capture.row_reconstruction(evaluations, place, stacks)


def load(name: str = "embedded") -> Model:
    """The embedded model, or the checkpoint in a local folder, on the GPU where there is one.

    Capture is checked against the model's own output before anything is shown. Raises ModelError
    if there is no such checkpoint, if its architecture is not covered, or if the check fails.
    """
    path = EMBEDDED if name == "embedded" else Path(name)
    family = families.load(path)
    family.model.to("cuda" if torch.cuda.is_available() else "cpu")
    with families.refusing_damage(path):  # some of it shows only when the model runs
        inputs = _on_device(family, family.inputs(_check_example()))
        fidelity = capture.measured_at_load(family.model, inputs, attention_modules(family))
    provenance = Provenance(
        model_id=name,
        revision="local",
        weights_hash=_hash(path),
        family=family.name,
        dtype=str(family.model.dtype).removeprefix("torch."),
        device=family.model.device.type,
        versions=_versions(),
        preprocessing=family.preprocessing(),
        fidelity=fidelity,
    )
    return Model(family, provenance)


def attention_modules(family: families.Family) -> list[str]:
    """The names of all modules whose attention must be captured on each run."""
    names = (name for name, _ in family.model.named_modules())
    return [name for name in names if family.place(name) is not None]


def _on_device(family: families.Family, inputs: Inputs) -> dict[str, Any]:
    return {name: value.to(family.model.device) for name, value in inputs.items()}


def _check_example() -> Example:
    """A small picture that is not square, with a different color everywhere."""
    row, column = np.mgrid[0:64, 0:96]
    pixels = np.stack([column * 2, row * 3, (row * column) % 256], axis=-1).astype(np.uint8)
    return Example(Image.fromarray(pixels), "what color is this?")


def _hash(path: Path) -> str:
    """Changes with the weights, the configuration, the tokenizer and the processor."""
    digest = hashlib.sha256()
    for file in sorted(
        {file for pattern in _READ for file in path.glob(pattern) if file.is_file()}
    ):
        # Names and sizes count as well: bytes that move from one file to the next are a change.
        digest.update(f"{file.name} {file.stat().st_size} ".encode())
        with file.open("rb") as content:
            while chunk := content.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    libraries = ("torch", "transformers", "numpy")
    return {"vl_core": __version__} | {name: metadata.version(name) for name in libraries}
