"""Small files in WebQA's format with invented content."""

import base64
import io
import json

import numpy as np
from PIL import Image

FIRST = 30_000_000


def guid(number):
    """32 hexadecimal digits."""
    return f"{0xD5C5BCF60DBA11ECB1E8117146328000 + number:032x}"


def picture(number, caption="a harbor", **more):
    """An image fact; number counts from 0."""
    return {
        "image_id": FIRST + number,
        "title": f"File {number}",
        "caption": caption,
        "url": f"https://example.org/File:{number}.jpg",
        "imgUrl": f"https://example.org/{number}.jpg",
        **more,
    }


def snippet(owner, number, fact="It was built in 1832.", title="Lighthouse"):
    """A text fact."""
    url = "https://example.org/Lighthouse"
    return {"title": title, "fact": fact, "url": url, "snippet_id": f"{guid(owner)}_{number}"}


def labeled(number, split="val", category="color", **more):
    """A question of train or val: two right pictures, three others, four texts."""
    found = {
        "Q": f'"What color is door {number}?"',
        "A": [f'"Door {number} is green."', '"It is green."'],
        "Keywords_A": '"green"',
        "Qcate": category,
        "topic": "lighthouse",
        "split": split,
        "Guid": guid(number),
        "img_posFacts": [picture(10 * number + one, f"right {one}") for one in range(2)],
        "img_negFacts": [picture(10 * number + one, f"wrong {one}") for one in range(2, 5)],
        "txt_posFacts": [],
        "txt_negFacts": [snippet(number, one, f"Told {one}.") for one in range(4)],
    }
    return {name: value for name, value in (found | more).items() if value is not None}


def by_text(number, split="val"):
    """A question that texts answer: no key words, right texts, wrong ones of both kinds."""
    return labeled(
        number,
        split,
        "text",
        Keywords_A=None,
        img_posFacts=[],
        img_negFacts=[picture(10 * number + 7, "beside it")],
        txt_posFacts=[snippet(number, one, f"Right {one}.") for one in (3, 8)],
        txt_negFacts=[snippet(number, one, f"Wrong {one}.") for one in (0, 1, 2, 4, 5)],
    )


def hidden(number):
    """A question of the test split, without labels and category."""
    return {
        "Q": f'"Is tower {number} tall?"',
        "A": ['"TBD"'],
        "split": "test",
        "Guid": guid(number),
        "img_Facts": [picture(10 * number + one, f"shown {one}") for one in range(3)],
        "txt_Facts": [snippet(number, one, f"Said {one}.") for one in range(2)],
    }


def write_questions(path, questions, indent=None):
    """The JSON file, keyed by Guid."""
    told = {question["Guid"]: question for question in questions}
    path.write_text(json.dumps(told, indent=indent), encoding="utf-8")
    return path


def encoded(width, height, file_format="PNG", color=(20, 160, 60)):
    """The bytes of a picture's file; its pixels are noise around a color."""
    noise = np.random.default_rng(width).integers(-15, 16, (height, width, 3))
    pixels = (np.array(color) + noise).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, file_format)
    return file.getvalue()


def row(number, content):
    """The line of a picture."""
    return b"%d\t%s\n" % (FIRST + number, base64.b64encode(content))


def write_rows(folder, rows):
    """The two files of pictures, from the lines of the first one."""
    starts = np.cumsum([0, *map(len, rows)])[:-1]
    (folder / "imgs.tsv").write_bytes(b"".join(rows))
    (folder / "imgs.lineidx").write_text("".join(f"{start}\n" for start in starts))
