"""How runs are shown: as text, HTML and plots, in a notebook, a terminal or none."""
