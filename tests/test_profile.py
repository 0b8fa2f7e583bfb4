"""Profiles and their overrides: typed, validated, and refused in one line."""

import re

import pytest

from clipsim import ProfileError, load_profile
from clipsim.figures.tables import training_settings
from clipsim.profile import read_overrides


class TestOverrides:
    @pytest.mark.parametrize(
        ("item", "value"),
        [
            ("merge=false", False),
            ("learning_rate=1", 1.0),
            ("learning_rate=1e-5", 1e-5),
            ("max_images=null", None),
            ("mixed_precision=no", "no"),
            ("text_encoder=null", "minilm"),
            ("on_bad_image = skip", "skip"),
        ],
    )
    def test_typed_by_the_key(self, item, value):
        overrides = read_overrides([item])
        typed = getattr(load_profile("flickr8k", **overrides), *overrides)
        assert typed == value
        assert type(typed) is type(value)

    @pytest.mark.parametrize("key", ["data_root", "pool_file", "output_root"])
    def test_paths_start_at_the_callers_folder(self, key, tmp_path):
        assert read_overrides([f"{key}=../my data: #1"], tmp_path / "here") == {
            key: str(tmp_path / "my data: #1")
        }
        assert read_overrides([f"{key}=/whole"], tmp_path) == {key: "/whole"}
        assert read_overrides([f"{key}=null"], tmp_path) == {key: None}

    @pytest.mark.parametrize("item", ["seed", "=3", ""])
    def test_not_key_value(self, item):
        with pytest.raises(ProfileError, match="expected key=value"):
            read_overrides([item])


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("sed=1", "unknown key 'sed'; did you mean 'seed'?"),
        ("seed=one", "seed='one'"),
        ("merge=perhaps", "merge='perhaps'"),
        ("learning_rate=-1", "learning_rate='-1'"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_line(item, message):
    with pytest.raises(ProfileError, match=re.escape(message)) as caught:
        load_profile("smoke", **read_overrides([item]))
    assert "\n" not in str(caught.value)


def test_the_paper_profile_trains_with_the_paper_s_settings():
    paper = training_settings(load_profile("paper"), {"processes": 1}, 35_000)
    assert set(paper.difference) == {"", "not printed"}
    shared = training_settings(load_profile("paper"), {"processes": 8}, 35_000)
    differs = shared.setting[shared.difference == "differs"]
    assert differs.tolist() == ["images that are contrasted"]
