"""Files that a page carries in its links."""

import base64
import io
import json

import pandas as pd

from codelaw.reports import downloads


def _content(link):
  kind, _, data = link.address.partition(';base64,')
  assert kind.endswith(';charset=utf-8')
  return base64.b64decode(data).decode()


def test_a_table_comes_back_from_its_link():
  table = pd.DataFrame({'run_id': ['a,b', 'é'], 'loss': [1 / 3, 2.5e-7]})
  link = downloads.of_table('Laws: Größe & tokens', table)
  assert link.name == 'laws_gr_e_tokens.csv'
  assert link.address.startswith('data:text/csv;')
  content = _content(link)
  assert link.num_bytes == len(content.encode())
  back = pd.read_csv(io.StringIO(content))
  # Twelve digits are written.
  pd.testing.assert_frame_equal(back, table, rtol=1e-11)


def test_what_is_too_large_is_named_and_not_carried():
  text = json.dumps('x' * downloads.MOST_BYTES)
  link = downloads.of_json('fit.json', text)
  assert (link.name, link.address) == ('fit.json', '')
  assert link.num_bytes == downloads.MOST_BYTES + 2
  small = downloads.of_json('fit.json', text[: downloads.MOST_BYTES])
  assert _content(small) == text[: downloads.MOST_BYTES]


def test_large_fits_go_without_their_bootstrap_estimates():
  fit = {'law': 'kaplan', 'bootstrap_estimates': {'alpha': [0.5]}}
  content = {'fits': [fit, fit]}
  name, text = downloads.shortened('fit.json', content)
  assert (name, json.loads(text)) == ('fit.json', content)
  large = {'fits': [fit] * (downloads.MOST_BYTES // 50)}
  name, text = downloads.shortened('mixture_fit.json', large)
  assert name == 'mixture_fit_without_bootstrap.json'
  assert json.loads(text)['fits'][0] == {**fit, 'bootstrap_estimates': {}}
