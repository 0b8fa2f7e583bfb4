"""How the model that ships is made: trained, rounded, and measured on its own data.

The recipe is `pretrained/shipped.yaml`: the heads of the profile `flickr8k`, widened by the
classifier's thousand classes, with composed descriptions, so that no photograph and no caption of
anybody's is in the package. What its record knows (`known`) was measured with the weights as they
ship, rounded to half precision.
"""

import numpy as np
import pandas as pd
import torch

from clipsim import data
from clipsim.data import class_names
from clipsim.evaluation import METRICS, calibration, evaluations, table_1_rows, train_or_load
from clipsim.model import class_weights, image_features, matched_vectors, write_record
from clipsim.pictures.chosen_model import SHIPPED, least_text_similarity, own_describer
from clipsim.profile import load_profile
from clipsim.record import git_commit

RARE = 0.02  # of the development photographs have a best description so unlike them
ABSENT = 0.02  # a class is where the classifier gives it no more in any photograph
CURVE = 60  # points of a curve
N_DRAWINGS = 500
TERMS = "trained on Flickr8k, whose photographs are for research use: so are these weights"


def make_shipped(data_root, folder=SHIPPED):
    """Train the model that ships, and write its weights and record.

    Parameters
    ----------
    data_root : str or Path
        Flickr8k, with its judgments and the pairs rated side by side.
    folder : Path
        Where to.

    Returns
    -------
    dict
        The record.
    """
    commit = git_commit()  # before anything is written
    profile = load_profile(SHIPPED / "shipped.yaml", data_root=str(data_root))
    images = data.load(profile)
    trained = train_or_load(profile, images)
    kept = {key: trained.record[key] for key in ("epoch", "data", "processes", "history")}
    trained.save(folder, kept, torch.float16)
    describer = own_describer(folder)
    rows, sure = accuracy(profile, images, describer)
    experts = next(row for row in rows if row["metric"] == "clip_score")
    known = {
        "threshold": experts["threshold"],
        "threshold_from": f"cross-fitted on {experts['n_pairs']:,} pairs that experts judged by "
        "captions",
        "calibration": sure.pop("curve"),
    }
    known |= limits(describer, images.subset(images.indices("val")))
    measured = {
        "table1": rows,
        "calibration": sure,
        "limits": limits_measured(describer, images.subset(images.indices("test")), known),
    }
    record = describer.model.record | {"git_commit": commit, "terms": TERMS}
    record |= {"known": known, "measured": measured}
    write_record(folder, record)
    return record


def accuracy(profile, images, describer):
    """Table 1's rows of Eq. 4 and the image cosine, and how sure a score is of experts' pairs.

    Parameters
    ----------
    profile : Profile
        With the `data_root` of the judgments.
    images : CaptionedImages
    describer : Describer

    Returns
    -------
    rows : list of dict
        As `clipsim.evaluation.table_1_rows`, at held-out thresholds; the experts' come first.
    sure : dict
        From `clipsim.evaluation.calibration`.
    """
    pairs = data.load_pairs(profile, images)
    scores = describer.scores(images, pairs)
    compared = [metric for metric in METRICS if metric.key in scores]
    rows = table_1_rows(evaluations(pairs, scores, profile, metrics=compared))
    by_experts = pairs.source == "expert"
    experts, clip_scores = pairs.where(by_experts), scores["clip_score"][by_experts]
    held_out = [row for row in rows if row["threshold_from"] != "paper"]
    return held_out, calibration(experts, clip_scores, profile.seed)


def limits(describer, photographs):
    """What tells that no description fits a picture, and no picture a text: part of `known`.

    From photographs that nothing was trained on. A text that fits none of them names a class that
    the backbone's own classifier sees in none.
    """
    best = describer.retrieval(photographs, photographs.image_ids).sims[:, 0]
    unfit = similarities_of_absent(describer.model, photographs).ravel()
    shares = np.geomspace(1, 1 / len(unfit), CURVE)
    curve = np.stack([np.quantile(unfit, 1 - shares), shares], axis=1)
    return {"least_similarity": float(np.quantile(best, RARE)), "chance": curve.tolist()}


def limits_measured(describer, photographs, known):
    """How often the model says rightly that it does not know, by other pictures than `limits`.

    Returns
    -------
    dict
        Shares: "photographs" and "drawings" (OpenMoji scenes) of which it says that no description
        fits; "texts_of_photographs", first captions, and "texts_of_absent_classes" that it says no
        photograph fits; and how many of each there were.
    """
    scenes = data.load(load_profile("demo"))
    scenes = scenes.subset(scenes.indices("test")[:N_DRAWINGS])
    shares, counts = {}, {}
    for name, images in (("photographs", photographs), ("drawings", scenes)):
        best = describer.retrieval(images, images.image_ids).sims[:, 0]
        shares[name], counts[name] = best < known["least_similarity"], len(images)
    least = least_text_similarity(known, len(photographs))
    vectors, captions = matched_vectors(describer.model, photographs)
    absent = similarities_of_absent(describer.model, photographs)
    for name, found in (
        ("texts_of_photographs", captions @ vectors.T),
        ("texts_of_absent_classes", absent),
    ):
        shares[name], counts[name] = found.max(axis=1) < least, len(found)
    return {name: float(of.mean()) for name, of in shares.items()} | {"counts": counts}


def similarities_of_absent(model, photographs):
    """Similarities of the names of absent classes with photographs: float32, shape (T, M)."""
    weights, biases = class_weights()
    logits = image_features(model, photographs) @ weights.T + biases
    of_class = pd.DataFrame(logits.softmax(dim=1).numpy().T, index=class_names())
    most = of_class.groupby(level=0).sum().max(axis=1)
    texts = [f"A photo of {name}." for name in most.index[most < ABSENT]]
    return model.encode_texts(texts) @ model.encode_images(photographs).T
