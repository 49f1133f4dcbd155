"""A page on which something takes a while, for its browser test."""

import time

from pages.shared import session

SECONDS = 5

if __name__ == "__main__":
    with session.told("Doing it") as tell:
        for number in range(SECONDS):
            tell(f"step {number + 1} of {SECONDS}")
            time.sleep(1)
