"""Notebook 08's comparisons of N and kernels on planted data: the answer can be either."""

import numpy as np
import pytest
from PIL import Image
from planted_descriptions import (
    COUNTS,
    FIRST_GOOD,
    FLAT,
    MIDDLE_GOOD,
    N_PAIRS,
    PROFILE,
    contents,
    labelled_pairs,
    made,
    models,
    retrieval,
)
from sklearn.metrics import roc_auc_score

from clipsim.data import CaptionedImages, DataError, LabelledPairs
from clipsim.evaluation.claims import NOT_SUPPORTED, SUPPORTED, UNDECIDED
from clipsim.retrieval.score import score_pairs
from clipsim.studies.number_of_descriptions.description_differences import (
    auc_difference,
    count_differences,
    count_findings,
    kernel_table,
)
from clipsim.studies.number_of_descriptions.description_study import (
    KernelScores,
    description_counts,
    model_scores,
    study_pairs,
)


def verdicts(scored, pairs):
    found = count_findings(count_differences(scored, pairs, PROFILE), pairs, PROFILE)
    return {one["claim"]: one["verdict"] for one in found}


def test_more_descriptions_of_one_quality_help_and_never_hurt():
    scored, pairs = models(FLAT)
    assert verdicts(scored, pairs) == {"n_too_low": SUPPORTED, "n_too_high": NOT_SUPPORTED}


def test_where_only_the_first_description_fits_one_is_enough():
    scored, pairs = models(FIRST_GOOD)
    assert verdicts(scored, pairs) == {"n_too_low": NOT_SUPPORTED, "n_too_high": SUPPORTED}


def test_where_ten_descriptions_fit_both_claims_hold():
    scored, pairs = models(MIDDLE_GOOD)
    assert verdicts(scored, pairs) == {"n_too_low": SUPPORTED, "n_too_high": SUPPORTED}
    differences = count_differences(scored, pairs, PROFILE)
    assert set(differences["n_too_high"]["n"]) == {10}


def test_without_any_signal_about_one_verdict_in_twenty_is_wrong():
    pairs, found = made(), []
    for seed in range(40):
        noise = retrieval(contents(np.zeros(N_PAIRS), seed=100 + seed), FLAT, 1000 + seed)
        vectors = {"joint": noise.pool_vectors}
        found += verdicts(
            [model_scores(0, noise, vectors, pairs, COUNTS, "joint")], pairs
        ).values()
    assert sum(one != UNDECIDED for one in found) <= 0.15 * len(found)


def test_findings_say_how_many_pairs_and_seeds():
    scored, pairs = models(FLAT)
    for one in count_findings(count_differences(scored, pairs, PROFILE), pairs, PROFILE):
        assert (one["n_pairs"], one["n_seeds"]) == (N_PAIRS // 2, 3)
        assert "resamples test pairs" in one["interval"]


def test_a_difference_is_the_mean_of_the_models_aucs():
    scored, pairs = models(FLAT)
    first, second = ([m.kernels["eq4 joint"].judged[k] for m in scored] for k in (3, 0))
    result = auc_difference(pairs, first, second)
    of_test = pairs.evaluated
    expected = [
        roc_auc_score(pairs.test.similar, a[of_test])
        - roc_auc_score(pairs.test.similar, b[of_test])
        for a, b in zip(first, second, strict=True)
    ]
    assert result["by_seed"] == pytest.approx(expected)
    assert result["difference"] == pytest.approx(np.mean(expected))
    assert result["difference_ci95"][0] < result["difference"] < result["difference_ci95"][1]


def test_the_setting_is_chosen_on_validation_and_not_on_test():
    pairs = made()
    similar = pairs.judged.similar.astype(float)
    # Right on test and wrong on validation, and the reverse.
    right_on_test = np.where(pairs.judged.split == "test", similar, 1 - similar)
    judged = np.stack([right_on_test, 1 - right_on_test])
    kernel = KernelScores((1, 2), judged, judged[:, pairs.judged.split == "val"])
    assert kernel.chosen(pairs) == 1
    assert kernel.chosen(pairs, [0]) == 0
    tied = KernelScores((1, 2), judged, np.zeros((2, len(pairs.choosing))))
    assert tied.chosen(pairs) == 0


def test_scores_of_a_model_are_eq_4_of_its_pairs():
    scored, pairs = models(FLAT, 1)
    found = retrieval(contents(pairs.judged.similar), FLAT)
    index = np.arange(2 * N_PAIRS).reshape(-1, 2)
    for n, values in zip(COUNTS, scored[0].kernels["eq4 joint"].judged, strict=True):
        expected = score_pairs(found.pool_vectors[found.ids[:, :n]], index)
        np.testing.assert_allclose(values, expected, atol=1e-5)
    cosines = (contents(pairs.judged.similar)[0::2] * contents(pairs.judged.similar)[1::2]).sum(1)
    np.testing.assert_allclose(scored[0].image_cosine, cosines, rtol=1e-5)


def test_softmax_weights_win_where_similarity_tells_the_good_descriptions():
    scored, pairs = models(FIRST_GOOD)
    rows = kernel_table(scored, pairs, PROFILE).set_index("kernel")
    assert rows.loc["top N, Eq. 4", "difference"] == 0
    assert rows.loc["top N, Eq. 4", "chosen"] == [1]
    assert abs(rows.loc["softmax weights, Eq. 4", "difference"]) < 0.02
    flat = kernel_table(*models(FLAT), PROFILE).set_index("kernel")
    assert max(flat.loc["softmax weights, Eq. 4", "chosen"]) == np.inf


# --- what is compared --------------------------------------------------------------------------


def test_counts_end_at_the_pool_and_hold_the_profiles_n():
    assert description_counts(12, 4) == (1, 2, 3, 4, 5, 7, 10)
    assert description_counts(10**6, 300)[-2:] == (200, 300)
    with pytest.raises(DataError, match="one description"):
        description_counts(1, 1)


def photographs():
    topics = ("dog beach", "boat river", "child swing", "horse field", "bike street", "snow hill")
    ids = [f"{split}{i}" for split in ("val", "test") for i in range(60)]
    return CaptionedImages(
        name="photographs",
        image_ids=tuple(ids),
        captions=tuple((f"{topics[i % 6]} number{i % 12}",) for i in range(120)),
        split=np.repeat(["val", "test"], 60),
        read_image=lambda _: Image.new("RGB", (8, 8)),
        pixels_key="",
    )


def test_where_test_images_alone_are_judged_development_images_choose(smoke):
    images = photographs()
    rng = np.random.default_rng(0)
    a, b = rng.integers(30, size=40), rng.integers(30, 60, size=40)
    judged = LabelledPairs(
        id_a=np.array([f"test{i}" for i in a]),
        id_b=np.array([f"test{i}" for i in b]),
        similar=rng.integers(-1, 2, size=40).astype(np.int8),
        graded=rng.random(40),
        kind=np.full(40, ""),
        split=np.full(40, "cross"),
        source=np.repeat(["crowd", "expert"], 20),
    )
    pairs = study_pairs(smoke, images, judged)
    assert set(pairs.judged.source) == {"expert"}
    assert pairs.evaluated.all()
    assert pairs.chosen_on == "caption-agreement pairs"
    assert all(i.startswith("val") for i in pairs.choosing.image_ids)
    assert (pairs.unit, pairs.sample.weights.shape) == ("images", (1 + smoke.n_bootstrap, 20))


def test_where_there_are_validation_pairs_they_choose(smoke):
    judged = labelled_pairs()
    pairs = study_pairs(smoke, None, judged)
    assert pairs.chosen_on == "validation pairs"
    assert set(pairs.choosing.split) == {"val"}
    assert set(pairs.test.split) == {"test"}
    assert (pairs.unit, len(pairs.test)) == ("pairs", N_PAIRS // 2)
