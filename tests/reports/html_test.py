"""The page: self-contained, honest about what is missing, stable."""

import dataclasses
import html.parser
import re

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
def page(found):
  return page_lib.render(contents.of_study(found))


def test_the_page_is_well_formed_and_needs_nothing_else(page):
  checker = _Checker()
  checker.feed(page)
  assert checker.open == []
  assert len(checker.ids) == len(set(checker.ids))
  assert all(r.startswith('#') for r in checker.references)
  inside = {f'#{name}' for name in checker.ids}
  assert set(checker.references) <= inside
  assert set(re.findall(r'url\((#[^)]+)\)', page)) <= inside
  assert '<script' not in page
  assert '@import' not in page


def test_the_answer_comes_first_then_doubts_then_figures(page):
  order = [
    page.index(part)
    for part in (
      'class="answer"',
      'Read this before trusting it',
      '<figure>',
      'How to go on',
      'Provenance',
    )
  ]
  assert order == sorted(order)
  assert page.count('<figure>') == 6
  assert 'prefers-color-scheme: dark' in page
  assert '--gin_file=generated/planted_mixture.gin' in page


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


def test_names_from_outside_are_escaped(found):
  text = page_lib.render(
    contents.of_study(dataclasses.replace(found, name='<b>&'))
  )
  assert '&lt;b&gt;&amp;' in text
  assert '<b>&' not in text
