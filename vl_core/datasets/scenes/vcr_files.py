"""Multiple choice in VCR's file format: one JSON line for each item, pictures with their metadata.

    FOLDER/val.jsonl
    FOLDER/vcr1images/scenes_10000/10000007@0.png and .json

The format as in the data set's own readme ("VCR v1.0 readme, packaged Dec 3, 2018"). VCR's
pictures are JPEG files. Here they are PNG, which `img_fn` may name as well: JPEG would change the
pixels, and with PNG a model sees the scene exactly as it was rendered.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from vl_core.datasets.scenes.choices import N_CANDIDATES, Words, spoken
from vl_core.datasets.scenes.layout import Scene
from vl_core.datasets.scenes.task_sets import ChoiceItem
from vl_core.datasets.whole_files import refuse_overwriting, whole_file

JSON = dict[str, Any]

_SEEDS_PER_MOVIE = 1000


def write_vcr(
    folder: Path,
    items: Sequence[ChoiceItem],
    split: str,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Write the items as one split: "train", "val", or "test", which does not tell what is right.

    progress is told how many are written. The file of lines comes last and appears whole, so what
    was stopped can be run again. Other splits may lie in the same folder. Raises VLError if this
    one is there.
    """
    lines = folder / f"{split}.jsonl"
    refuse_overwriting(lines)
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(lines) as file:
        for number, (item, line) in enumerate(zip(items, _lines(items, split), strict=True)):
            if line["question_number"] == 0:
                _write_picture(folder / "vcr1images", line, item.scene)
            file.write(json.dumps(line).encode() + b"\n")
            if progress:
                progress(number + 1)


def _lines(items: Sequence[ChoiceItem], split: str) -> Iterator[JSON]:
    """The lines; what is asked about one scene is counted and shares its `img_id`."""
    scenes: dict[int, int] = {}  # seed -> place among the scenes
    n_asked: Counter[int] = Counter()  # by seed
    for number, item in enumerate(items):
        place = scenes.setdefault(item.seed, len(scenes))
        line = _line(item) | {
            "img_id": f"{split}-{place}",
            "question_number": n_asked[item.seed],
            "annot_id": f"{split}-{number}",
            "match_fold": f"{split}-0",
            "match_index": number,
        }
        n_asked[item.seed] += 1
        yield line if split == "test" else line | _labels(item, number)


def _line(item: ChoiceItem) -> JSON:
    """What every split tells of an item, but for its place in the file."""
    movie = f"scenes_{item.seed // _SEEDS_PER_MOVIE}"
    return {
        "movie": movie,
        "objects": [one.shape for one in item.scene.objects],
        "img_fn": f"{movie}/{item.seed}@0.png",
        "metadata_fn": f"{movie}/{item.seed}@0.json",
        "question": _tokens(item.asked.question),
        "answer_choices": [_tokens(one) for one in item.asked.answers],
        "rationale_choices": [_tokens(one) for one in item.asked.rationales],
        "interesting_scores": [],  # one for each worker, and there was none
        "answer_likelihood": "likely",
    }


def _labels(item: ChoiceItem, number: int) -> JSON:
    """What tells the right candidates, and what was said in the first place."""
    asked = item.asked
    texts = {
        "question": asked.question,
        "answer": asked.answers[asked.answer_label],
        "rationale": asked.rationales[asked.rationale_label],
    }
    return {
        "answer_label": asked.answer_label,
        "rationale_label": asked.rationale_label,
        "answer_match_iter": _match_iter(asked.answer_label),
        "rationale_match_iter": _match_iter(asked.rationale_label),
        # All candidates were made for this question; none was borrowed from another one.
        "answer_sources": [number] * N_CANDIDATES,
        "rationale_sources": [number] * N_CANDIDATES,
        **{f"{name}_orig": _original(words) for name, words in texts.items()},
    }


def _match_iter(label: int) -> list[int]:
    """0 for the right candidate, 1 to 3 for the others in their order."""
    others = iter(range(1, N_CANDIDATES))
    return [0 if place == label else next(others) for place in range(N_CANDIDATES)]


def _tokens(words: Words) -> list[str | list[int]]:
    return [part if isinstance(part, str) else list(part) for part in words]


def _original(words: Words) -> str:
    """As a worker would have typed it, with bare object numbers from 1: "what is left of 4?"."""
    return re.sub(r" ([,.?])", r"\1", re.sub(r"\[(\d+)\]", r"\1", spoken(words)))


def _write_picture(folder: Path, line: JSON, scene: Scene) -> None:
    """The picture, and beside it what is known of it."""
    path = folder / line["img_fn"]
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = scene.render()
    picture.save(path)
    metadata = json.dumps(_metadata(scene, picture.size))
    (folder / line["metadata_fn"]).write_text(metadata, encoding="utf-8")


def _metadata(scene: Scene, size: tuple[int, int]) -> JSON:
    """Boxes with the detector's score, which is certain here, and outlines, in picture pixels."""
    width, height = size
    return {
        "boxes": [[*one.box, 1.0] for one in scene.objects],
        "segms": [[one.outline().tolist()] for one in scene.objects],
        "names": [one.shape for one in scene.objects],
        "width": width,
        "height": height,
    }
