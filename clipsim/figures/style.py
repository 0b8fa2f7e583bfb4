"""One look for every figure, and one identity per metric: colour, line and marker.

Colours are safe for colour-blind readers and differ in grey; widths are those of a journal's
column and page.

What a figure shows, in words, for those who cannot see it.

The text is read off the figure itself: panels, axes, legend, pictures. What follows from it is
said by the caption below.

How a notebook shows things: figures sharp and with alternative text, tables as tables.

So it is in JupyterLab and in the executed copies alike; outside of IPython nothing changes.
"""

import html
import io
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd
from IPython import get_ipython
from IPython.core.pylabtools import retina_figure
from IPython.display import Markdown, display
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from clipsim.metrics import METRIC_LABELS, METRICS
from clipsim.profile import relative
from clipsim.record import atomic_path

LONGEST = 500  # characters: half a minute when read aloud


def alt_text(figure):
    """Alternative text of a figure.

    Parameters
    ----------
    figure : matplotlib Figure

    Returns
    -------
    str
        Its title, the titles of its pictures, what its panels draw against what, and the names
        in its legends; at most about `LONGEST` characters.
    """
    pictures = [axis for axis in figure.axes if axis.images]
    panels = [axis for axis in figure.axes if axis.axison and not axis.images]
    texts = [axis for axis in figure.axes if not axis.axison]
    parts = [
        _titles(figure),
        _pictures(pictures),
        _panels(panels, figure),
        _legend(figure),
        "; ".join(dict.fromkeys(text.get_text() for axis in texts for text in axis.texts)),
    ]
    said = " ".join(" ".join(_sentence(part).split()) for part in parts if part)
    if len(said) <= LONGEST:
        return said
    return said[: said.rfind(" ", 0, LONGEST)].rstrip(" …") + " …"


def _titles(figure):
    """Titles of the figure and of its parts, and what is written beside the panels."""
    titles = [part.get_suptitle() for part in (figure, *figure.subfigs)]
    labels = (figure.get_supxlabel(), figure.get_supylabel())
    titles += [text.get_text() for text in figure.texts if text.get_text() not in labels]
    return "; ".join(dict.fromkeys(filter(None, titles)))


def _pictures(axes):
    titles = [axis.get_title() or axis.get_title("left") or axis.get_xlabel() for axis in axes]
    said = "; ".join(filter(None, titles))
    n_pictures = sum(len(axis.images) for axis in axes)
    count = f"{n_pictures} picture" + "s" * (n_pictures > 1)
    return f"{count}: {said}" if said else count * bool(axes)


def _panels(axes, figure):
    """What is drawn against what; panels that share it are listed by their titles."""
    x_of_all = next((axis.get_xlabel() for axis in axes if axis.get_xlabel()), "")
    titles, drawn, y = [], [], ""
    for axis in axes:
        y = axis.get_ylabel() or figure.get_supylabel() or y  # that of the panel to the left
        x = axis.get_xlabel() or figure.get_supxlabel() or _shared_label(axis) or x_of_all
        categories = [*_categories(axis.yaxis), *_categories(axis.xaxis)]
        if categories:
            drawn.append(" against ".join(filter(None, [y, x])) + f" for {_listed(categories)}")
        else:
            drawn.append(" against ".join(filter(None, [y, x])))
        titles.append(axis.get_title("left") or axis.get_title())
    if len(set(drawn)) == 1:
        named = "; ".join(filter(None, titles))
        start = f"{len(axes)} panels" if len(axes) > 1 else "Chart"
        return f"{start}, {drawn[0]}" + (f": {named}" if named else "")
    said = [": ".join(filter(None, pair)) for pair in zip(titles, drawn, strict=True)]
    return f"{len(axes)} panels: {'; '.join(said)}" if said else ""


def _shared_label(axis):
    """The label below the panels that share an axis with this one."""
    siblings = axis.get_shared_x_axes().get_siblings(axis)
    return next((one.get_xlabel() for one in siblings if one.get_xlabel()), "")


def _categories(axis):
    """The labels of an axis, where they are words, and not powers of ten in TeX."""
    labels = [label.get_text() for label in axis.get_ticklabels()]
    return [name for name in labels if any(map(str.isalpha, name)) and "$" not in name]


def _legend(figure):
    parts = (figure, *figure.subfigs)
    legends = [legend for part in parts for legend in part.legends]
    legends += [axis.get_legend() for axis in figure.axes]
    entries = [text.get_text() for legend in legends if legend for text in legend.get_texts()]
    named = list(dict.fromkeys(filter(None, entries)))
    return f"Shown: {_listed(named)}" if named else ""


def _listed(names):
    return ", ".join(f"“{name}”" if "," in name else name for name in names)


def _sentence(text):
    return text if text[-1] in ".!?…" else text + "."


MOST_ROWS = 60  # of a table; dots stand for the others
DECIMALS, MOST_DECIMALS = 3, 4


def set_up(shell):
    """Teach an IPython shell to show figures by `sharp_png` and tables by `table_html`."""
    plt.switch_backend(plt.get_backend())  # loads the notebooks' own, which then changes nothing
    formatters = shell.display_formatter.formatters
    formatters["image/png"].for_type(Figure, sharp_png)
    formatters["text/html"].for_type(pd.DataFrame, table_html)


def sharp_png(figure):
    """A figure as PNG of two pixels for one, with what a page needs to know of it.

    Returns
    -------
    str, dict
        The PNG in base64; `width` and `height` in CSS pixels, and `alt`, the alternative text.
        None for a figure without axes, as IPython's own.
    """
    drawn = retina_figure(figure, base64=True)
    if drawn is None:
        return None
    png, size = drawn
    return png, size | {"alt": alt_text(figure)}


def table_html(table):
    """A table as HTML for people: words to the left, numbers to the right, none too long.

    A column of floats has as many decimals as it was rounded to, or three; values that these
    would make zero are powers of ten. Row numbers that say nothing are left out.

    Parameters
    ----------
    table : pandas.DataFrame
    """
    columns = range(table.shape[1])
    decimals = [_decimals(table.iloc[:, i]) for i in columns]
    shown = pd.DataFrame({i: [_text(v, decimals[i]) for v in table.iloc[:, i]] for i in columns})
    shown.index, shown.columns = table.index, table.columns
    worded = [i for i in columns if any(isinstance(v, str) for v in table.iloc[:, i])]
    left = [{"selector": f".col{i}", "props": "text-align: left"} for i in worded]
    styled = shown.style.set_table_styles(left)
    for axis in (0, 1):
        styled = styled.format_index(lambda name: _text(name, DECIMALS), axis=axis)
    if table.index.name is None and pd.api.types.is_integer_dtype(table.index.dtype):
        styled = styled.hide()
    written = styled.to_html(max_rows=MOST_ROWS, table_attributes='class="dataframe"')
    for heading in ("col", "row"):
        written = written.replace(
            f'class="{heading}_heading', f'scope="{heading}" class="{heading}_heading'
        )
    return written


def _decimals(column):
    if column.dtype.kind != "f":
        return DECIMALS
    for decimals in range(MOST_DECIMALS + 1):
        if (column.dropna().round(decimals) == column.dropna()).all():
            return decimals
    return DECIMALS


def _text(value, decimals):
    """A value of a table as people read it, safe in HTML."""
    if isinstance(value, dict):
        return ", ".join(f"{_text(k, decimals)}: {_text(v, decimals)}" for k, v in value.items())
    if isinstance(value, list | tuple | np.ndarray):
        return f"[{', '.join(_text(item, decimals) for item in value)}]"
    if isinstance(value, str):
        return html.escape(METRIC_LABELS.get(value, value))
    if isinstance(value, bool) or not isinstance(value, Real):
        return "–" if pd.isna(value) else html.escape(str(value))
    if isinstance(value, Integral):
        return f"{value:,}"
    if pd.isna(value):
        return "–"
    is_small = 0 < abs(value) < 0.5 * 10**-decimals
    return f"{value:.0e}" if is_small else f"{value:,.{decimals}f}"


COLUMN_IN = 3.4
PAGE_IN = 7.0
SIMILAR, OTHER = "#00694d", "#a8a8a8"  # apart in grey, too
IDENTITY = {metric.key: metric.look for metric in METRICS}
HOLLOW = tuple(metric.key for metric in METRICS if metric.variant == "package")


def use_style():
    """Make the study's look that of every figure from here on, and of a notebook's tables."""
    plt.style.use(Path(__file__).with_name("clipsim.mplstyle"))
    if (shell := get_ipython()) is not None:
        set_up(shell)


def marker_style(key):
    """Keywords of a metric's marker: colour, shape, hollow for the package's variants."""
    identity = IDENTITY[key]
    face = "white" if key in HOLLOW else identity["color"]
    return {"marker": identity["marker"], "color": identity["color"], "markerfacecolor": face}


def show(run, name, figure, numbers, caption):
    """Save a figure with its numbers and, in a notebook, show it above its caption.

    A study's functions return `figure, numbers, caption`, so that a notebook has one line:
    `show(run, "n_sweep", *room.n_sweep(...))`.

    Parameters
    ----------
    run : Run
        From `clipsim.record.start_run`; its profile says where the files go.
    name : str
        Stem of the files; see `save_figure`.
    figure : matplotlib Figure or None
        None where the data have nothing to show, and the caption alone says so.
    numbers : pandas.DataFrame
        What the figure shows.
    caption : str
        Markdown, computed from the numbers.
    """
    if figure is not None:
        save_figure(figure, run.profile, name, numbers)
    if get_ipython() is not None:
        display(Markdown(f"*{caption}*"))


def save_figure(figure, profile, name, numbers):
    """Save a figure as PNG and PDF, its numbers as CSV beside it; in a notebook show it.

    The PNG has 200 dpi and a palette of 256 colours. The PDF of the paper's figures stands beside
    it; the others are left with the run.

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
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    palette = Image.open(drawn).convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, dither=0)
    with atomic_path(folder / f"{name}.png") as temporary:
        palette.save(temporary, optimize=True)
    vectors = folder if name.startswith("figure_") else profile.run_dir / "figures"
    with atomic_path(vectors / f"{name}.pdf") as temporary:
        figure.savefig(temporary, metadata={"CreationDate": None})  # equal figures, equal files
    save_table(numbers, folder / f"{name}.csv")
    print(f"figure: {relative(folder / name)}.png, .csv; {relative(vectors / name)}.pdf")
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
