"""One look for every figure and table, how a notebook shows and saves them, and what they say.

Colours are safe for colour-blind readers and differ in grey; widths are those of a journal's
column and page. A figure shown by `show` is kept with its numbers, names its data, and has an
alternative text for those who cannot see it.
"""

import html
import io
import re
from functools import partial
from numbers import Integral, Real
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython import get_ipython
from IPython.core.pylabtools import retina_figure
from IPython.display import Markdown, display
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image

from clipsim.metrics import METRIC_LABELS, METRICS
from clipsim.profile import relative
from clipsim.record import atomic_path

COLUMN_IN, PAGE_IN = 3.4, 7.0
INK = "#222222"
SIMILAR, OTHER = "#00694d", "#a8a8a8"  # apart in grey, too
IDENTITY = {metric.key: metric.look for metric in METRICS}
HOLLOW = {metric.key for metric in METRICS if metric.variant == "package"}

FOOT_IN = 0.14  # the line below a figure that names its data
MOST_ROWS, MOST_DECIMALS = 60, 3  # of a table


def use_style():
    """Make the study's look that of every figure from here on, and of a notebook's tables."""
    plt.style.use(Path(__file__).with_name("clipsim.mplstyle"))
    if (shell := get_ipython()) is not None:
        plt.switch_backend(plt.get_backend())  # else the notebook's own, set later, undoes this
        formatters = shell.display_formatter.formatters
        formatters["image/png"].for_type(Figure, partial(retina_figure, base64=True))
        formatters["text/html"].for_type(pd.DataFrame, table_html)


def marker_style(key):
    """Keywords of a metric's marker for matplotlib's `plot`.

    Parameters
    ----------
    key : str
        Of a metric; the marker of a "package" variant is hollow.

    Returns
    -------
    dict
        `marker`, `color`, `markerfacecolor`.
    """
    look = IDENTITY[key]
    face = "white" if key in HOLLOW else look["color"]
    return {"marker": look["marker"], "color": look["color"], "markerfacecolor": face}


def show(run, name, figure, numbers, caption, data=None):
    """Save a figure with its numbers and, in a notebook, show it above its caption.

    Charts, sheets and studies return `figure, numbers, caption`, so that a notebook has one line:
    `show(run, "n_sweep", *room.n_sweep(...))`.

    Parameters
    ----------
    run : Run
        From `clipsim.record.start_run`. Its profile says where the files go, and which data are
        named below the figure.
    name : str
        Stem of the PNG (200 dpi, 256 colours), the CSV and the PDF. The PDF of a `figure_*`
        stands beside the others, every other is left with the run. Figures that show pictures are
        named `figure_*` or `sheet_*`: of photographs these are never committed.
    figure : matplotlib Figure or None
        None where the data have nothing to show, and the caption alone says so.
    numbers : pandas.DataFrame
        What the figure shows; floats are written with six significant digits.
    caption : str
        Markdown, computed from the numbers. The alternative text, where there is no title above.
    data : str, optional
        The name below the figure, where the data are not the profile's.
    """
    if figure is None:
        if get_ipython() is not None:
            display(Markdown(f"*{caption}*"))
        return
    profile, (width, height) = run.profile, figure.get_size_inches()
    of_profile = "OpenMoji scenes" if profile.dataset == "openmoji" else "photographs"
    foot = data or f"{of_profile} (profile {profile.name})"
    figure.text(0.995, 0, foot, ha="right", va="top", fontsize=6, color="#777777")
    box = Bbox.from_bounds(0, -FOOT_IN, width, height + FOOT_IN)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", bbox_inches=box)
    # By coverage: other ways turn rare colours, of a lamp in a park, into those of the park.
    palette = Image.open(drawn).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=0)
    folder = profile.figures_dir
    with atomic_path(folder / f"{name}.png") as temporary:
        palette.save(temporary, optimize=True)
    vectors = folder if name.startswith("figure_") else profile.run_dir / "figures"
    with atomic_path(vectors / f"{name}.pdf") as temporary:
        # No date: equal figures, equal files.
        figure.savefig(temporary, bbox_inches=box, metadata={"CreationDate": None})
    save_table(numbers, folder / f"{name}.csv")
    print(f"figure: {relative(folder / name)}.png, .csv; {relative(vectors / name)}.pdf")
    if get_ipython() is not None:
        about = {"alt": figure.get_suptitle() or caption, "figure": name}
        display(figure, metadata={"image/png": about})
        display(Markdown(f"*{caption}*"))
    plt.close(figure)


def save_table(table, path):
    """Write a table as CSV, floats with six significant digits."""
    with atomic_path(path) as temporary:
        pd.DataFrame(table).to_csv(temporary, index=False, float_format="%.6g")


def table_html(table):
    """A table as HTML for people: words to the left, numbers to the right, at most 60 rows.

    A column of floats has as many decimals as it was rounded to, at most three; values that these
    would make zero are powers of ten. Row numbers that say nothing are left out.
    """
    left = [{"selector": "", "props": "text-align: left"}]
    worded = table.select_dtypes(exclude="number").columns
    styled = table.apply(_texts).style.set_table_styles(dict.fromkeys(worded, left))
    for axis in (0, 1):
        styled = styled.format_index(_text, axis=axis)
    if table.index.name is None and pd.api.types.is_integer_dtype(table.index.dtype):
        styled = styled.hide()
    written = styled.to_html(max_rows=MOST_ROWS, table_attributes='class="dataframe"')
    return re.sub(r'class="(col|row)_heading', r'scope="\1" class="\1_heading', written)


def _texts(column):
    """A column as people read it, with the decimals that it was rounded to."""
    tried = range(MOST_DECIMALS if column.dtype.kind == "f" else 0)
    exact = [decimals for decimals in tried if column.round(decimals).equals(column)]
    return column.map(partial(_text, decimals=min(exact, default=MOST_DECIMALS)))


def _text(value, decimals=MOST_DECIMALS):
    """A value of a table as people read it, safe in HTML."""
    if isinstance(value, dict):
        return ", ".join(f"{_text(k)}: {_text(v, decimals)}" for k, v in value.items())
    if isinstance(value, list | tuple | np.ndarray):
        return f"[{', '.join(_text(item, decimals) for item in value)}]"
    if pd.isna(value):
        return "–"
    if isinstance(value, Integral) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, Real) and not isinstance(value, bool):
        is_small = 0 < abs(value) < 0.5 * 10**-decimals
        return f"{value:.0e}" if is_small else f"{value:,.{decimals}f}"
    return html.escape(METRIC_LABELS.get(value, str(value)))
