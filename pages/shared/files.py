"""The files that a visitor brings: a picture, and for some models what a detector found in it."""

import io

import streamlit as st
from PIL import Image

from pages.shared import requests, session
from pages.shared.layout import escaped
from vl_core.errors import VLError
from vl_core.pictures import read_picture

ENDINGS = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "heic", "heif"]
FORMATS = "JPEG, PNG, WebP, GIF, BMP or TIFF, up to 20 MB and 25 million pixels (WebP 15 million)"
REGIONS = (
    "This model reads no pixels but the regions that a detector found in the picture. Two arrays: "
    "`features`, regions × {width}, and `boxes`, regions × 4: left, top, right, bottom in pixels "
    "of the picture."
)


def picture() -> bytes | None:
    """The picture that was uploaded, if there is one that can be read."""
    file = st.file_uploader("Picture file", ENDINGS, key="file", help=FORMATS)
    if file is None:
        st.info("Choose a picture, then ask a question about it.")
        return None
    content = file.getvalue()
    try:
        preview = session.preview(
            requests.digest(content), lambda: thumbnail(read_picture(content)), is_private=True
        )
    except VLError as error:
        st.error(escaped(str(error)), icon=":material/error:")
        return None
    st.image(preview, alt="The picture you uploaded", width="stretch")
    return content


def regions(width: int | None) -> bytes | None:
    """The file with a detector's regions for a model that reads so many numbers of each.

    width: None for a model that reads pixels, which is asked for no such file.
    """
    if width is None:
        return None
    file = st.file_uploader(
        "Regions (.npz or .safetensors)",
        ["npz", "safetensors"],
        key="regions_file",
        help=REGIONS.format(width=width),
    )
    return None if file is None else file.getvalue()


def thumbnail(picture: Image.Image) -> bytes:
    """A JPEG for the sidebar, made once and not on every run; shrinks the picture it is given."""
    content = io.BytesIO()
    picture.thumbnail((requests.DISPLAY_SIDE, requests.DISPLAY_SIDE))
    picture.save(content, "JPEG", quality=88)
    return content.getvalue()
