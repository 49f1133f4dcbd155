"""A page on which something takes as long as its browser test wants."""

import os
import time
from pathlib import Path

from pages.shared import session

FOLDER = "WAITING_FOLDER"  # the setting that says where the files are looked for
STEPS = 2


def wait_for(file: Path) -> None:
    """Until there is such a file."""
    while not file.exists():
        time.sleep(0.05)


if __name__ == "__main__":
    with session.told("Doing it") as tell:
        for number in range(1, STEPS + 1):
            tell(f"step {number} of {STEPS}")
            wait_for(Path(os.environ[FOLDER]) / str(number))
