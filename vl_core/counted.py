"""A number with its noun, in the singular where there is one."""


def counted(count: int, one: str, many: str = "") -> str:
    """Such as "1 box" and "2,304 boxes"; many: `one` with an s where it is not given."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
