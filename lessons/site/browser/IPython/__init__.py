"""What lessons ask of IPython, where a page takes its place."""
