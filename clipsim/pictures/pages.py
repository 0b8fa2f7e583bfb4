"""The answer as a picture or a page: two pictures as in Figures 1-4, the graph for a browser."""

import base64
import json
from importlib.resources import files

import matplotlib.pyplot as plt
import numpy as np
from jinja2 import Template
from PIL import Image

from clipsim import data
from clipsim.figures import PAGE_IN, beside_descriptions, use_style
from clipsim.pictures.answers import descriptions
from clipsim.record import atomic_path

NETWORK = "templates/lib/vis-9.1.2/vis-network.min.js"  # in the package pyvis
THUMBNAIL, MOST_PICTURES = 96, 2000  # pixels a side; pictures of a page that a browser can draw
FEWEST = 0.6  # of the threshold: how far down the slider goes


def write_card(answer, path):
    """Write a picture of two pictures, their descriptions, and what the score says.

    Parameters
    ----------
    answer : dict
        From `clipsim.compare`, of two picture files.
    path : Path
        Ends in `.png` or `.pdf`.
    """
    use_style()
    figure = plt.figure(figsize=(PAGE_IN, 2.4))
    pixels = [
        np.asarray(data.read_picture(p)).transpose(2, 0, 1) for p in (answer["a"], answer["b"])
    ]
    texts = [[row["text"] for row in picture["descriptions"]] for picture in answer["pictures"]]
    beside_descriptions(figure, pixels, texts)
    says = {None: "", True: "alike", False: "different"}[answer["alike"]]
    title = f"D = {answer['score']:.2f}"
    if says:
        title += f", {says} (τ = {answer['threshold']:.2f})"
    if answer["share_alike"] is not None:
        title += f"; {answer['share_alike']:.0%} of judged pairs with such a score were similar"
    figure.suptitle(title, x=0.01, ha="left")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, bbox_inches="tight")
    plt.close(figure)


def write_graph_page(index, threshold, path):
    """Write the graph of a folder's pictures as one HTML page that needs no network.

    The slider moves the threshold; a click on a picture shows its descriptions. The script that
    draws it is vis-network's, as the package pyvis carries it, inside the file.

    Parameters
    ----------
    index : PictureIndex
        Of at most `MOST_PICTURES`.
    threshold : float
        Where the slider starts; it goes down to `FEWEST` of it.
    path : str or Path

    Raises
    ------
    DataError
        If there are more pictures or pairs than a page can show.
    """
    if len(index.names) > MOST_PICTURES:
        raise data.DataError(
            f"{index.folder}: {len(index.names):,} pictures, a page shows {MOST_PICTURES:,} at "
            "most; write .graphml or .csv"
        )
    lowest = min(FEWEST * threshold, threshold)
    edges = [
        {"from": a, "to": b, "value": round(score, 6)}
        for a, b, score in index.graph(lowest).edges(data="score")
    ]
    nodes = [
        {
            "id": i,
            "title": name,
            "image": _thumbnail(index.images.read_image(name)),
            "descriptions": [row["text"] for row in descriptions(index.retrieval.at([i]))],
        }
        for i, name in enumerate(index.names)
    ]
    template = Template(
        files("clipsim.pictures").joinpath("graph.html").read_text(), autoescape=True
    )
    content = json.dumps({"nodes": nodes, "edges": edges}).replace("</", "<\\/")
    page = template.render(
        folder=index.folder, lowest=lowest, threshold=threshold, content=content,
        highest=max([1.0, threshold]), script=files("pyvis").joinpath(NETWORK).read_text(),
    )  # fmt: skip
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _thumbnail(picture):
    """A picture as a small JPEG in a data URI."""
    picture.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    return "data:image/jpeg;base64," + base64.b64encode(data.jpeg(picture, 80)).decode()
