"""Files of a data set on the Hugging Face hub: listed, downloaded, checked, unpacked.

Everything goes to a temporary name and is moved when whole; a download that stops goes on in
the middle of the file.
"""

import csv
import hashlib
import json
import os
import zipfile
import zlib
from dataclasses import dataclass
from fnmatch import fnmatchcase

from clipsim.data.captioned_images import DataError
from clipsim.data.photographs.layouts import SUFFIXES, check_name, file_text
from clipsim.record import atomic_path

ANNOTATIONS = "flickr_annotations_*.csv"
REACHED_WITHIN_S = 5


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository: its path there, size in bytes, and the hub's hash of it."""

    path: str
    size: int
    sha256: str | None
    git_sha1: str

    @property
    def is_kept(self):
        """Whether the readers read it as it is; archives and annotations are converted."""
        return not (self.path.endswith(".zip") or fnmatchcase(self.path, f"*{ANNOTATIONS}"))

    def matches(self, path):
        """Whether the file at `path` has this file's size and hash."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        if self.sha256:
            return digest(path) == self.sha256
        return digest(path, hashlib.sha1(f"blob {self.size}\0".encode())) == self.git_sha1


def listed_files(repo, revision, folder, source):
    """Commit and files of a repository, asked once: it fails at once on a closed network."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        info = HfApi().dataset_info(
            repo, revision=revision, timeout=REACHED_WITHIN_S, files_metadata=True
        )
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        raise DataError(
            f"{repo} at {revision}: the hub has no such data set, or none that is open to you "
            f"({type(error).__name__}); pass --repo ID"
        ) from None
    except Exception as error:  # the hub's client and its transport share no base class
        by_hand = source.by_hand
        if repo != source.repo:
            by_hand = f"the files of https://huggingface.co/datasets/{repo}"
        raise DataError(
            f"the Hugging Face hub cannot be reached ({reason(error)}); download by hand "
            f"{by_hand}, put it into {folder} and pass -p data_root={folder}"
        ) from None
    files = []
    for file in info.siblings:
        check_name(file.rfilename, repo)
        sha256 = file.lfs.sha256 if file.lfs else None
        files.append(RemoteFile(file.rfilename, file.size, sha256, file.blob_id))
    return info.sha, files


def download(repo, commit, file, work, target):
    """Download one file to `target`, going on where an earlier run stopped."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    if file.matches(target):
        return
    # Not `snapshot_download`: it drops the beginning of a file when it is interrupted.
    partial = work / f"{file.sha256 or file.git_sha1}.partial"
    if partial.is_file() and partial.stat().st_size > file.size:
        partial.unlink()
    try:
        with partial.open("ab") as stream:
            http_get(
                hf_hub_url(repo, file.path, repo_type="dataset", revision=commit),
                stream,
                resume_size=stream.tell(),
                headers={**build_hf_headers(), "Accept-Encoding": "identity"},
                expected_size=file.size,
                displayed_filename=file.path,
            )
    except Exception as error:  # the hub's client and its transport share no base class
        raise DataError(
            f"{file.path}: the download stopped ({reason(error)}); what has arrived is kept: "
            "run the same command again"
        ) from None
    if not file.matches(partial):
        partial.unlink()
        raise DataError(f"{file.path}: arrived damaged; run the same command again")
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(partial, target)


def unpacked(archive, tree, only=None):
    """Unpack the pictures of an archive; returns the names of all of them."""
    from tqdm import tqdm

    try:
        with zipfile.ZipFile(archive) as packed:
            members = [m for m in packed.infolist() if not m.is_dir()]
            for member in members:
                check_name(member.filename, archive.name)
            members = [m for m in members if _is_picture(m.filename)]
            for member in tqdm(members, desc="unpacking", unit=" pictures", disable=None):
                if only is None or member.filename in only:
                    with atomic_path(tree / member.filename) as path:
                        path.write_bytes(packed.read(member))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError) as error:
        raise DataError(f"{archive.name}: cannot be unpacked ({reason(error)})") from None
    return [member.filename for member in members]


def converted_annotations(annotations, tree):
    """Write `captions.csv` from rows of raw (a JSON list of captions), filename and split."""
    name = annotations.name
    reader = csv.DictReader(file_text(annotations).splitlines(keepends=True))
    missing = {"raw", "filename", "split"} - set(reader.fieldnames or ())
    if missing:
        raise DataError(f"{name}: no column {', '.join(sorted(missing))}")
    with atomic_path(tree / "captions.csv") as path, path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "caption", "split"))
        for row in reader:
            try:
                captions = [str(caption) for caption in json.loads(row["raw"])]
            except (ValueError, TypeError):
                raise DataError(f"{name}:{reader.line_num}: raw is no list of captions") from None
            writer.writerows((row["filename"], caption, row["split"]) for caption in captions)
    return ["captions.csv"]


def _is_picture(name):
    hidden = any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    return not hidden and os.path.splitext(name)[1].lower() in SUFFIXES


def digest(path, start=None):
    """Hexadecimal sha256 of a file, or of the hash object `start` continued with it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, (lambda: start) if start else "sha256").hexdigest()


def reason(error):
    """Class and message of an exception in one short line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}".rstrip(": ")
