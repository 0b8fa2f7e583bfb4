"""The answer as a picture and as a page: what they show is what was computed."""

import json
import re

import numpy as np
import pytest
from own_pictures import described_checkpoint, noise_pictures
from PIL import Image

from clipsim.data import DataError
from clipsim.pictures import PictureIndex, own_describer, pages

N_PICTURES = 5


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clipsim.pictures.chosen_model.CACHE", tmp_path_factory.mktemp("cache"))
        folder = tmp_path_factory.mktemp("my <b>pictures")
        noise_pictures(folder, N_PICTURES)
        yield PictureIndex(
            folder, own_describer(described_checkpoint(tmp_path_factory.mktemp("m")))
        )


def test_a_page_holds_every_picture_and_asks_no_network(index, tmp_path, monkeypatch):
    path = tmp_path / "graph.html"
    pages.write_graph_page(index, 0.5, path)
    text = path.read_text(encoding="utf-8")
    content = json.loads(re.search(r'id="content"[^>]*>(.*?)</script>', text, re.DOTALL)[1])
    assert [node["title"] for node in content["nodes"]] == index.names
    assert len(content["edges"]) == len(index.pairs(0.5 * pages.FEWEST))
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", text)
    monkeypatch.setattr(pages, "MOST_PICTURES", N_PICTURES - 1)
    with pytest.raises(DataError, match=r"5 pictures.*at most.*write \.graphml"):
        pages.write_graph_page(index, 0.5, path)


@pytest.mark.browser
def test_in_a_browser_the_slider_moves_the_threshold_and_a_click_shows_descriptions(
    index, browser, tmp_path
):
    scores = sorted(score for *_, score in index.pairs(-1))
    low, high = np.unique(scores)[-3:-1]
    threshold = (low + high) / 2
    n_alike = sum(score >= threshold for score in scores)
    assert 0 < n_alike < len(scores)
    path = tmp_path / "graph.html"
    pages.write_graph_page(index, threshold, path)
    context = browser.new_context(offline=True)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(path.as_uri())
    counts = page.locator("#counts")
    assert f"{n_alike} pairs alike" in counts.inner_text()
    page.evaluate(
        "value => { slider.value = value; slider.dispatchEvent(new Event('input')) }",
        (scores[-1] + 1) / 2,
    )
    assert "0 pairs alike" in counts.inner_text()
    page.evaluate("network.stopSimulation()")  # or a picture moves away from the click
    place = page.evaluate("network.canvasToDOM(network.getPosition(2))")
    page.locator("#network").click(position=place)
    page.locator("#name", has_text=index.names[2]).wait_for()
    shown = page.locator("#descriptions li").all_inner_texts()
    assert shown == index.retrieval.descriptions(index.names[2])
    assert not errors


def test_a_card_is_a_picture_of_two(index, tmp_path):
    rows = [{"descriptions": [{"text": text} for text in "ab"]}] * 2
    a, b, *_ = (f"{index.folder}/{name}" for name in index.names)
    answer = {"a": a, "b": b, "score": 0.7, "alike": True, "share_alike": 0.9, "threshold": 0.5}
    pages.write_card(answer | {"pictures": rows}, tmp_path / "card.png")
    assert Image.open(tmp_path / "card.png").width > 600
