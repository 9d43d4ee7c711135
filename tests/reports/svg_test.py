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


def test_a_shorter_drawing_keeps_its_texts_and_styles():
  text = svg._shorter(
    '<g clip-path="url(#a)">\n'
    '  <use href="#m" x="1.23456" style="fill: red"/>\n'
    '  <use href="#m" x="2.5" style="fill: red"/>\n</g>\n'
    '<g>\n<use x="1" style="fill: red"/>\n<use x="2" style="fill: blue"/></g>'
    '<text x="0.0944123">0.0944</text>'
  )
  assert text == (
    '<g clip-path="url(#a)" style="fill: red">\n<use href="#m" x="1.23"/>\n'
    '<use href="#m" x="2.5"/></g>\n'
    '<g>\n<use x="1" style="fill: red"/>\n<use x="2" style="fill: blue"/></g>'
    '<text x="0.09">0.0944</text>'
  )
