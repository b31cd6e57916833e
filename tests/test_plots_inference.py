"""The figure of what is read for a token shows the numbers that it is given."""

import pytest
from matplotlib.figure import Figure

from minigpt.plots_inference import bytes_read


def test_bars_of_weights_and_cache_lie_end_to_end_in_megabytes():
    panel = Figure().subplots()
    bytes_read(panel, [("as it is", 3e6, 1e6), ("in few bits", 1e6, 2e6)])
    weights, cache = panel.containers
    assert [bar.get_width() for bar in weights] == pytest.approx([3, 1])
    assert [(bar.get_x(), bar.get_width()) for bar in cache] == [pytest.approx((3, 1)), pytest.approx((1, 2))]
    assert [text.get_text() for text in panel.texts] == ["3 + 1 MB", "1 + 2 MB"]
    assert panel.yaxis_inverted()
