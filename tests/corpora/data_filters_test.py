import base64
import random
import time

import pytest

from codelaw.corpora import documents
from codelaw.corpora import filters

_DATA = random.Random(0).randbytes(3000)
_CODE = 'for item in items:\n  total = add(total, item)\n' * 60
_PROSE = 'People read words on a page, and few of them. ' * 10


def _raw(text, language='python'):
  return documents.RawDocument(text, 'code/python', language, 'a')


def _base64(length, width):
  text = base64.b64encode(_DATA).decode()[:length]
  return '\n'.join(text[i : i + width] for i in range(0, length, width))


def _escapes(pattern, count):
  return ''.join(pattern % byte for byte in _DATA[:count])


@pytest.mark.parametrize(
  ('text', 'dropped'),
  [
    (_CODE, False),
    (_CODE + 'x = """' + _base64(1100, 76) + '"""', True),
    (_CODE + 'x = """' + _base64(1100, 1100) + '"""', True),
    (_CODE + 'x = """' + _base64(900, 76) + '"""', False),
    ('x = """' + _base64(900, 76) + '"""', True),
    (_CODE + '"' + _escapes('\\x%02x', 260) + '"', True),
    (_CODE + '"' + _escapes('\\x%02x', 250) + '"', False),
    (_CODE + '{' + _escapes('0x%02x, ', 180) + '}', True),
    (_CODE + '{' + _escapes('0x%02x, ', 160) + '}', False),
    (_CODE + _escapes('%02x ', 400), True),
    (_CODE + '"' + _escapes('\\u00%02x', 180) + '"', True),
    (_CODE + '"' + _escapes('\\u00%02X', 160) + '"', False),
    (_CODE + '# ' + 'deadbeef' * 200, True),
    # Words, one a line or in a path, are no data.
    ('\n'.join(['word'] * 900), False),
    ('\n'.join(f'/usr/share/{n}/doc' for n in range(300)), False),
    ('mask = 0x1F | 0x2F\n' * 40, False),
    ('', False),
  ],
)
def test_encoded_data(text, dropped):
  assert filters.FILTERS['encoded_data'](_raw(text)) is dropped


@pytest.mark.parametrize(
  ('language', 'text', 'dropped'),
  [
    ('json', '{"name": "some words that are long enough to be kept"}', False),
    ('json', '{"a": "b"}', True),
    ('yaml', 'key: value of words\n' * 250, False),
    ('yaml', 'key: value of words\n' * 251, True),
    ('yaml', 'abcde:\n' * 513, True),
    ('yaml', 'abcde:\n' * 512, False),
    ('json', '[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]', True),
    ('python', '[1, 2]', False),
  ],
)
def test_data_files(language, text, dropped):
  assert filters.FILTERS['data_files'](_raw(text, language)) is dropped


def test_xml_under_other_names():
  text = '\n<?xml version="1.0"?><a/>'
  assert filters.FILTERS['xml'](_raw(text))
  assert not filters.FILTERS['xml'](_raw(text, 'html'))
  assert not filters.FILTERS['xml'](_raw(' ' * 90 + text))


@pytest.mark.parametrize(
  ('text', 'dropped'),
  [
    (f'<p>{_PROSE}</p>', False),
    ('<p>short</p>', True),
    (f'<script>{_PROSE}</script><p>short</p>', True),
    (f'<STYLE type="x">{_PROSE}</STYLE>', True),
    (f'<!-- {_PROSE} -->', True),
    (f'<script>a = "<!--"</script><p>{_PROSE}</p>', False),
    (f'<!-- <script> --><p>{_PROSE}</p>', False),
    (f'<script src="x">{_PROSE}', True),
    (f'{"<br>" * 250}<p>{_PROSE}</p>', False),
    (f'{"<br>" * 600}<p>{_PROSE}</p>', True),
    (' ' * 5000 + f'<p>{_PROSE}</p>', True),
  ],
)
def test_little_visible_text(text, dropped):
  check = filters.FILTERS['little_visible_text']
  assert check(_raw(text, 'html')) is dropped
  assert not check(_raw(text, 'markdown'))


@pytest.mark.parametrize(
  'text',
  [
    '<script' * 60_000,
    '<script>' * 60_000,
    '<!--' * 100_000,
    '<' * 400_000,
    'A' * 400_000,
    'aB3+/' * 80_000,
    '0x' * 200_000,
    '0x00 \n' * 70_000,
    '00 ' * 130_000,
    '\\x00' * 100_000,
    '\\u0000' * 70_000,
    '\n' * 400_000,
    ' ' * 400_000,
    '1.' * 200_000,
    ('A' * 60 + ' ') * 6_000,
  ],
)
def test_no_text_takes_long(text):
  for language in ('html', 'json', 'python'):
    raw = _raw(text, language)
    start = time.process_time()
    for name in filters.FILTERS:
      filters.FILTERS[name](raw)
    # A few tens of milliseconds; quadratic time would be minutes.
    assert time.process_time() - start < 3
