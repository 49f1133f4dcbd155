"""Pictures from anywhere: the right pixels, or one sentence that says what to do."""

import io
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from inspect import unwrap

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.builders import png, random_picture
from vl_core import pictures
from vl_core.errors import ImageError
from vl_core.pictures import FORMATS, read_picture

SIZE = (40, 24)  # width, height
UPRIGHT = np.asarray(random_picture(SIZE))
LARGE = (6122, 4082)  # just below the limit
LARGE_WEBP = (4470, 3350)  # ... for WebP
PEAK = """
import io, sys
from pathlib import Path
from PIL import Image
from vl_core.pictures import read_picture

def kilobytes(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))

content = Path(sys.argv[1]).read_bytes()
Image.init()
before = kilobytes("VmRSS")
read_picture(content)
print((kilobytes("VmHWM") - before) // 1024)
"""


@pytest.fixture(autouse=True)
def _several_bands(monkeypatch):
    """Small pictures are converted in bands, as large ones are; the last band is a lower one."""
    monkeypatch.setattr(pictures, "BAND", 5 * SIZE[0])


def encoded(picture, file_format="PNG", **options):
    """The bytes of a file."""
    content = io.BytesIO()
    picture.save(content, file_format, **options)
    return content.getvalue()


def pixels(source):
    """What read_picture makes of it, as an array."""
    picture = read_picture(source)
    assert picture.mode == "RGB"
    return np.asarray(picture)


def smooth_picture():
    """Slow gradients that survive JPEG."""
    x, y = np.meshgrid(np.linspace(0, 255, SIZE[0]), np.linspace(0, 255, SIZE[1]))
    return Image.fromarray(np.stack([x, y, 255 - x], axis=-1).astype(np.uint8))


# Reading


def test_an_array_is_read_as_it_is():
    """Height x width x 3, the rows from the top; a part of a larger one as well."""
    whole = np.asarray(random_picture((50, 30)))

    np.testing.assert_array_equal(pixels(whole), whole)
    np.testing.assert_array_equal(pixels(whole[4:28, 3:43]), whole[4:28, 3:43])
    np.testing.assert_array_equal(pixels(whole[:, ::-1]), whole[:, ::-1])


def test_what_is_made_of_an_array_is_not_changed_with_it():
    """Who passes an array goes on using it."""
    given = UPRIGHT.copy()
    picture = read_picture(given)
    given[:] = 0

    np.testing.assert_array_equal(np.asarray(picture), UPRIGHT)


@pytest.mark.parametrize(
    "array",
    [
        UPRIGHT.astype(np.float32) / 255,  # of which nobody knows what white is
        UPRIGHT.transpose(2, 0, 1),
        UPRIGHT[:, :, 0],
        np.zeros((24, 40, 4), np.uint8),
        np.zeros((0, 40, 3), np.uint8),
        np.zeros((), np.uint8),
    ],
)
def test_arrays_that_may_mean_anything_are_refused(array):
    """With their shape and kind, and those that are wanted."""
    with pytest.raises(ImageError, match=rf"{array.dtype}\). Wanted: height x width x 3.*uint8"):
        read_picture(array)


@pytest.mark.parametrize("source", [123, [1, 2], object()])
def test_what_is_no_picture_at_all_is_a_sentence(source):
    """Nothing checks types where the app runs."""
    with pytest.raises(ImageError, match=f"came as {type(source).__name__}. Give a PIL picture"):
        unwrap(pictures._picture)(source)


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF", "GIF"])
def test_files_without_loss_come_back_to_the_bit(file_format):
    """Width and height are not swapped, channels not either."""
    picture = random_picture((16, 16)) if file_format == "GIF" else random_picture(SIZE)

    found = pixels(encoded(picture, file_format))

    # 256 pixels fit the 256 colours of a GIF.
    np.testing.assert_array_equal(found, np.asarray(picture))


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP", "MPO"])
def test_files_with_loss_come_back_nearly(file_format):
    """MPO is what some telephones call JPEG: a photograph with a second one behind it."""
    options = {"quality": 95}
    if file_format == "MPO":
        options |= {"save_all": True, "append_images": [random_picture(SIZE)]}

    found = pixels(encoded(smooth_picture(), file_format, **options))

    np.testing.assert_allclose(found, np.asarray(smooth_picture()), atol=16)


def test_paths_strings_and_pictures_are_read_alike(tmp_path):
    """What is passed as bytes may come as a path or as a picture, too."""
    path = tmp_path / "a.png"
    path.write_bytes(encoded(random_picture(SIZE)))
    for source in (path, str(path), path.read_bytes(), random_picture(SIZE)):
        np.testing.assert_array_equal(pixels(source), UPRIGHT)


# A stored row or column 0 lies on this side of the upright picture, by the EXIF standard.
STORED = {
    1: UPRIGHT,  # row 0 at the top, column 0 on the left
    2: UPRIGHT[:, ::-1],  # top, right
    3: UPRIGHT[::-1, ::-1],  # bottom, right
    4: UPRIGHT[::-1],  # bottom, left
    5: UPRIGHT.swapaxes(0, 1),  # left, top
    6: UPRIGHT[:, ::-1].swapaxes(0, 1),  # right, top
    7: UPRIGHT[::-1, ::-1].swapaxes(0, 1),  # right, bottom
    8: UPRIGHT[::-1].swapaxes(0, 1),  # left, bottom
}


@pytest.mark.parametrize("orientation", STORED)
def test_every_exif_orientation_is_set_upright(orientation):
    """All eight, turned and mirrored."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation]))

    np.testing.assert_array_equal(pixels(encoded(stored, exif=exif)), UPRIGHT)


def test_a_telephone_jpeg_is_set_upright():
    """The usual case: JPEG, turned by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = smooth_picture().transpose(Image.Transpose.ROTATE_90)

    found = pixels(encoded(stored, "JPEG", exif=exif, quality=95))

    np.testing.assert_allclose(found, np.asarray(smooth_picture()), atol=16)


def test_a_picture_that_is_passed_stays_as_it_is():
    """Its owner may go on using it, and what was read does not change with it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.ascontiguousarray(STORED[6]))
    picture = Image.open(io.BytesIO(encoded(stored, exif=exif)))

    found = read_picture(picture)
    np.testing.assert_array_equal(np.asarray(picture), STORED[6])
    assert picture.getexif()[0x0112] == 6

    picture.paste("black", (0, 0, *picture.size))
    np.testing.assert_array_equal(np.asarray(found), UPRIGHT)


@pytest.mark.parametrize("exif", [b"Exif\x00\x00MR\x00*", b"Exif\x00\x00", b"noise"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_leaves_the_picture_as_it_is(exif):
    """A picture with a broken entry is still a picture."""
    content = encoded(random_picture(SIZE), "WEBP", lossless=True, exif=exif)

    np.testing.assert_array_equal(pixels(content), UPRIGHT)


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG"])
@pytest.mark.parametrize("moved", [False, True])
def test_animations_give_their_first_frame(file_format, moved):
    """Also when a picture is passed that stands at another frame."""
    frames = [Image.new("RGB", SIZE, color) for color in ("red", "blue", "lime")]
    options = {"lossless": True} if file_format == "WEBP" else {}
    content = encoded(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
    picture = Image.open(io.BytesIO(content))
    assert picture.n_frames == 3
    picture.seek(2)

    assert (pixels(picture if moved else content) == (255, 0, 0)).all()


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
@pytest.mark.parametrize(
    ("ink", "color"),
    [
        ((0, 255, 255, 0), (255, 0, 0)),
        ((255, 0, 0, 0), (0, 255, 255)),
        ((0, 0, 0, 255), (0, 0, 0)),
        ((0, 0, 0, 0), (255, 255, 255)),
    ],
)
def test_printing_colors_become_screen_colors(file_format, ink, color):
    """CMYK: magenta and yellow ink make red; no ink leaves paper."""
    found = pixels(encoded(Image.new("CMYK", SIZE, ink), file_format))

    np.testing.assert_allclose(found, np.broadcast_to(color, found.shape), atol=3)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
@pytest.mark.parametrize("highest", [65535, 4095, 200])
def test_16_bit_gray_is_scaled(file_format, highest):
    """A dark picture stays dark, a bright one is not cut off at white."""
    values = np.linspace(0, highest, SIZE[0] * SIZE[1]).astype(np.uint16).reshape(SIZE[1], SIZE[0])

    found = pixels(encoded(Image.fromarray(values), file_format))

    wanted = np.broadcast_to((values / 65535 * 255)[..., None], found.shape)
    np.testing.assert_allclose(found, wanted, atol=0.51)


def test_16_bit_color_is_scaled():
    """Three channels of 16 bits: each keeps its high byte."""
    values = np.random.default_rng(0).integers(0, 65536, (SIZE[1], SIZE[0], 3), np.uint16)
    rows = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in values)

    found = pixels(png(*SIZE, rows, depth=16))

    np.testing.assert_allclose(found, values / 65535 * 255, atol=1)


@pytest.mark.parametrize(
    ("values", "white"),
    [
        (np.linspace(0, 1, 960, dtype=np.float32), 1),
        (np.linspace(0, 250, 960, dtype=np.float32), 255),
        (np.linspace(0, 250, 960).astype(np.int32), 255),
        (np.linspace(0, 60_000, 960).astype(np.int32), 65535),
        (np.linspace(0, 2_000_000, 960).astype(np.int32), 2_000_000),
    ],
    ids=["0..1", "0..250", "whole 0..250", "whole 0..60000", "whole 0..2000000"],
)
def test_32_bit_values_are_scaled_by_their_range(values, white):
    """Such files do not say what white is; their highest value tells."""
    values = values.reshape(SIZE[1], SIZE[0])

    found = pixels(encoded(Image.fromarray(values), "TIFF"))

    wanted = np.broadcast_to((values / white * 255)[..., None], found.shape)
    np.testing.assert_allclose(found, wanted, atol=0.51)


def test_values_that_are_no_number_are_black():
    """Scientific files hold nan where nothing was measured."""
    values = np.full((SIZE[1], SIZE[0]), 0.5, np.float32)
    values[3, 4] = np.nan

    found = pixels(encoded(Image.fromarray(values), "TIFF"))

    assert (found[3, 4] == 0).all()
    assert (np.delete(found.reshape(-1, 3), 3 * SIZE[0] + 4, axis=0) == 128).all()


def test_palettes_are_looked_up():
    """Each pixel gets the colour its number stands for."""
    palette = random_picture(SIZE).quantize(7)

    np.testing.assert_array_equal(pixels(encoded(palette)), np.asarray(palette.convert("RGB")))


def test_a_transparent_palette_color_becomes_white():
    """And the other colours stay."""
    numbers = np.tile(np.array([0, 1], np.uint8), SIZE[0] * SIZE[1] // 2).reshape(SIZE[::-1])
    picture = Image.fromarray(numbers, "P")
    picture.putpalette([255, 0, 0, 0, 0, 255])

    found = pixels(encoded(picture, transparency=0))

    assert (found[numbers == 0] == 255).all()
    assert (found[numbers == 1] == (0, 0, 255)).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_on_white(mode):
    """Each pixel mixes with white by its opacity; a fully transparent one is white."""
    opacity = np.random.default_rng(1).integers(0, 256, SIZE[::-1], np.uint8)
    opacity[0, 0], opacity[0, 1] = 0, 255
    picture = random_picture(SIZE).convert(mode[:-1])
    color = np.asarray(picture.convert("RGB")).astype(float)
    picture.putalpha(Image.fromarray(opacity))

    found = pixels(encoded(picture))

    share = opacity[..., None] / 255
    np.testing.assert_allclose(found, color * share + 255 * (1 - share), atol=1)
    assert (found[0, 0] == 255).all()
    np.testing.assert_array_equal(found[0, 1], color[0, 1])


def test_a_transparent_color_becomes_white():
    """A PNG without opacity can still declare one colour transparent."""
    picture = Image.fromarray(np.where(UPRIGHT < 128, [10, 20, 30], [40, 50, 60]).astype(np.uint8))
    is_clear = (np.asarray(picture) == (10, 20, 30)).all(axis=-1)
    assert 0 < is_clear.mean() < 1

    found = pixels(encoded(picture, transparency=(10, 20, 30)))

    assert (found[is_clear] == 255).all()
    np.testing.assert_array_equal(found[~is_clear], np.asarray(picture)[~is_clear])


@pytest.mark.parametrize("mode", ["1", "L", "YCbCr", "LAB", "HSV"])
def test_other_color_models_become_rgb(mode):
    """A white picture is white in each."""
    white = Image.new("RGB", SIZE, "white")
    picture = Image.new("LAB", SIZE, (255, 128, 128)) if mode == "LAB" else white.convert(mode)

    assert (pixels(picture) >= 254).all()


@pytest.mark.parametrize("side", [16, 17])
def test_the_smallest_pictures_pass(side):
    """Sixteen pixels a side are enough."""
    assert pixels(encoded(random_picture((side, 16)))).shape == (16, side, 3)


# Memory


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone keeps count of a process's peak")
@pytest.mark.parametrize(
    "kind", ["opaque, turned", "transparent", "16-bit", "floating point", "WebP"]
)
def test_a_large_picture_takes_little_more_than_the_picture(kind, tmp_path):
    """Pillow's own 100 MB and the result of the same size, but no third copy."""
    gray = Image.linear_gradient("L").resize(LARGE_WEBP if kind == "WebP" else LARGE)
    picture, file_format = {
        "opaque, turned": (gray.convert("RGB"), "PNG"),
        "transparent": (Image.merge("RGBA", [gray] * 4), "PNG"),
        "16-bit": (Image.fromarray(np.asarray(gray, np.uint16) * 256), "PNG"),
        "floating point": (Image.fromarray(np.asarray(gray, np.float32)), "TIFF"),
        "WebP": (Image.merge("RGBA", [gray] * 4), "WEBP"),
    }[kind]
    exif = Image.Exif()
    exif[0x0112] = 6 if "turned" in kind else 1
    path = tmp_path / "large"
    picture.save(path, file_format, exif=exif)

    command = [sys.executable, "-c", PEAK, str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)

    assert int(found.stdout) < 270


def test_one_picture_is_read_at_a_time(monkeypatch):
    """Visitors who upload at the same moment wait, or their pictures' peaks would add up."""
    inside, most = [], []

    def watched(picture):
        inside.append(None)
        most.append(len(inside))
        time.sleep(0.05)  # long enough for the others to come in, were they let
        inside.pop()
        return picture

    monkeypatch.setattr(pictures, "_rgb", watched)
    with ThreadPoolExecutor(4) as visitors:
        list(visitors.map(read_picture, [encoded(random_picture(SIZE))] * 4))

    assert most == [1] * 4


# Refusing


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"The file is empty \(0 bytes\)\."),
        (b"not an image", "not a picture that can be read"),
        (b"%PDF-1.7 and so on", "not a picture that can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture that can be read"),
        (b"\x89PNG\r\n\x1a\n", "not a picture that can be read"),
        (b"\xff\xd8\xff", "not a picture that can be read"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIC and AVIF .* not supported"),
        (b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00", "HEIC and AVIF pictures are not supported"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00", "not a picture that can be read"),
    ],
    ids=["empty", "text", "PDF", "SVG", "PNG mark", "JPEG mark", "HEIC", "AVIF", "video"],
)
def test_what_is_no_picture_is_refused(content, message):
    """With what came and what to do: save it as JPEG or PNG."""
    with pytest.raises(ImageError, match=f"{message}.* Save it as JPEG or PNG and try again"):
        read_picture(content)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_file_cut_short_is_refused(file_format, share):
    """However much of it came."""
    content = encoded(random_picture(SIZE), file_format)
    with pytest.raises(ImageError, match="Save it as JPEG or PNG and try again"):
        read_picture(content[: int(len(content) * share)])


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_a_file_cut_short_behind_its_header_is_called_so(file_format):
    """It is a picture, but not all of it."""
    content = encoded(random_picture(SIZE), file_format)
    with pytest.raises(ImageError, match="damaged or cut short"):
        read_picture(content[:-200])


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((1, 1), "The picture is 1 x 1 pixels; each side must have at least 16"),
        ((20_000, 10), "The picture is 20000 x 10 pixels; each side must have at least 16"),
        ((15, 300), "The picture is 15 x 300 pixels; each side must have at least 16"),
    ],
)
def test_pictures_too_small_to_have_patches_are_refused(size, message):
    """The message gives width and height that came and what is wanted."""
    with pytest.raises(ImageError, match=message):
        read_picture(encoded(Image.new("RGB", size)))
    with pytest.raises(ImageError, match=message):
        read_picture(Image.new("RGB", size))


@pytest.mark.parametrize(
    ("width", "height", "came"),
    [
        (60_000, 60_000, "more pixels than any photograph"),
        (12_000, 10_000, "12000 x 10000 pixels"),
        (5_000, 5_001, "5000 x 5001 pixels"),
    ],
)
def test_a_small_file_with_a_huge_picture_is_refused_unread(width, height, came, monkeypatch):
    """A decompression bomb is seen in its header; its pixels are never decoded."""
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("the pixels were decoded"))
    with pytest.raises(ImageError, match=f"The picture has {came}; at most 25 million are read"):
        read_picture(png(width, height, bytes(100)))


def test_a_large_webp_is_refused_unread(monkeypatch):
    """Its reader holds the picture four times; another format of the same size passes."""
    monkeypatch.setattr(pictures, "MAX_WEBP_PIXELS", SIZE[0] * SIZE[1] - 1)
    with pytest.raises(ImageError, match=r"has 40 x 24 pixels; of a WebP file .* JPEG or PNG"):
        read_picture(encoded(random_picture(SIZE), "WEBP"))

    assert read_picture(encoded(random_picture(SIZE), "PNG")).size == SIZE


@pytest.mark.filterwarnings("error")
def test_a_huge_picture_gives_no_warning_beside_the_sentence():
    """Pillow's own warning would reach the server's log only."""
    with pytest.raises(ImageError, match="12000 x 10000"):
        read_picture(png(12_000, 10_000, bytes(100)))


@pytest.mark.parametrize("name", ["missing.png", ".", "no\x00where.png"])
def test_a_path_without_a_file_is_refused(name, tmp_path):
    """Missing files, folders, impossible names."""
    with pytest.raises(ImageError, match="cannot be read"):
        read_picture(tmp_path / name)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    file_format=st.sampled_from(FORMATS),
    places=st.lists(st.tuples(st.floats(0, 0.999), st.integers(1, 255)), min_size=1, max_size=8),
)
@pytest.mark.filterwarnings("ignore")
def test_any_damage_gives_a_picture_or_an_image_error(file_format, places):
    """Whatever bytes change, nothing but ImageError is raised."""
    exif = {"exif": Image.Exif()} if file_format in {"PNG", "JPEG", "WEBP"} else {}
    for value in exif.values():
        value[0x0112] = 6
    content = bytearray(encoded(random_picture(SIZE), file_format, **exif))
    for place, flip in places:
        # The squares of the shares hit headers more often than pixels.
        content[int(place**2 * len(content))] ^= flip
    try:
        found = read_picture(bytes(content))
    except ImageError as error:
        assert str(error).endswith(".")  # noqa: PT017 either outcome is right
    else:
        assert found.mode == "RGB"


def test_strips_are_refused():
    """5000 x 16 pixels would become gigabytes where the shorter side is enlarged."""
    with pytest.raises(ImageError, match=r"5000 x 16 pixels.*250 times.*Crop"):
        read_picture(Image.new("RGB", (5000, 16)))
    assert read_picture(Image.new("RGB", (16, 4000))).size == (16, 4000)
