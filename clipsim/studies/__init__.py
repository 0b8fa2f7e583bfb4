"""The experiments: a room for each notebook that has one of its own, named as the notebook is.

A study owns its experiment from pairs to figure: its functions return `figure, numbers, caption`,
or tables and findings, and the notebook shows them.
"""
