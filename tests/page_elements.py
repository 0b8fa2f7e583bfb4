"""What the tests look for in a page of the report."""

from html.parser import HTMLParser
from urllib.parse import urlsplit

LOADING = ("src", "srcset", "poster", "data")  # attributes that load; href does so in a link tag


class _Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def elements(page, tag=None):
    """Attributes of the elements of an HTML file with this tag, or (tag, attributes) of all."""
    parser = _Elements()
    parser.feed(page.read_text(encoding="utf-8"))
    return [known for name, known in parser.found if name == tag] if tag else parser.found


def broken_links(page):
    """The links of a page to files or headings that are not there."""
    broken = []
    for target in (known.get("href", "") for known in elements(page, "a")):
        parts = urlsplit(target)
        file = page.parent / parts.path if parts.path else page
        names = {known.get("id") for _, known in elements(file)} if file.is_file() else set()
        if parts.scheme or not file.is_file() or (parts.fragment and parts.fragment not in names):
            broken.append(target)
    return broken


def loaded(page):
    """What a page loads from outside of itself, scripts included."""
    found = []
    for tag, known in elements(page):
        found += [
            known[name] for name in LOADING if not known.get(name, "data:").startswith("data:")
        ]
        if tag in ("link", "script", "iframe"):
            found.append(tag)
    text = page.read_text(encoding="utf-8")
    return found + ["url()"] * text.count("url(") + ["@import"] * text.count("@import")
