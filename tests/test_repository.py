"""What may be in the repository: no photograph, nor a figure that shows one; no large file."""

import subprocess

import pytest

from clipsim.profile import REPOSITORY

MAX_BYTES = 2 * 2**20
CAPTIONS = REPOSITORY.parent / "shared" / "flickr8k" / "captions.txt"
SHORT = 6  # words; fewer can be anybody's


@pytest.fixture(scope="module")
def tracked():
    """Every file that git tracks."""
    listed = subprocess.run(["git", "-C", REPOSITORY, "ls-files", "-z"], capture_output=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [REPOSITORY / name for name in listed.stdout.decode().split("\0") if name]


def test_figures_that_show_pictures_are_the_demos_alone(tracked):
    shown = [path for path in tracked if path.name.startswith(("figure_", "sheet_"))]
    assert {path.parent.relative_to(REPOSITORY).as_posix() for path in shown} == {"figures/demo"}


def test_no_photograph(tracked):
    assert not [path for path in tracked if path.suffix.lower() in (".jpg", ".jpeg")]


def test_no_caption_of_a_photograph(tracked):
    if not CAPTIONS.is_file():
        pytest.skip("shared/flickr8k is not beside the repository")
    lines = CAPTIONS.read_text(encoding="utf-8").splitlines()[1:]
    captions = {line.partition(",")[2].strip(' ".').lower() for line in lines}
    captions = {caption for caption in captions if len(caption.split()) >= SHORT}
    assert len(captions) > 1000
    for path in tracked:
        if path.suffix in (".md", ".json", ".csv") and path.parent.name.startswith("flickr8k"):
            text = path.read_text(encoding="utf-8").lower()
            assert not [caption for caption in captions if caption in text], path


def test_no_large_file(tracked):
    files = [path for path in tracked if path.is_file() and path.suffix != ".safetensors"]
    assert not [path for path in files if path.stat().st_size > MAX_BYTES]
