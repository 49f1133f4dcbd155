"""A loaded model: from an example to a trace."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import BatchFeature, PreTrainedModel

from vl_core import __version__, capture, checkpoints, families
from vl_core.answers import Answer
from vl_core.detections import Detections
from vl_core.errors import ModelError, TextError
from vl_core.example import Example
from vl_core.families import generation
from vl_core.progress import Counting, Progress
from vl_core.trace import Provenance, Trace, TracedExample

_CANNOT_SCORE = (
    "This model gives no score to a {task}. Choose the embedded model, ViLT or BLIP for retrieval, "
    "CLIP or SigLIP; for candidates also LLaVA, Qwen-VL and their like."
)
_CANNOT_ANSWER = (
    "This model answers no questions: it says how well a picture and a text fit. Choose the "
    "embedded model, ViLT or BLIP for questions, LLaVA, Qwen-VL and their like."
)


@dataclass(frozen=True)
class Model:
    """One checkpoint, attached to capture and checked.

    provenance: all that its traces have in common. fidelity in it was measured at load; each
    trace adds its own figure. footprint: what it leaves for each token, learnt at load.
    """

    family: families.Family
    provenance: Provenance
    footprint: capture.Footprint

    def __repr__(self) -> str:
        """In one line: its name, family, precision and device."""
        made = self.provenance
        return f"<Model {self.model_id}: family {made.family}, {made.dtype} on {made.device}>"

    @property
    def model_id(self) -> str:
        """The name it was loaded by."""
        return self.provenance.model_id

    @property
    def n_bytes(self) -> int:
        """How many bytes of memory its weights take."""
        weights = (*self.family.model.parameters(), *self.family.model.buffers())
        return sum(one.numel() * one.element_size() for one in weights)

    def with_longest_answer(self, count: int) -> "Model":
        """The same model, whose generated answers have so many tokens at most; longer are cut off.

        It shares the weights, and may be used beside this one. Where nothing is said answers have
        up to 48 tokens; estimates count as many as there may be, and a trace of another number has
        another key in a store. Raises ModelError for a model that generates no answer, and for a
        number that is below 1 or more than it can read.
        """
        if not isinstance(self.family, families.Generates):
            raise ModelError(
                f"{self.model_id} writes no answer of its own, so none can be longer or shorter. "
                "Leave the longest answer out, or choose LLaVA, Qwen-VL and their like."
            )
        family = self.family.with_longest_answer(count)
        provenance = replace(self.provenance, preprocessing=family.preprocessing())
        return replace(self, family=family, provenance=provenance)

    def estimate(self, example: Example) -> capture.Estimate:
        """How much a trace of this example takes, without running the model.

        A generated answer counts as long as it may become. Raises TextError or ImageError for an
        example that the model cannot read.
        """
        family = self.family
        tables = family.streams(example, family.inputs(example))
        is_judged = families.judge(family, example.task) is not None
        if isinstance(family, families.Generates) and not is_judged:
            grows = family.growing_stream
            tables[grows] = generation.lengthened(tables[grows], family.longest_answer)
        return self.footprint.estimate(tables)

    def trace(
        self,
        example: Example,
        progress: Progress | None = None,
        budget: int = capture.budget.DEFAULT,
    ) -> Trace:
        """Run the model once on the example and keep what happened.

        A model that generates answers first; then it reads question and answer in one pass, which
        is what is kept. progress is told, in words for the screen, what is being done, and a few
        times a second at most how many tokens or layers it has come to. budget: how many bytes the
        trace may take; what does not fit is measured and not kept. Raises TextError or ImageError
        for an example that the model cannot read, BudgetError for a budget that is no number of
        bytes, and ModelError, with what to do, if the model makes of the example what is no number.
        Several threads may call it at once.
        """
        capture.budget.check(budget)
        tell = progress or (lambda _: None)
        tell("Reading the example")
        inputs = on_device(self.family, self.family.inputs(example))
        tell("Running the model")
        if families.judge(self.family, example.task) is None:  # what is judged stands there already
            with torch.inference_mode(), generation.heard(self._counting_tokens(tell)):
                inputs = self.family.answered(inputs)
        tables = self.family.streams(example, inputs)
        tell("Measuring the heads")
        plan = capture.Plan.within(budget, self.footprint.estimate(tables))
        stacks = capture.Gathering(self.family.places, tables, example.regions, plan.stacks)
        states = capture.States(self.family.doors(), plan.streams)
        outputs = self._run(inputs, stacks, states, tell)
        capture.check_numbers(outputs, "this example")
        fidelity = {**self.provenance.fidelity, "row_reconstruction": stacks.row_reconstruction}
        return Trace(
            TracedExample.of(example, self.family.seen(example)),
            {name: states.stream(name, table) for name, table in tables.items()},
            stacks.stacks(),
            self.family.prediction(example, inputs, outputs),
            replace(self.provenance, fidelity=fidelity),
        )

    def score(self, example: Example) -> float:
        """How well a candidate or a source fits: the number by which those of a question rank.

        The larger the better; what it is depends on the model: a logit, the probability of a
        match, a cosine, the mean log-probability of a candidate's tokens. One plain pass, of which
        nothing is kept. Raises ModelError if the model cannot judge what the example's task is
        about, and TextError or ImageError for an example that it cannot read or that has nothing
        to judge. Several threads may call it at once.
        """
        if example.task == "answer":
            raise TextError(
                "The example asks for an answer, and nothing in it is to be scored. Give one whose "
                'task is "candidate" or "source"; joined_parts puts its text together.'
            )
        judge = families.judge(self.family, example.task)
        if judge is None:
            raise ModelError(_CANNOT_SCORE.format(task=example.task))
        inputs = on_device(self.family, self.family.inputs(example))
        with torch.inference_mode():
            outputs: Mapping[str, Any] = self.family.model(**inputs)
        return judge.score(example, inputs, outputs)

    def answer(self, example: Example) -> Answer:
        """What the model answers in words: the likeliest of its list, or the text it generates.

        One plain run, of which nothing is kept. Raises ModelError for a model that answers nothing
        (it says how well picture and text fit), and TextError or ImageError for an example that it
        cannot read or that asks for no answer. Several threads may call it at once.
        """
        if example.task != "answer":
            raise TextError(
                f"The example has a {example.task} to be scored, and asks for no answer. Give the "
                "question alone."
            )
        inputs = on_device(self.family, self.family.inputs(example))
        with torch.inference_mode():
            inputs = self.family.answered(inputs)
            outputs: Mapping[str, Any] = self.family.model(**inputs)
        found = self.family.prediction(example, inputs, outputs)
        if found.text is not None:
            return Answer(found.text, found.is_cut_off)
        if found.kind != "answer":
            raise ModelError(_CANNOT_ANSWER)
        return Answer(found.top[0][0])

    def _run(
        self,
        inputs: BatchFeature,
        stacks: capture.Gathering,
        states: capture.States,
        tell: Progress,
    ) -> Mapping[str, Any]:
        """The model's outputs, once every attention module was heard, none left out."""
        model, modules = self.family.model, attention_modules(self.family, stacks.streams)
        counting = Counting(tell, f"Measuring the heads: attention layer {{}} of {len(modules)}")
        begun: set[str] = set()

        def hear(name: str, evaluation: Any) -> None:  # noqa: ANN401 as Gathering takes it
            begun.add(name)
            counting(len(begun))
            stacks.hear(name, evaluation)

        with torch.inference_mode(), capture.recording(model, hear, states.note) as recorder:
            outputs: Mapping[str, Any] = model(**inputs)
        recorder.check_complete(modules)
        return outputs

    def _counting_tokens(self, tell: Progress) -> Counting:
        """Tells how many tokens of the answer there are."""
        longest = self.family.longest_answer if isinstance(self.family, families.Generates) else 0
        return Counting(tell, f"Running the model: token {{}} of an answer of at most {longest}")


def load(
    name: str = "embedded",
    *,
    precision: checkpoints.Precision = "auto",
    device: str | None = None,
    tell: checkpoints.Tell | None = None,
) -> Model:
    """The embedded model, a model of Hugging Face (owner/name), or a checkpoint in a local folder.

    precision: "float32", "bfloat16", "float16", "8-bit", "4-bit", or "auto" for what suits the
    device. device: "cpu", "cuda", "mps"; the best there is if none is named. tell: told, in words
    for the screen and as a share, how far a download is. Raises ModelError, with what to do, if
    there is no such checkpoint or no way to it, and as `loaded` does.
    """
    return loaded(checkpoints.find(name, tell=tell), precision, device)


def loaded(
    checkpoint: checkpoints.Checkpoint,
    precision: checkpoints.Precision = "auto",
    device: str | None = None,
) -> Model:
    """The model in a checkpoint that was found, as `load` has it.

    Capture is checked against the model's own output before anything is shown. Raises ModelError,
    with what to do, if its architecture is not covered, if it does not fit the memory, or if the
    check fails; by the name that it was asked for by.
    """
    with checkpoints.told_by_name(checkpoint):
        return _loaded(checkpoint, precision, device)


def _loaded(
    checkpoint: checkpoints.Checkpoint, precision: checkpoints.Precision, device: str | None
) -> Model:
    # What was measured of the embedded model was measured in full precision, which is small.
    is_embedded = checkpoint.model_id == checkpoints.EMBEDDED_NAME and precision == "auto"
    how = checkpoints.loading(checkpoint, "float32" if is_embedded else precision, device)
    family = families.load(checkpoint.path, how.options)
    if how.device is not None:
        family.model.to(how.device)
    footprint = capture.Footprint(family.places)
    fidelity = _checked(family, footprint, checkpoint.path)
    return Model(family, _provenance(checkpoint, how, family, fidelity), footprint)


def _checked(
    family: families.Family, footprint: capture.Footprint, folder: Path
) -> dict[str, float]:
    """Attach the model; what was measured of its capture on a small example."""
    small = family.untiled() if isinstance(family, families.CutsTiles) else family
    example = _check_example(small)
    with families.refusing_damage(folder):  # some of it shows only when the model runs
        inputs = on_device(small, small.inputs(example))
        inputs.update(_without_answer(family.model))
        plain = capture.plain_outputs(family.model, inputs)
    modules = attention_modules(small, small.streams(example, inputs))
    capture.watch(family.model, family.doors())
    return capture.measured_at_load(family.model, inputs, modules, footprint, plain)


def _without_answer(model: PreTrainedModel) -> dict[str, Any]:
    """What the model is told when nobody reads its answer: logits of all tokens take gigabytes."""
    known = signature(model.forward).parameters
    options = {"use_cache": False, "logits_to_keep": 1}
    return {name: value for name, value in options.items() if name in known}


def _provenance(
    checkpoint: checkpoints.Checkpoint,
    how: checkpoints.Loading,
    family: families.Family,
    fidelity: Mapping[str, float],
) -> Provenance:
    return Provenance(
        model_id=checkpoint.model_id,
        revision=checkpoint.revision,
        weights_hash=checkpoints.weights_hash(checkpoint.path),
        family=family.name,
        dtype=how.kept,
        device=family.model.device.type,
        versions=_versions(),
        preprocessing=family.preprocessing(),
        fidelity=fidelity,
    )


def attention_modules(family: families.Family, streams: Collection[str]) -> list[str]:
    """The names of the modules whose attention must be captured on a run with these streams.

    Text alone, for instance, does not pass through the vision tower.
    """
    found = []
    for name, _ in family.model.named_modules():
        ends = {end for place in family.places(name) for end in place.ends}
        if ends and ends <= set(streams):
            found.append(name)
    return found


def on_device(family: families.Family, inputs: BatchFeature) -> BatchFeature:
    """The inputs where the model is and, as far as they are no whole numbers, in its precision.

    That is what it was loaded in: some models keep a part in float32 (BLIP-2 its Q-Former), and
    `model.dtype` is that of whichever part comes first.
    """
    model = family.model
    dtype = model.config.dtype or model.dtype
    return BatchFeature(
        {
            name: value.to(model.device, dtype if value.is_floating_point() else None)
            for name, value in inputs.items()
        }
    )


def _check_example(family: families.Family) -> Example:
    """A small picture that is not square, with a different color everywhere."""
    row, column = np.mgrid[0:64, 0:96]
    pixels = np.stack([column * 2, row * 3, (row * column) % 256], axis=-1).astype(np.uint8)
    detections = None
    if isinstance(family, families.ReadsRegions):
        features = np.sin(np.arange(7 * family.feature_width)).reshape(7, -1)
        steps = np.outer(np.arange(7), [10.0, 7.0, 10.0, 7.0])
        detections = Detections(features, steps + np.array([1.0, 2.0, 20.0, 15.0]))
    picture = Image.fromarray(pixels)
    return Example(picture, "what color is this?", detections=detections)


def _versions() -> dict[str, str]:
    libraries = ("torch", "transformers", "numpy")
    return {"vl_core": __version__} | {name: metadata.version(name) for name in libraries}
