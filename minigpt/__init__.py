"""minigpt: a transformer in plain NumPy, every gradient written by hand."""
