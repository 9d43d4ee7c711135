"""Inline figures wear the ink of the page."""

from codelaw.reports import allocation_plots
from codelaw.reports import figures
from codelaw.reports import svg


def test_an_inline_figure_wears_the_pages_ink(found):
  texts = [
    svg.inline(
      allocation_plots.allocation_bars(found.allocation), 'bars', 'a < "b"'
    )
    for _ in range(2)
  ]
  assert texts[0] == texts[1]
  assert texts[0].startswith(
    '<svg role="img" aria-label="a &lt; &quot;b&quot;"'
  )
  assert 'var(--ink)' in texts[0]
  assert figures.INK not in texts[0]
  assert '>code/c_cpp<' in texts[0]
