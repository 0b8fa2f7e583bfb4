"""Notebook 08's experiments on planted data, where the answer is known and can be either."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, roc_auc_score

from clipsim.claims import NOT_SUPPORTED, SUPPORTED, UNDECIDED
from clipsim.data import CaptionedImages, DataError, LabelledPairs
from clipsim.description_agreement import (
    agreement_by_count,
    agreement_differences,
    contrasts_by_count,
    pair_groups,
)
from clipsim.description_differences import (
    auc_difference,
    count_differences,
    count_findings,
    kernel_table,
)
from clipsim.description_fit import (
    PAPER_THRESHOLD,
    fitted_counts,
    fixed_threshold_table,
    misfit,
    paper_clip_scores,
)
from clipsim.description_signs import seed_shares, sign_findings, sign_table
from clipsim.description_study import (
    KernelScores,
    ModelScores,
    StudyPairs,
    description_counts,
    model_scores,
    study_pairs,
)
from clipsim.description_tables import (
    normalisation_gap,
    self_score_table,
    settings_table,
    statistics_row,
)
from clipsim.pipeline import Retrieval
from clipsim.resampled_pairs import ResampledPairs
from clipsim.scoring import score_pairs

N_PAIRS = 200
COUNTS = (1, 2, 5, 10, 40)
LONGEST = max(COUNTS)
PROFILE = SimpleNamespace(
    vector_space="joint", threshold_criterion="accuracy", seed=0, n_bootstrap=200
)


def labelled_pairs(n_pairs=N_PAIRS):
    """Validation and test pairs that share no image; every second one is similar."""
    number = np.arange(n_pairs)
    similar = number % 2
    return LabelledPairs(
        id_a=np.array([f"{i:03d}a" for i in number]),
        id_b=np.array([f"{i:03d}b" for i in number]),
        similar=similar.astype(np.int8),
        graded=similar + 0.1 * (number % 3),
        kind=np.array([f"x, {('same', 'other')[i // 2 % 2]} layout" for i in number]),
        split=np.where(number < n_pairs // 2, "val", "test"),
        source=np.full(n_pairs, ""),
    )


def made(pairs=None):
    """`StudyPairs` of validation and test pairs, 200 bootstrap samples."""
    pairs = labelled_pairs() if pairs is None else pairs
    test = pairs.where(pairs.split == "test")
    choosing = pairs.where(pairs.split == "val")
    sample = ResampledPairs.of(test, PROFILE)
    return StudyPairs(pairs, choosing, "validation pairs", sample)


def retrieval(content, noise, seed=0):
    """A retrieval where an image's i-th description is its content plus noise[i] of noise.

    Parameters
    ----------
    content : array of float, shape (M, d)
    noise : array of float, shape (L,)
    """
    rng = np.random.default_rng(seed)
    n_images, d = content.shape
    scatter = rng.normal(size=(n_images, len(noise), d)) * np.reshape(noise, (1, -1, 1))
    vectors = (content[:, None] + scatter).reshape(-1, d).astype(np.float32)
    ids = np.arange(len(vectors)).reshape(n_images, len(noise))
    sims = np.tile(np.linspace(0.9, 0.1, len(noise), dtype=np.float32), (n_images, 1))
    names = np.array([f"{i // 2:03d}{'ab'[i % 2]}" for i in range(n_images)])
    pool = np.array([f"description {i}" for i in range(len(vectors))])
    return Retrieval(names, content, ids, sims, pool, vectors)


def contents(similar, d=8, seed=1):
    """Contents of the images of pairs: equal in similar pairs, independent in others."""
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(2, len(similar), d))
    second = np.where(np.reshape(similar, (-1, 1)) == 1, first, second)
    return np.stack([first, second], axis=1).reshape(-1, d).astype(np.float32)


def models(noise, n_models=3):
    """`ModelScores` of several seeds, and their pairs; only the noise differs between seeds."""
    pairs = made()
    scored = []
    for seed in range(n_models):
        found = retrieval(contents(pairs.judged.similar), noise, seed)
        vectors = {"joint": found.pool_vectors, "text": found.pool_vectors + 0.3}
        scored.append(model_scores(seed, found, vectors, pairs, COUNTS, "joint"))
    return scored, pairs


FLAT = np.full(LONGEST, 3.0)
FIRST_GOOD = np.concatenate([[0.3], np.full(LONGEST - 1, 12.0)])
MIDDLE_GOOD = np.concatenate([[5.0], np.full(9, 1.5), np.full(LONGEST - 10, 25.0)])


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


def test_settings_table_has_intervals_for_the_first_seed_alone():
    scored, pairs = models(FLAT, 2)
    table = settings_table(scored, pairs, ["eq4 joint"], PROFILE)
    assert len(table) == 2 * len(COUNTS)
    first, second = (part for _, part in table.groupby("seed"))
    for name in ("auc", "spearman", "accuracy"):
        assert (first[f"{name}_low"] <= first[name]).all()
        assert (first[name] <= first[f"{name}_high"]).all()
        assert second[f"{name}_low"].isna().all()
    expected = roc_auc_score(
        pairs.test.similar, scored[0].kernels["eq4 joint"].judged[2][pairs.evaluated]
    )
    assert first.auc.iloc[2] == pytest.approx(expected)


def test_pairs_in_between_count_for_the_correlation_alone():
    pairs = labelled_pairs()
    scores = np.random.default_rng(0).normal(size=N_PAIRS)
    rows = []
    for label in (pairs.similar, np.where(np.arange(N_PAIRS) % 5 == 0, -1, pairs.similar)):
        judged = pairs.where(np.arange(N_PAIRS) >= 0)
        judged.similar[:] = label
        rows.append(statistics_row(made(judged), scores, PROFILE))
    assert rows[0]["spearman"] == rows[1]["spearman"]
    assert rows[0]["auc"] != rows[1]["auc"]


def test_normalisation_changes_nothing_at_a_held_out_threshold():
    scored, pairs = models(FLAT, 1)
    assert normalisation_gap(scored[0], pairs, PROFILE) < 1e-9


def test_self_scores_fall_with_n():
    scored, pairs = models(FLAT, 1)
    table = self_score_table(scored[0], pairs)
    joint = table[table.space == "joint"]["median"].to_numpy()
    assert joint[0] == pytest.approx(1, abs=1e-5)
    assert (np.diff(joint) < 0).all()


# --- the fixed threshold -----------------------------------------------------------------------


def scores_at(alike, different):
    """A model whose mean scores at each of `COUNTS` are given, one value per class."""
    pairs = made()
    rng = np.random.default_rng(0)
    jitter = rng.normal(0, 0.01, size=(len(COUNTS), N_PAIRS))
    judged = np.where(pairs.judged.similar == 1, np.c_[alike], np.c_[different]) + jitter
    kernel = KernelScores(COUNTS, judged, judged[:, pairs.judged.split == "val"])
    means = {"joint": np.zeros((len(COUNTS), 0, 1), dtype=np.float32)}
    empty = np.array([])
    return ModelScores(0, empty, means, {"eq4 joint": kernel}, empty), pairs


def test_the_papers_four_scores_are_those_of_its_figures():
    paper = paper_clip_scores()
    assert sorted(paper["alike"]) == [0.65, 0.67]
    assert sorted(paper["different"]) == [0.21, 0.28]
    own = {"alike": np.array([0.66, 0.9]), "different": np.array([0.245, 0.245])}
    squares = (0.01**2 + 0.01**2 + 0.035**2 + 0.035**2) / 4
    assert misfit(own)[0] == pytest.approx(np.sqrt(squares))
    assert misfit(own)[1] > misfit(own)[0]


def test_each_normalisation_finds_the_n_that_was_planted():
    # As a mean the paper's scores appear at N = 10; as printed, N times the mean, at N = 5.
    alike = [0.2, 0.25, 0.66 / 5, 0.66, 0.3]
    different = [0.1, 0.1, 0.245 / 5, 0.245, 0.1]
    model, pairs = scores_at(alike, different)
    table = fixed_threshold_table(model, pairs)
    fitted = fitted_counts(model, pairs, table, "accuracy").set_index("normalisation")
    assert fitted.n_by_scores.to_dict() == {"mean": 10, "paper": 5}
    assert fitted.n_by_scores_95.to_dict() == {"mean": "10–10", "paper": "5–5"}
    assert fitted.loc["mean", "n_by_threshold"] == 10
    assert fitted.loc["mean", "accuracy"] == 1


def test_accuracy_at_the_fixed_threshold_is_scikit_learns():
    model, pairs = scores_at([0.52, 0.49, 0.5, 0.6, 0.3], [0.5, 0.48, 0.1, 0.5, 0.1])
    table = fixed_threshold_table(model, pairs)
    for row in table.itertuples():
        scores = model.kernels["eq4 joint"].judged[COUNTS.index(row.n)][pairs.evaluated]
        called = scores * (row.n if row.normalisation == "paper" else 1) >= PAPER_THRESHOLD
        assert row.accuracy == pytest.approx(accuracy_score(pairs.test.similar, called))
        assert row.accuracy_low <= row.accuracy <= row.accuracy_high


# --- the sign ----------------------------------------------------------------------------------


def signs(content):
    pairs = made()
    found = retrieval(content, np.full(LONGEST, 0.01))
    scored = model_scores(0, found, {"joint": found.pool_vectors}, pairs, COUNTS, "joint")
    return scored, sign_table(scored, pairs), pairs


def test_one_exception_among_test_pairs_refutes():
    content = np.abs(contents(labelled_pairs().similar)) + 1
    content[-1] *= -1
    scored, table, _ = signs(content)
    (one,) = sign_findings(table, 5)
    assert (one["verdict"], one["n_pairs"]) == (NOT_SUPPORTED, N_PAIRS // 2)
    assert one["estimate"] == 1 / (N_PAIRS // 2)
    assert seed_shares([scored], made(), "joint", 5) == [0.01]


def test_exceptions_that_no_test_pair_shows_are_found_among_all_pairs():
    content = np.abs(contents(labelled_pairs().similar)) + 1
    content[-2:] *= -1  # both images of the last pair
    _, table, _ = signs(content)
    (one,) = sign_findings(table, 5)
    n_images = N_PAIRS
    assert one["verdict"] == NOT_SUPPORTED
    assert one["n_pairs"] == n_images * (n_images - 1) // 2
    assert one["estimate"] * one["n_pairs"] == pytest.approx(2 * (n_images - 2))
    assert "taken as independent" in one["interval"]


def test_no_exception_leaves_it_undecided():
    content = np.abs(contents(labelled_pairs().similar)) + 1
    _, table, _ = signs(content)
    (one,) = sign_findings(table, 5)
    assert (one["verdict"], one["estimate"]) == (UNDECIDED, 0)


# --- within groups of pairs --------------------------------------------------------------------


def crossed(effect_of_layout):
    """A model whose image cosine follows content and layout, and Eq. 4 content alone."""
    judged = labelled_pairs()
    same_layout = np.char.endswith(judged.kind, "same layout")
    judged.graded[:] = 0.85 * judged.similar + 0.15 * same_layout
    pairs = made(judged)
    rng = np.random.default_rng(5)
    by_content = judged.similar + rng.normal(0, 0.3, N_PAIRS)
    cosine = judged.similar + effect_of_layout * same_layout + rng.normal(0, 0.3, N_PAIRS)
    kernel = KernelScores((1, 5), np.stack([by_content, by_content]), np.empty((2, 0)))
    return ModelScores(0, np.array([]), {}, {"eq4 joint": kernel}, cosine), pairs


def test_a_lift_by_layout_gains_correlation_and_loses_auc():
    model, pairs = crossed(1.0)
    rho = agreement_by_count(model, pairs, "eq4 joint").set_index("pairs")
    assert rho.loc["similar", "image cosine"] > rho.loc["similar", "N = 5"] + 0.3
    auc = contrasts_by_count(model, pairs, "eq4 joint").set_index("contrast")
    mixed = "similar in another : other in the same layout"
    assert auc.loc["similar : other", "image cosine"] < auc.loc["similar : other", "N = 5"]
    assert auc.loc[mixed, "image cosine"] < 0.7 < auc.loc[mixed, "N = 5"]
    difference = agreement_differences(model, pairs, model.kernels["eq4 joint"].judged[1])
    within = difference.set_index("pairs").loc["similar"]
    assert within.high < 0
    assert within.low < within.difference < within.high


def test_groups_in_which_every_grade_is_equal_are_left_out():
    pairs = made()
    assert set(pair_groups(pairs.test)) == {
        "all",
        "similar",
        "other",
        "same layout",
        "other layout",
    }
    pairs.test.graded[:] = pairs.test.similar
    assert "similar" not in pair_groups(pairs.test)


def test_pairs_without_kinds_have_one_contrast():
    model, pairs = crossed(1.0)
    pairs.test.kind[:] = ""
    assert contrasts_by_count(model, pairs, "eq4 joint").contrast.tolist() == ["similar : other"]


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
