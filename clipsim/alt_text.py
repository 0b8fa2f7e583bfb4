"""What a figure shows, in words, for those who cannot see it.

The text is read off the figure itself: panels, axes, legend, pictures. What follows from it is
said by the caption below.
"""

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
