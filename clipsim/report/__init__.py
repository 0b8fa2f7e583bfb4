"""The study as a whole: notebooks executed, compared with the committed results, and rendered.

`run_notebooks` is the command `run`; `write_report` and `write_pages` make HTML and Markdown of
what has run; no notebook imports these.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "check": ["headlines", "tolerance"],
        "pages": ["made_of", "write_pages", "write_report"],
        "run": ["check_parameters", "notebook_paths", "outline", "run_notebooks"],
    },
)  # fmt: skip
