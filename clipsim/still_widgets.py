"""What a notebook's widgets showed when it ended, for a page on which nothing moves."""

import html
import re

WIDGET = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


def still_outputs(output, notebook):
    """An output; in place of a widget, what its parts showed.

    Parameters
    ----------
    output : nbformat.NotebookNode
    notebook : nbformat.NotebookNode
        Executed; its metadata hold the state of its widgets.

    Returns
    -------
    list of dict
        Outputs: those that the widget had caught; its pictures, whose caption and alternative text
        are the words that the widget shows beside them.
    """
    model_id = output.get("data", {}).get(WIDGET, {}).get("model_id")
    if model_id is None:
        return [output]
    models = notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    parts = list(_parts(model_id, models))
    words = [part["state"]["value"] for part in parts if part.get("model_name") == "HTMLModel"]
    said = html.unescape(re.sub(r"<[^>]*>", "", " ".join(words))).strip()
    still = [caught for part in parts for caught in part["state"].get("outputs", ())]
    for part in parts:
        if part.get("model_name") == "ImageModel":
            known = {"image/png": {"alt": f"Drawn by the controls: {said}"}}
            png = next(item["data"] for item in part["buffers"] if item["path"] == ["value"])
            still.append({"data": {"image/png": png}, "metadata": known})
            still.append(
                {"data": {"text/markdown": f"*{said}. The controls move in JupyterLab.*"}}
            )
    return still


def _parts(model_id, models):
    """A widget's models, from the outermost in, in order."""
    if model_id in models:
        yield models[model_id]
        for child in models[model_id]["state"].get("children", ()):
            yield from _parts(child.removeprefix("IPY_MODEL_"), models)
