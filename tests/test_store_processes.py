"""Encoding by several processes, and by processes that are killed: the same bytes in the end."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from own_pictures import noise_pictures, tiny_checkpoint

from clipsim.data import picture_folder
from clipsim.model.clip import DualEncoder
from clipsim.retrieval import store
from clipsim.retrieval.store import encode, load_store

N_PICTURES, SHARD = 42, 8
# Encodes; kills itself in the middle of writing its n-th file; notes each picture it has encoded.
PROCESS = f"""
import os, signal, sys
from pathlib import Path
from clipsim import record as results
from clipsim.retrieval import store
from clipsim.data import picture_folder
from clipsim.model import features as encoding
from clipsim.model.clip import DualEncoder
from clipsim.model.state import study_accelerator

photos, folder, checkpoint, log, kill_at = sys.argv[1:]
store.PICTURES_PER_SHARD = {SHARD}
written, noted = 0, encoding._pixels

def pixels(file):
    with open(log, "a") as notes:
        notes.write(file.path.name + "\\n")
    return noted(file)

class Killing(type(Path())):
    def replace(self, target):
        global written
        written += 1
        if written == int(kill_at):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().replace(target)

encoding._pixels, encoding.READERS, results.Path = pixels, 1, Killing
accelerator = study_accelerator()
model = DualEncoder.load(checkpoint)
store.encode(model, picture_folder(photos), folder, accelerator)
accelerator.wait_for_everyone()
os._exit(0)  # gloo may abort where its peer is gone first
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Pictures, a checkpoint, a script, and the store of one undisturbed process."""
    root = tmp_path_factory.mktemp("given")
    noise_pictures(root / "photos", N_PICTURES - 1)
    (root / "photos" / "broken.jpg").write_text("no picture")
    model = tiny_checkpoint(root / "checkpoint")
    encode(model, picture_folder(root / "photos"), root / "store")
    (root / "process.py").write_text(PROCESS, encoding="utf-8")
    return root


def arguments(given, folder, kill_at=0):
    words = [given / "process.py", given / "photos", folder, given / "checkpoint"]
    return [*map(str, words), f"{folder}.log", str(kill_at)]


def run(*command):
    return subprocess.run(
        command, capture_output=True, text=True, cwd=Path(__file__).parent.parent
    )


def bytes_of(folder):
    return (folder / store.FILE).read_bytes()


def test_killed_in_a_shard_and_in_the_merge_it_goes_on(given, tmp_path):
    """6 shards, the 7th file is the merged one; a run that is killed leaves its n - 1 files."""
    folder, log = tmp_path / "store", tmp_path / "store.log"
    kept = 0
    for kill_at in (3, 5):  # the 3rd shard, then of the 4 that are left the merge
        done = run(sys.executable, *arguments(given, folder, kill_at))
        assert done.returncode == -signal.SIGKILL, done.stderr
        kept += kill_at - 1
        assert len(list((folder / store.SHARDS).glob("[!.]*"))) == kept
        assert not (folder / store.FILE).exists()
    before = log.read_text().split()
    encoded = encode(
        DualEncoder.load(given / "checkpoint"), picture_folder(given / "photos"), folder
    )
    assert (encoded.n_new, len(encoded.names), len(encoded.broken)) == (0, N_PICTURES - 1, 1)
    assert bytes_of(folder) == bytes_of(given / "store")
    assert not list(folder.glob(".vectors-*"))
    # Once each, but for the shard that was lost with the process and the one read ahead of it.
    assert set(before) == {path.name for path in (given / "photos").iterdir()}
    assert len(before) - N_PICTURES <= 2 * SHARD


def test_two_processes_give_the_bytes_of_one(given, tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    launch += ["--master_addr", "127.0.0.1", "--master_port", str(port)]
    done = run(*launch, *arguments(given, tmp_path / "store"))
    assert done.returncode == 0, done.stderr
    assert bytes_of(tmp_path / "store") == bytes_of(given / "store")
    noted = (tmp_path / "store.log").read_text().split()
    assert len(noted) == len(set(noted)) == N_PICTURES


def test_the_number_of_threads_changes_no_bit(given, tmp_path):
    model = DualEncoder.load(given / "checkpoint")
    captions = [f"{'very ' * i}odd picture number {i}" for i in range(40)]
    threads, stores = torch.get_num_threads(), []
    try:
        for n in (1, 2, 3):
            torch.set_num_threads(n)
            encode(model, picture_folder(given / "photos"), tmp_path / f"pictures {n}")
            encode(model, captions, tmp_path / f"captions {n}")
            stores.append(
                [bytes_of(tmp_path / f"{kind} {n}") for kind in ("pictures", "captions")]
            )
    finally:
        torch.set_num_threads(threads)
    assert stores[0] == stores[1] == stores[2]
    assert stores[0][0] == bytes_of(given / "store")
    assert len(load_store(tmp_path / "captions 1", model).names) == 40
