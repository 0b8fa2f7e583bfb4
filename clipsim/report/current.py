"""Whether an executed notebook is what a run would make again.

Its copy carries a stamp: a digest of all that it was made from, and one of each file that it left.
Files count by their content, so that a notebook run again with the same outcome leaves those after
it current; only the user's data count by name, size and time. In doubt a notebook runs.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from importlib.metadata import distributions
from os.path import expanduser

from clipsim.data.pictures import PictureFile, files_below
from clipsim.profile import REPOSITORY, relative
from clipsim.record import atomic_path

READ = ("data_root", "pool_file", "image_encoder", "text_encoder")  # keys that may name a place


def made_from(path, earlier, settings):
    """A digest of all that a notebook is made from: code, settings, data, what others handed on.

    Parameters
    ----------
    path : Path
        The notebook.
    earlier : list of Path
        The executed copies of those that it may read from.
    settings : Profile

    Returns
    -------
    str or None
        None where it cannot be known, since an earlier notebook has no stamp.
    """
    stamps = list(map(_stamp, earlier))
    values = asdict(settings) | {"output_root": None}
    places = [REPOSITORY / expanduser(values[key]) for key in READ if values[key]]
    if not all(stamps):
        return None
    data = [PictureFile(f).stamp() for p in places if p.exists() for f in files_below(p)]
    package = [f for f in files_below(REPOSITORY / "clipsim") if f.suffix != ".pyc"]
    # What is gone is no input: the state of a training that went on after it was interrupted.
    handed_on = {REPOSITORY / name for stamp in stamps for name in stamp["left"]}
    inputs = sorted({path, *package, *handed_on})
    content = {str(relative(f)): _digest(f) for f in inputs if f.is_file()}
    return hashlib.sha256(json.dumps([values, _installed(), data, content]).encode()).hexdigest()


def is_current(copy, digest):
    """Whether a copy was made from what has this digest, and all that it left is as it was."""
    stamp = _stamp(copy)
    if digest is None or stamp.get("made_from") != digest:
        return False
    return all(_digest(REPOSITORY / name) == content for name, content in stamp["left"].items())


def outcome(settings):
    """What the notebooks of a run have left: every file, with what changes when it does."""
    folders = settings.results_dir, settings.figures_dir, settings.work_dir
    files = (f for folder in folders for f in files_below(folder) if f.is_file())
    return {f: PictureFile(f).stamp() for f in files}


def write_stamp(copy, digest, before, settings):
    """Stamp a copy that was just executed; `before` is the `outcome` until then."""
    others = (_stamp(other) for other in copy.parent.glob("[0-9][0-9]_*.ipynb") if other != copy)
    theirs = {REPOSITORY / name for stamp in others for name in stamp.get("left", ())}
    after, notebook = outcome(settings), json.loads(copy.read_text(encoding="utf-8"))
    results = settings.results_dir / f"{copy.stem}.json"
    is_silent = before.get(results) == after.get(results)
    if digest is None or (is_silent and "write_results" in str(notebook["cells"])):
        return  # the latter wrote elsewhere, from what no profile names: notebook 14 on a folder
    left = [
        f for f, state in after.items()
        if before.get(f) != state
        or f.name.startswith(copy.stem[:3])  # as 02_recipes.json, which an earlier run made
        or (f.is_relative_to(settings.work_dir) and f not in theirs)  # as a model trained before
    ]  # fmt: skip
    files = {str(relative(f)): _digest(f) for f in left}
    notebook["metadata"]["clipsim"] = {"made_from": digest, "left": files}
    with atomic_path(copy) as temporary:
        temporary.write_text(json.dumps(notebook, indent=1, ensure_ascii=False), encoding="utf-8")


def _stamp(copy):
    """The stamp of an executed copy, {} where it has none."""
    with suppress(OSError, ValueError, KeyError):
        return json.loads(copy.read_text(encoding="utf-8"))["metadata"]["clipsim"]
    return {}


def _digest(file):
    """Of a file's content; None without one."""
    return _digest_of(file, PictureFile(file).stamp())


@cache  # by what changes when the file does
def _digest_of(file, _):
    if not file.is_file():
        return None
    content = file.read_bytes()
    if file.suffix == ".json" and file.parent.parent.name == "results":
        with suppress(ValueError, KeyError):  # results count without their time and place
            record = json.loads(content)
            content = json.dumps([record["data"], record["results"]]).encode()
    return hashlib.sha256(content).hexdigest()


@cache
def _installed():
    return sorted(f"{one.name} {one.version}" for one in distributions())
