"""What a visitor asks to see, in plain values: enough to name it in a link and to cache it."""

import hashlib
import random
from dataclasses import dataclass, replace
from typing import Literal

from PIL import Image

from pages.shared.data_sets import sets
from pages.shared.data_sets.sets import FIRST, Place
from vl_core.checkpoints import EMBEDDED_NAME
from vl_core.datasets import HoldsTraces, gallery, scenes
from vl_core.detections import Detections
from vl_core.errors import DatasetError, ImageError, ModelError, TextError
from vl_core.example import Example
from vl_core.trace import Trace

Source = Literal["gallery", "scene", "upload", "set"]
OWN_TENSORS = "own tensors"  # in place of a model: what a data set holds of one that ran elsewhere
DISPLAY_SIDE = 512  # pixels of a scene on screen; the model sees 128
SUGGESTIONS = 6
BLANK = "blank"
GRAY = (166, 166, 166)  # the mean of the embedded model's processor, as when it was evaluated
MIDDLE_GRAY = (128, 128, 128)  # for other models, each of which has a mean of its own


@dataclass(frozen=True)
class Request:
    """A model, a picture and a question.

    model: its name, or OWN_TENSORS for what a data set holds. name: the gallery entry's name, the
    scene's seed, the SHA-256 of an uploaded file, or the name of a data set. question: of an
    example of a set it is empty where that is asked what the set asks. instead: what the model is
    shown in place of that picture: BLANK, the name of a gallery entry, or nothing for the picture
    itself. regions: the SHA-256 of an uploaded file with a detector's regions, for models that read
    these and no pixels. place: of an example of a set.
    """

    model: str
    source: Source
    name: str
    question: str
    instead: str = ""
    regions: str = ""
    place: Place = FIRST

    @property
    def is_private(self) -> bool:
        """Whether the picture belongs to one visitor and must not be shared or stored."""
        return self.source == "upload"

    @property
    def with_own_picture(self) -> "Request":
        """The same with nothing in the picture's place."""
        return replace(self, instead="")


@dataclass(frozen=True)
class Upload:
    """The files that a visitor brought: a picture, and maybe what a detector found in it."""

    picture: bytes
    regions: bytes | None = None


def worked_example() -> Request:
    """What the app opens on."""
    entry = gallery.GALLERY[0]
    return Request(EMBEDDED_NAME, "gallery", entry.name, entry.question.text)


def example(request: Request, upload: Upload | None) -> Example:
    """The picture and text of a request, with what is shown in the picture's place.

    Raises ImageError if its upload is missing or cannot be read, TextError for a scene or a gallery
    entry that does not exist, DatasetError for what no data set of this server has or can read.
    """
    own = _own_example(request, upload)
    return _replaced(own, request) if request.instead else own


def _replaced(own: Example, request: Request) -> Example:
    """The question with another picture: its answer is not known any more.

    In a blank picture of the same size the regions are kept, so that it can be seen how much of a
    place is looked at whatever is there.
    """
    if request.instead == BLANK:
        gray = GRAY if request.model == EMBEDDED_NAME else MIDDLE_GRAY
        return Example(Image.new("RGB", own.size, gray), own.text, own.regions)
    return Example(gallery_entry(request.instead).scene.render(DISPLAY_SIDE), own.text)


def _own_example(request: Request, upload: Upload | None) -> Example:
    if request.source == "upload":
        return _uploaded(request, upload)
    if request.source == "set":
        return _of_set(request)
    scene = drawn_scene(request)
    for question in known_questions(request):
        if question.text == request.question:
            return scenes.as_example(scene, question)
    return Example(scene.render(DISPLAY_SIDE), request.question)


def _of_set(request: Request) -> Example:
    """As the set has it, or its picture and regions with a question of the visitor's own."""
    found = sets.option(request.name, request.place).example()
    if not request.question:
        return found
    # An object that the set's own text names twice is there twice.
    regions = {replace(one, span=None, is_asked=False): None for one in found.regions}
    return Example(found.image, request.question, tuple(regions))


def held_trace(request: Request) -> Trace:
    """What a data set holds of the model that ran on its item.

    Raises ModelError where something else is asked than what that model was asked, and
    DatasetError for what the set does not hold or cannot read.
    """
    data = sets.opened(request.name) if request.source == "set" else None
    if not isinstance(data, HoldsTraces):
        raise DatasetError(
            f"“{request.name}” holds no tensors of a model. Choose a model in the sidebar."
        )
    if request.question or request.instead:
        raise ModelError(
            "These are the tensors of a model that is not here, so nothing else can be asked of "
            "it. Choose a model in the sidebar and press Analyse to ask that one."
        )
    sets.item(request.name, request.place.item)
    return data.trace(request.place.item)


def _uploaded(request: Request, upload: Upload | None) -> Example:
    """The example in a visitor's files, if they are those of the request."""
    if upload is None or digest(upload.picture) != request.name:
        raise ImageError(
            "This link belongs to a picture that only its owner has. Upload the picture "
            "in the sidebar to see the analysis."
        )
    if not request.regions:
        return Example(upload.picture, request.question)
    if upload.regions is None or digest(upload.regions) != request.regions:
        raise ImageError(
            "This link belongs to a picture and a file with its regions that only their owner has. "
            "Upload both in the sidebar to see the analysis."
        )
    found = Detections.read(upload.regions)
    return Example(upload.picture, request.question, detections=found)


def drawn_scene(request: Request) -> scenes.Scene:
    """The generated scene behind a gallery entry or a seed; raises TextError for an unknown one."""
    if request.source == "gallery":
        return gallery_entry(request.name).scene
    seed = number(request.name)
    if seed is None:
        raise TextError(f"{request.name!r} is no scene; a scene is named by a number.")
    return scenes.scene(seed)


def known_questions(request: Request) -> list[scenes.Question]:
    """Questions the generator can ask about this scene: their answers and boxes are known."""
    scene = drawn_scene(request)
    if request.source == "scene":
        return scenes.suggestions(scene, int(request.name), SUGGESTIONS)
    entry = gallery_entry(request.name)
    first = entry.question
    more = scenes.suggestions(scene, entry.scene_seed, SUGGESTIONS)
    return [first, *(one for one in more if one.text != first.text)]


def question_type(request: Request) -> str | None:
    """The type of a question that the generator asks about this scene, else None."""
    if request.source not in ("gallery", "scene"):
        return None
    types = {question.text: question.type for question in known_questions(request)}
    return types.get(request.question)


def in_its_place(request: Request) -> str:
    """What the model is shown in place of the picture, as it is called within a sentence."""
    if request.instead == BLANK:
        return "a blank picture"
    return f"the picture of “{gallery_entry(request.instead).title}”"


def replacements(request: Request) -> dict[str, str]:
    """What can be shown in place of the request's picture, by name, with what it is called."""
    others = {
        entry.name: f"“{entry.title}”"
        for entry in gallery.GALLERY
        if (request.source, request.name) != ("gallery", entry.name)
    }
    return {BLANK: "A blank picture"} | others


def gallery_entry(name: str) -> gallery.GalleryEntry:
    """The gallery's entry of that name; raises TextError where there is none."""
    for entry in gallery.GALLERY:
        if entry.name == name:
            return entry
    raise TextError(
        f"The gallery has no example called {name!r}. Choose one of those in the sidebar."
    )


def new_seed() -> int:
    """The seed of a scene that the model has never seen."""
    return random.choice(scenes.UNSEEN_SEEDS)  # noqa: S311 a picture, not a secret


def number(text: str | None) -> int | None:
    """A whole number as it stands in a link, None for anything else."""
    is_number = text is not None and text.isascii() and text.isdigit() and len(text) <= 12
    return int(text) if text is not None and is_number else None


def digest(content: bytes) -> str:
    """The name of an uploaded file: its SHA-256."""
    return hashlib.sha256(content).hexdigest()
