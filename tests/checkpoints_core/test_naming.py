"""What a name may hold before anything is done with it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vl_core.checkpoints.naming import hub_name, is_hub_name
from vl_core.errors import ModelError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("name", "repository", "revision"),
    [
        ("dandelin/vilt-b32-finetuned-vqa", "dandelin/vilt-b32-finetuned-vqa", None),
        ("Qwen/Qwen2.5-VL-3B-Instruct@main", "Qwen/Qwen2.5-VL-3B-Instruct", "main"),
        ("a/b@refs/pr/15", "a/b", "refs/pr/15"),
        (f"a_/_b@{COMMIT}", "a_/_b", COMMIT),
    ],
)
def test_names_are_split_into_repository_and_revision(name, repository, revision):
    """And are written again as they came."""
    found = hub_name(name)

    assert (found.repository, found.revision, str(found)) == (repository, revision, name)
    assert found.is_pinned == (revision == COMMIT)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "embedded",
        "bert-base-uncased",
        "/etc/passwd",
        "../models",
        "a/..",
        "a/b..c",
        "a/b/c",
        "./a/b",
        "a/.b",
        "a/b.",
        "a/b.git",
        "a--b/c",
        "a/b\n",
        "a/b c",
        "a\\b/c",
        "ä/b",
        "~/b",
        "C:/b",
        "a/b@",
        "a/b@../main",
        "a/b@/etc",
        "a/b@main@main",
        "a/b@refs//pr",
        "http://a/b",
        "a/" + "b" * 97,
        "a/b\0",
    ],
)
def test_anything_else_is_refused(name):
    """With words that say what was wanted."""
    assert not is_hub_name(name)
    with pytest.raises(ModelError, match="owner/name"):
        hub_name(name)


@given(st.text(alphabet="ab/.@-_~\\ \n", max_size=12))
def test_no_accepted_name_leads_out_of_a_folder(name):
    """Whatever is typed: joined to a folder, an accepted name stays two levels below it."""
    if is_hub_name(name):
        found, root = hub_name(name), Path("/cache")
        joined = Path(f"{root}/{found.repository}").resolve()
        assert joined.parent.parent == root
        assert Path(f"{root}/{found.revision}").resolve().is_relative_to(root)
