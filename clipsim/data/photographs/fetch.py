"""The command `fetch`: Flickr8k or Flickr30k from the Hugging Face hub into a folder.

The folder appears only when it is whole. Until then everything lies beside it in FOLDER.part,
from where an interrupted download goes on, also in the middle of a file. Every file is checked
against the hub's hash, and `manifest.json` records size and sha256: a later run checks the
folder against it and fetches again what is damaged.
"""

import json
import os
import shlex
import shutil
import sys
import textwrap
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from clipsim.data.captioned_images import DataError
from clipsim.data.photographs.hub_files import (
    ANNOTATIONS,
    converted_annotations,
    digest,
    download,
    listed_files,
    reason,
    unpacked,
)
from clipsim.data.photographs.layouts import check_name, file_text
from clipsim.record import atomic_path

MANIFEST = "manifest.json"
WORK = ".fetch"  # inside the folder, hidden from the readers: partial files and archives
# With --repo: every layout that the readers know.
LAYOUTS = (
    "*.parquet", "*.zip", ANNOTATIONS, "*captions.csv", "*captions.txt", "*results.csv",
    "*.token", "*.token.txt", "*mages.txt", "*Annotations.txt", "*dataset_flickr*.json",
)  # fmt: skip
NAMED_AT_MOST = 5
PHOTOGRAPHS = (
    "The photographs belong to those who took them and are subject to Flickr's terms of use: do "
    "not publish them or pass them on. The copy on the hub is made by others than the authors."
)


@dataclass(frozen=True)
class Source:
    """Where a data set lies on the hub, what is needed of it, and on which terms."""

    repo: str
    patterns: tuple[str, ...]
    by_hand: str
    terms: str


SOURCES = {
    # Image and caption_0 … caption_4 in parquet files, in the official parts, 1.1 GB.
    "flickr8k": Source(
        repo="jxie/flickr8k",
        patterns=("data/*.parquet",),
        by_hand="the folder data of https://huggingface.co/datasets/jxie/flickr8k",
        terms="Terms of use: Flickr8k (Hodosh, Young and Hockenmaier, Journal of Artificial "
        "Intelligence Research 47, 2013) may be used for research and education only, not "
        "commercially; cite the paper.",
    ),
    # The pictures in an archive of 4.4 GB; captions and Karpathy's splits in a table.
    "flickr30k": Source(
        repo="nlphuji/flickr30k",
        patterns=(ANNOTATIONS, "flickr30k-images.zip"),
        by_hand="flickr30k-images.zip of https://huggingface.co/datasets/nlphuji/flickr30k, "
        "unpacked, and Karpathy's dataset_flickr30k.json",
        terms="Terms of use: Flickr30k (Young, Lai, Hodosh and Hockenmaier, Transactions of the "
        "Association for Computational Linguistics 2, 2014) may be used for research and "
        "education only, not commercially; cite the paper.",
    ),
}


def add_arguments(parser):
    """Add the options of `fetch` to an argument parser."""
    parser.add_argument("dataset", choices=list(SOURCES), help="which data set")
    parser.add_argument("--to", metavar="FOLDER", help="where to (default: data/<data set>)")
    parser.add_argument("--repo", metavar="ID", help="another repository on the hub, owner/name")
    parser.add_argument("--revision", metavar="REV", help="branch, tag or commit (default: main)")


def run(args):
    """Fetch a data set, or check the one that is there; 0 when it is whole."""
    source = SOURCES[args.dataset]
    shown = Path(args.to or Path("data", args.dataset)).expanduser()
    try:
        if (shown / MANIFEST).is_file():
            _check(shown, source, args)
        else:
            _fetch(shown, source, args)
    except KeyboardInterrupt:
        options = [("--to", args.to), ("--repo", args.repo), ("--revision", args.revision)]
        words = [word for name, value in options if value for word in (name, value)]
        command = shlex.join(["python", "-m", "clipsim", "fetch", args.dataset, *words])
        print(f"\ninterrupted, nothing is lost; continue with: {command}", file=sys.stderr)
        return 130
    print(f"\n{textwrap.fill(f'{source.terms} {PHOTOGRAPHS}', 88)}\n")
    _say_next("flickr8k", shown)
    if all((shown.parent / name / MANIFEST).is_file() for name in SOURCES):
        _say_next("paper", shown.parent)
    return 0


def _say_next(profile, root):
    words = ["run", "--profile", profile, "-p", f"data_root={root}"]
    print(f"next: {shlex.join(['python', '-m', 'clipsim', *words])}")


def _fetch(folder, source, args):
    if folder.exists() and (folder.is_file() or any(folder.iterdir())):
        raise DataError(f"{folder} has files that fetch did not put there; pass --to FOLDER")
    repo, asked = args.repo or source.repo, args.revision or "main"
    patterns = LAYOUTS if args.repo else source.patterns
    commit, listed = listed_files(repo, asked, folder, source)
    files = [file for file in listed if any(fnmatchcase(file.path, p) for p in patterns)]
    if not files:
        raise DataError(f"{repo} has no files that can be used ({', '.join(patterns)})")
    target = folder.resolve()
    tree = target.with_name(f"{target.name}.part")
    size_mb = sum(file.size for file in files) / 1e6
    print(f"{repo} at {commit[:8]}: {size_mb:,.1f} MB to {folder}", flush=True)
    made = _made(tree, repo, commit, files)
    for path in tree.rglob("*"):  # left by an interrupted run of another revision
        name = path.relative_to(tree).as_posix()
        if path.is_file() and name not in made and not name.startswith(f"{WORK}/"):
            path.unlink()
    contents = _contents(tree)
    entries = [
        {
            "file": name,
            "size": (tree / name).stat().st_size,
            "sha256": digest(tree / name),
            "source": made[name],
        }
        for name in sorted(made)
    ]
    manifest = {"repo": repo, "asked": asked, "revision": commit, "files": entries}
    with atomic_path(tree / MANIFEST) as path:
        path.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    os.rename(tree, target)
    shutil.rmtree(target / WORK, ignore_errors=True)
    print(f"{folder}: {contents}")


def _check(folder, source, args):
    """Check a folder against its manifest and fetch again what is damaged."""
    manifest = _read_manifest(folder)
    repo, commit, entries = manifest["repo"], manifest["revision"], manifest["files"]
    if args.repo not in (None, repo) or args.revision not in (None, commit, manifest["asked"]):
        raise DataError(f"{folder} holds {repo} at {commit[:8]}; pass another --to FOLDER")
    damaged = _damaged(folder, entries)
    if damaged:
        print(f"damaged: {_some(damaged)}; fetching again", flush=True)
        origins = {entry["source"] for entry in entries if entry["file"] in damaged}
        _, listed = listed_files(repo, commit, folder, source)
        files = [file for file in listed if file.path in origins]
        _made(folder, repo, commit, files, only=set(damaged))
        damaged = _damaged(folder, [e for e in entries if e["file"] in damaged])
        if damaged:
            raise DataError(f"{folder}: still not as in {MANIFEST}: {_some(damaged)}; fetch anew")
    shutil.rmtree(folder / WORK, ignore_errors=True)
    print(f"{folder}: {repo} at {commit[:8]}, every file as in {MANIFEST}")


def _made(tree, repo, commit, files, only=None):
    """Download `files` and put into `tree` what is read of them: each name to its origin.

    With `only`, files of other names stay as they are.
    """
    work = tree / WORK
    work.mkdir(parents=True, exist_ok=True)
    for file in files:
        download(repo, commit, file, work, (tree if file.is_kept else work) / file.path)
    made = {}
    for file in files:
        if file.is_kept:
            names = [file.path]
        elif file.path.endswith(".zip"):
            names = unpacked(work / file.path, tree, only)
        else:
            names = converted_annotations(work / file.path, tree)
        made |= dict.fromkeys(names, file.path)
    return made


def _contents(tree):
    """What the readers will find, in words; `DataError` where they find nothing."""
    parts = sorted(path for path in tree.rglob("*.parquet") if WORK not in path.parts)
    if not parts:
        from clipsim.data.photographs.layouts import folder_collection

        found = folder_collection(tree, seed=0)
        return f"{found.name}, {len(found.pictures):,} pictures"
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        n_pictures = sum(pq.read_metadata(part).num_rows for part in parts)
        names = ["image.path", "filename"]
        rows = pq.ParquetFile(parts[0]).read_row_group(0, columns=names).slice(0, 1).to_pylist()
    except pa.ArrowException as error:
        raise DataError(f"{parts[0].name}: not a parquet file ({reason(error)})") from None
    if not any(row.get("filename") or row.get("image", {}).get("path") for row in rows):
        return (
            f"{n_pictures:,} pictures, not called by their file names: neither the human "
            "judgments nor a merge with the other data set will find them"
        )
    return f"{n_pictures:,} pictures"


def _damaged(folder, entries):
    """Names of the files that are missing or differ from their entry."""
    return [
        entry["file"]
        for entry in entries
        if not (path := folder / entry["file"]).is_file()
        or path.stat().st_size != entry["size"]
        or digest(path) != entry["sha256"]
    ]


def _read_manifest(folder):
    path = folder / MANIFEST
    try:
        manifest = json.loads(file_text(path))
        for entry in manifest["files"]:
            check_name(entry["file"], path)
            _ = entry["size"], entry["sha256"], entry["source"]
        _ = manifest["repo"], manifest["asked"], manifest["revision"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: {reason(error)}; remove {folder} and fetch again") from None
    return manifest


def _some(names):
    more = len(names) - NAMED_AT_MOST
    return ", ".join(names[:NAMED_AT_MOST]) + (f" and {more:,} more" if more > 0 else "")
