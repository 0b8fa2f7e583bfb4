"""How a notebook shows things: figures sharp and with alternative text, tables as tables.

So it is in JupyterLab and in the executed copies alike; outside of IPython nothing changes.
"""

import html
from numbers import Integral, Real

import numpy as np
import pandas as pd
from IPython.core.pylabtools import retina_figure
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from clipsim.alt_text import alt_text
from clipsim.compared_metrics import METRIC_LABELS

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
