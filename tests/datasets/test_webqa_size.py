"""What it costs to open files of the size that WebQA has, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.webqa_files import FIRST, encoded, guid, labeled, row, snippet, write_questions

ROOT = Path(__file__).parents[2]
MEASURING = """
import json, sys, time
from pathlib import Path
from vl_core.datasets.webqa import WebQA
before = time.process_time()
data = WebQA(Path(sys.argv[1]), "val")
seconds = time.process_time() - before
item = data[-1]
option = next(one for one in item.asked[0].options if one.name == sys.argv[2])
# What the resource module tells may be the peak of the process that started this one.
status = Path("/proc/self/status").read_text()
kilobytes = int(status.partition("VmHWM:")[2].split()[0])
heavy = [name for name in ("torch", "transformers", "umap") if name in sys.modules]
print(json.dumps({
    "seconds": seconds,
    "megabytes": kilobytes / 1024,
    "n_items": len(data),
    "name": item.name,
    "size": option.example().size,
    "heavy": heavy,
}))
"""


def measured(folder, option):
    """What a fresh process tells that opens the folder and reads one option of the last item."""
    told = subprocess.run(
        [sys.executable, "-c", MEASURING, str(folder), option],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(told.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is told by /proc")
def test_many_questions_are_opened_without_holding_them(tmp_path):
    """A file of 110 MB, a quarter of WebQA's own."""
    facts = [snippet(0, number, "It says a little of it. " * 13) for number in range(28)]
    question = json.dumps(labeled(0, txt_negFacts=facts))[1:-1]
    n_questions = 9000
    with (tmp_path / "WebQA_train_val.json").open("w") as file:
        for number in range(n_questions):
            own = question.replace(guid(0), guid(number))
            file.write(f'{"," if number else "{"}"{guid(number)}": {{{own}}}')
        file.write("}")
    assert (tmp_path / "WebQA_train_val.json").stat().st_size > 110e6

    found = measured(tmp_path, f"{guid(n_questions - 1)}_27")
    assert found["n_items"] == n_questions
    assert found["name"] == guid(n_questions - 1)
    assert found["size"] is None
    assert found["seconds"] < 2.5  # 0.5 where this was written
    assert found["megabytes"] < 120  # 74, of which 50 are the libraries; the file alone is 110
    assert found["heavy"] == []


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is told by /proc")
def test_a_file_of_pictures_is_not_read_at_opening(tmp_path):
    """Two gigabytes, most of them a hole in the file, and as many offsets as WebQA has."""
    n_lines, last = 389_750, row(389_749, encoded(31, 23))
    offsets = np.linspace(0, 2**31, n_lines).astype(np.int64)
    with (tmp_path / "imgs.tsv").open("wb") as file:
        file.seek(int(offsets[-1]))
        file.write(last)
    (tmp_path / "imgs.lineidx").write_text("\n".join(map(str, offsets.tolist())) + "\n")
    facts = [{"image_id": FIRST + n_lines - 1, "caption": "the last one"}]
    write_questions(tmp_path / "WebQA_train_val.json", [labeled(1, img_posFacts=facts)])

    found = measured(tmp_path, str(FIRST + n_lines - 1))
    assert found["size"] == [31, 23]
    assert found["seconds"] < 2  # 0.15 where this was written
    assert found["megabytes"] < 200  # 113
