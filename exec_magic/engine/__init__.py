"""Runs: their queue, their processes, their end. Knows no IPython, no widgets, no pandas."""
