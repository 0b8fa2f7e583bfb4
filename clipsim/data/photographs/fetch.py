"""Flickr8k and Flickr30k from the Hugging Face hub into a folder that the readers read."""

import shutil
import zipfile
import zlib
from pathlib import Path

from clipsim.data.captioned_images import DataError
from clipsim.data.photographs.folders import folder_collection
from clipsim.data.photographs.huggingface import reason

REACHED_WITHIN_S = 10
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


def fetch(name, folder, repo=None):
    """Download a data set of photographs from the Hugging Face hub.

    The folder appears when everything is there. Until then it is called FOLDER.part, from where
    the same call goes on after an interruption. A folder that is there is read, and left as it is.

    Parameters
    ----------
    name : {"flickr8k", "flickr30k"}
    folder : str or Path
    repo : str, optional
        Another repository of the data set on the hub, "owner/name", in any layout that is known.

    Returns
    -------
    list of str
        For the user: what is in the folder, what is not, the terms of use.

    Raises
    ------
    DataError
        In one line: the hub gave nothing (and what to put where by hand), or what is there is in
        no layout that is known.
    """
    own, files, work = SOURCES[name]
    folder = Path(folder).expanduser()
    if not folder.exists():
        partial = folder.with_name(f"{folder.name}.part")
        _download(repo or own, files if repo in (None, own) else ["*"], partial)
        for archive in partial.rglob("*.zip"):
            try:
                shutil.unpack_archive(archive, archive.parent)  # nothing above that folder
            except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError) as error:
                raise DataError(f"{archive}: cannot be unpacked ({reason(error)})") from None
            archive.unlink()
        folder_collection(partial, seed=0)  # else the same command would never fetch it again
        partial.rename(folder)
    found = folder_collection(folder, seed=0)
    said = f"{folder}: {found.name}, {len(found.pictures):,} pictures"
    return [said, JUDGMENTS, TERMS.format(work)]


def _download(repo, files, folder):
    from huggingface_hub import HfApi, snapshot_download

    try:
        # Asked first: without a network, what an interrupted call left would pass for whole.
        commit = HfApi().dataset_info(repo, timeout=REACHED_WITHIN_S).sha
        snapshot_download(
            repo, repo_type="dataset", revision=commit, local_dir=folder, allow_patterns=files
        )
    except Exception as error:  # the hub's client and its transport share no base class
        wanted = "the files" if files == ["*"] else " and ".join(files)
        raise DataError(
            f"the Hugging Face hub did not give {repo} ({reason(error)}): run the "
            f"same command again, pass another --repo, or download {wanted} of "
            f"https://huggingface.co/datasets/{repo} by hand, unpack them into a folder and pass "
            "-p data_root=FOLDER"
        ) from None
