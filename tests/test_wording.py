"""Durations and sizes as people read them."""

from clipsim.record import duration, gibibytes


def test_durations():
    seconds = (0.4, 41.2, 59.6, 200, 3600 * 2.1)
    words = ["0 s", "41 s", "1 min 0 s", "3 min 20 s", "2 h 6 min"]
    assert list(map(duration, seconds)) == words


def test_sizes():
    assert [gibibytes(n * 2**30) for n in (0.02, 1.61, 80.2)] == ["0.02 GiB", "1.6 GiB", "80 GiB"]
