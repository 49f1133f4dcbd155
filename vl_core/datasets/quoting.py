"""What stands in files that anyone may have written, in messages that do not fill the screen."""

from typing import TypeGuard

_MOST = 60  # characters of a value; a name is shown whole up to some more, as VCR's are long
_MOST_OF_NAME = 160


def quoted(value: object) -> str:
    """As Python writes it, with "..." in the place of what is beyond a line."""
    return shortened(repr(value), _MOST)


def shortened(text: str, most: int = _MOST_OF_NAME) -> str:
    """A name or a text, with "..." in the place of its middle where it is longer."""
    if not is_text(text):
        text = ascii(text)
    return text if len(text) <= most else f"{text[: most // 2]}...{text[-most // 4 :]}"


def is_text(value: object) -> TypeGuard[str]:
    """Whether it is a string that can be written to a file or a terminal.

    JSON may name halves of characters (code D800), which Python keeps in a string.
    """
    if not isinstance(value, str):
        return False
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
