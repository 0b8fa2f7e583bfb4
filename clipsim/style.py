"""One look for every figure, and one identity per metric: colour, line and marker.

Colours are safe for colour-blind readers and differ in grey; widths are those of a journal's
column and page.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from IPython import get_ipython
from IPython.display import display

from clipsim import notebook_output
from clipsim.compared_metrics import METRICS
from clipsim.paths import relative
from clipsim.results import atomic_path

COLUMN_IN = 3.4
PAGE_IN = 7.0
SIMILAR, OTHER = "#00694d", "#a8a8a8"  # apart in grey, too
IDENTITY = {metric.key: metric.look for metric in METRICS}
HOLLOW = tuple(metric.key for metric in METRICS if metric.variant == "package")


def use_style():
    """Make the study's look that of every figure from here on, and of a notebook's tables."""
    plt.style.use(Path(__file__).with_name("clipsim.mplstyle"))
    if (shell := get_ipython()) is not None:
        notebook_output.set_up(shell)


def marker_style(key):
    """Keywords of a metric's marker: colour, shape, hollow for the package's variants."""
    identity = IDENTITY[key]
    face = "white" if key in HOLLOW else identity["color"]
    return {"marker": identity["marker"], "color": identity["color"], "markerfacecolor": face}


def save_figure(figure, profile, name, numbers):
    """Save a figure as PNG (300 dpi) and PDF, its numbers as CSV beside it; in a notebook show it.

    What the cell displays next, such as the caption, stands below the figure.

    Parameters
    ----------
    figure : matplotlib Figure
    profile : Profile
    name : str
        Stem of the files. Figures that show pictures are named `figure_*` or `sheet_*`:
        of photographs these are never committed.
    numbers : pandas.DataFrame
        What the figure shows.
    """
    folder = profile.figures_dir
    # Fixed metadata, so that equal figures are equal files.
    for suffix, metadata in ((".png", {"Software": None}), (".pdf", {"CreationDate": None})):
        with atomic_path(folder / f"{name}{suffix}") as temporary:
            figure.savefig(temporary, metadata=metadata)
    save_table(numbers, folder / f"{name}.csv")
    print(f"figure: {relative(folder / name)}.png, .pdf, .csv")
    show_figure(figure)


def show_figure(figure):
    """Show a figure in a notebook, where it was asked for, and close it."""
    if get_ipython() is not None:
        display(figure)
    plt.close(figure)


def save_table(table, path):
    """Write a table as CSV, floats with six significant digits."""
    with atomic_path(path) as temporary:
        pd.DataFrame(table).to_csv(temporary, index=False, float_format="%.6g")
