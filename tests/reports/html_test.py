"""The page: self-contained, honest about what is missing, stable, legible."""

import base64
import dataclasses
import html.parser
import io
import json
import re

from matplotlib.backends import backend_agg
import pandas as pd
import pytest

from codelaw.reports import contents
from codelaw.reports import html as page_lib

_VOID = {'meta', 'br', 'img', 'link', 'hr', 'input'}


class _Checker(html.parser.HTMLParser):
  def __init__(self):
    super().__init__()
    self.open, self.ids, self.references = [], [], []

  def handle_starttag(self, tag, attrs):
    for name, value in attrs:
      if name == 'id':
        self.ids.append(value)
      if name in ('src', 'href', 'xlink:href'):
        self.references.append(value)
    if tag not in _VOID:
      self.open.append(tag)

  def handle_startendtag(self, tag, attrs):
    self.handle_starttag(tag, attrs)
    if tag not in _VOID:
      self.open.pop()

  def handle_endtag(self, tag):
    assert self.open.pop() == tag


@pytest.fixture(scope='module')
def content(found):
  return contents.of_study(found)


@pytest.fixture(scope='module')
def page(content):
  return page_lib.render(content)


def test_the_page_is_well_formed_and_needs_nothing_else(page):
  checker = _Checker()
  checker.feed(page)
  assert checker.open == []
  assert len(checker.ids) == len(set(checker.ids))
  references = [r for r in checker.references if not r.startswith('data:')]
  inside = {f'#{name}' for name in checker.ids}
  assert set(references) <= inside
  assert set(re.findall(r'url\((#[^)]+)\)', page)) <= inside
  assert '<script' not in page
  assert '@import' not in page


def test_doubts_come_before_numbers_and_figures(page):
  order = [
    page.index(part)
    for part in (
      'Uniform rates are as good',
      'Read this first',
      'class="answer"',
      '<figure>',
      'How to go on',
      'Where the numbers come from',
    )
  ]
  assert order == sorted(order)
  assert page.count('<figure>') == 11
  assert 'prefers-color-scheme: dark' in page
  assert '--gin_file=generated/planted_mixture.gin' in page


def test_every_number_can_be_downloaded(page, found, study):
  links = re.findall(
    r'download="([^"]+)" href="data:[^;]+;[^,]+,([^"]+)"', page
  )
  files = {name: base64.b64decode(data).decode() for name, data in links}
  assert len(files) == len(links)
  tables = page.count('<table')
  assert sum(name.endswith('.csv') for name in files) == tables + 4
  fits = json.loads((study / 'fits' / 'fit.json').read_text())
  assert json.loads(files['fit.json']) == fits
  assert json.loads(files['allocation.json'])['num_params'] == 500_000
  assert {'mixture_fit.json', 'synergy.json', 'confirmation.json'} <= set(files)
  rates = pd.read_csv(io.StringIO(files['allocation_allocated_rates.csv']))
  assert rates['rate'].tolist() == pytest.approx(
    list(found.allocation.rates.values()), rel=1e-11
  )


def test_the_page_is_small(page):
  assert len(page.encode()) < 1_200_000


def test_tables_name_their_rows_and_columns(page):
  body = page[page.index('<table') :]
  rows = body.count('<tr>')
  assert body.count('scope="col"') > body.count('<thead>')
  assert body.count('scope="row"') == rows - body.count('<thead>')
  for figure in re.findall(r'<figure>.*?</figure>', page, re.DOTALL):
    assert re.search(r'<svg role="img" aria-label="[^"]{20,}"', figure)


def test_many_doubts_are_folded(content):
  many = dataclasses.replace(
    content, sections=(), warnings=tuple(f'Doubt {i}.' for i in range(9))
  )
  text = page_lib.render(many)
  assert '<summary>3 more</summary>' in text
  assert text.index('Doubt 5') < text.index('3 more') < text.index('Doubt 6')


def _texts(axes):
  """The texts of axes that are shown; ticks beyond the limits are not."""
  yield axes.title
  if axes.axison:
    yield from (axes.xaxis.label, axes.yaxis.label, *axes.texts)
    for place, axis in enumerate((axes.xaxis, axes.yaxis)):
      low, high = sorted(axis.get_view_interval())
      for label in axis.get_ticklabels():
        if low <= label.get_position()[place] <= high:
          yield label


def _boxes(figure):
  """(text, box) of every text of a figure that is shown."""
  canvas = backend_agg.FigureCanvasAgg(figure)
  canvas.draw()
  texts = [text for axes in figure.axes for text in _texts(axes)]
  texts += [text for legend in figure.legends for text in legend.get_texts()]
  return [
    (text.get_text(), text.get_window_extent(canvas.renderer))
    for text in texts
    if text.get_text()
  ]


def test_no_text_of_a_figure_is_clipped_or_covered(content):
  for section in content.sections:
    for picture in section.pictures:
      figure = picture.figure
      boxes = _boxes(figure)
      assert len(boxes) > 5
      for place, (text, box) in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1, text
        for other, its_box in boxes[:place]:
          width = min(box.x1, its_box.x1) - max(box.x0, its_box.x0)
          height = min(box.y1, its_box.y1) - max(box.y0, its_box.y0)
          # Boxes hold room above and below their letters.
          assert width <= 1 or height <= 3, (picture.name, text, other)


def test_what_is_missing_is_left_out(found):
  bare = dataclasses.replace(
    found,
    fits=(),
    synergy=(),
    allocation=None,
    confirmation=None,
    run_records=(),
    table=None,
  )
  text = page_lib.render(contents.of_study(bare))
  for part in ('Synergy', 'Confirmation', 'Allocated', 'How to go on'):
    assert part not in text
  assert 'Laws of mixtures' in text
  assert '<figure>' not in text


def test_names_from_outside_are_escaped(content):
  text = page_lib.render(dataclasses.replace(content, name='<b>&', sections=()))
  assert '&lt;b&gt;&amp;' in text
  assert '<b>&' not in text
