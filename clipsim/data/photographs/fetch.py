"""Flickr8k and Flickr30k from the Hugging Face hub into a folder that the readers read."""

import os
import shutil
import zipfile
import zlib
from pathlib import Path

from clipsim.data.captioned_images import DataError
from clipsim.data.photographs.folders import folder_collection
from clipsim.data.photographs.huggingface import REACHED_WITHIN_S, reason

TERMS = (
    "Terms of use: {} may be used for research and education only, not commercially; cite the "
    "paper. The photographs belong to those who took them and are subject to Flickr's terms of "
    "use: do not publish them or pass them on. The copy on the hub is made by others than the "
    "authors."
)
JUDGMENTS = (
    "People's judgments are apart; put them into the folder: ExpertAnnotations.txt and "
    "CrowdFlowerAnnotations.txt of Flickr8k's text archive, and visual_sts.v2.0.all.tsv of "
    "https://oierldl.github.io/vsts."
)


# Where a data set lies on the hub, what is needed of it, and who made it.
SOURCES = {
    # Image and caption_0 … caption_4 in parquet files, in the official parts, 1.1 GB.
    "flickr8k": (
        "jxie/flickr8k",
        ["data/*.parquet"],
        "Flickr8k (Hodosh, Young and Hockenmaier, JAIR 47, 2013)",
    ),
    # The pictures in an archive of 4.4 GB; captions and Karpathy's splits in a table.
    "flickr30k": (
        "nlphuji/flickr30k",
        ["flickr_annotations_30k.csv", "flickr30k-images.zip"],
        "Flickr30k (Young, Lai, Hodosh and Hockenmaier, TACL 2, 2014)",
    ),
}


def fetch(name, folder, repo=None, revision="main"):
    """Download a data set of photographs from the Hugging Face hub.

    The folder appears when everything is there and can be read. Until then it is called
    FOLDER.part, from where the same call goes on after an interruption. A folder that has files
    already is read and left as it is.

    Parameters
    ----------
    name : {"flickr8k", "flickr30k"}
    folder : str or Path
    repo : str, optional
        Another repository of the data set on the hub, "owner/name", in any layout that is known.
    revision : str
        Branch, tag or commit.

    Returns
    -------
    list of str
        For the user: what is in the folder, what will not work with it, the terms of use.

    Raises
    ------
    DataError
        In one line: the hub cannot be reached (and what to put where by hand), it has no such
        data set, or what is there is in no layout that is known.
    """
    own, files, work = SOURCES[name]
    files = None if repo not in (None, own) else files  # of another repository all
    folder = Path(folder).expanduser()
    partial = folder.with_name(f"{folder.name}.part")
    is_new = not folder.exists() or not any(folder.iterdir())
    if is_new:
        _download(repo or own, files, folder, partial, revision)
        for archive in partial.rglob("*.zip"):
            try:
                shutil.unpack_archive(archive, archive.parent)  # nothing above that folder
            except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError) as error:
                fault = f"{archive.name}: cannot be unpacked ({reason(error)})"
                raise DataError(fault) from None
        os.replace(partial, folder)
    try:
        found = folder_collection(folder, seed=0)
    except DataError as error:
        if not is_new:
            raise
        os.replace(folder, partial)
        raise DataError(f"{error} (what was fetched is in {partial})") from None
    if is_new:
        shutil.rmtree(folder / ".cache", ignore_errors=True)  # the hub's client's notes
        for archive in folder.rglob("*.zip"):
            archive.unlink()
    said = [f"{folder}: {found.name}, {len(found.pictures):,} pictures"]
    if found.name == "photographs":
        said.append(
            "The pictures are not called by their file names: neither the human judgments nor a "
            "merge with the other data set will find them."
        )
    return [*said, JUDGMENTS, TERMS.format(work)]


def _download(repo, files, folder, partial, revision):
    import huggingface_hub
    from huggingface_hub import errors

    missing = errors.RepositoryNotFoundError, errors.RevisionNotFoundError
    try:
        # Asked first: without a network, what an interrupted call left would pass for whole.
        hub = huggingface_hub.HfApi()
        commit = hub.dataset_info(repo, revision=revision, timeout=REACHED_WITHIN_S).sha
        options = {"revision": commit, "local_dir": partial, "allow_patterns": files}
        huggingface_hub.snapshot_download(repo, repo_type="dataset", **options)
    except (*missing, errors.HFValidationError):
        raise DataError(
            f"{repo} at {revision}: the hub has no such data set, or none that is open to you; "
            "pass --repo ID"
        ) from None
    except Exception as error:  # the hub's client and its transport share no base class
        files = " and ".join(files or ["the files"])
        raise DataError(
            f"the Hugging Face hub cannot be reached ({reason(error)}): run the same command "
            f"again, or download {files} of https://huggingface.co/datasets/{repo} by hand, "
            f"unpack them into {folder} and pass -p data_root={folder}"
        ) from None
