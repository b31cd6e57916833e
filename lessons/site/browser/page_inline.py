"""A backend of matplotlib whose figures are shown below the cell; `inline` is in its name, as in the notebooks'."""

from typing import Any

from matplotlib import _pylab_helpers
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

FigureCanvas, FigureManager = FigureCanvasAgg, FigureManagerBase


def show(*_arguments: Any, **_options: Any) -> None:
    """All open figures, which are closed by that."""
    import matplotlib.pyplot as plt
    from page_kernel import display

    for manager in _pylab_helpers.Gcf.get_all_fig_managers():
        display(manager.canvas.figure)
    plt.close("all")
