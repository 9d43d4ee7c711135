"""Rates as gin: exact sums, limits, provenance, and gin reads them back."""

import math

import gin
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import pytest

from codelaw import errors
from codelaw import records
from codelaw.planning import allocation
from codelaw.planning import choosing
from codelaw.planning import mixture_gin


def _share(rate, floor=0.0, ceiling=1.0):
  return allocation.SourceShare(
    rate=rate,
    low=None,
    high=None,
    uniform_rate=0.5,
    floor=floor,
    ceiling=ceiling,
    num_tokens=0.0,
    epochs=None,
  )


@settings(deadline=None, max_examples=200)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=9).filter(sum))
def test_rates_sum_to_exactly_one(parts):
  rates = {f's{i}': part / math.fsum(parts) for i, part in enumerate(parts)}
  rounded = mixture_gin.rounded_rates({s: _share(r) for s, r in rates.items()})
  assert math.fsum(rounded.values()) == 1.0
  assert records.MixtureRates(rounded).shares() == {
    s: r for s, r in rounded.items() if r
  }
  for source, rate in rates.items():
    assert abs(rounded[source] - rate) <= 2e-4


def test_decimals_whose_sum_is_off_by_a_bit_are_mended():
  units = [116, 426, 6083, 2522, 853]
  assert math.fsum(unit / 10_000 for unit in units) != 1.0
  shares = {f's{i}': _share(unit / 10_000) for i, unit in enumerate(units)}
  rounded = mixture_gin.rounded_rates(shares)
  assert math.fsum(rounded.values()) == 1.0
  assert rounded['s2'] == 0.6083


def test_a_ceiling_is_never_rounded_away():
  shares = {
    'a': _share(0.33335, ceiling=0.33335),
    'b': _share(0.33335, ceiling=0.33335),
    'c': _share(0.33330),
  }
  rounded = mixture_gin.rounded_rates(shares)
  assert rounded == {'a': 0.3333, 'b': 0.3333, 'c': 0.3334}


def test_a_floor_is_never_rounded_away():
  shares = {'a': _share(0.00003, floor=0.00003), 'b': _share(0.99997)}
  assert mixture_gin.rounded_rates(shares) == {'a': 0.0001, 'b': 0.9999}


def test_rates_that_are_no_shares_are_refused():
  with pytest.raises(errors.UserError, match='sum to 1'):
    mixture_gin.rounded_rates({'a': _share(0.5)})


def test_the_file_says_where_it_comes_from_and_gin_reads_it(make_fit):
  fits = [
    make_fit(
      f'loss/{source}',
      {'E': 1.0, 'A': 9.0, 'B': B, 'alpha': 0.4, 'beta': 0.3, tau: 0.1},
      spread=0.02,
    )
    for source, B, tau in (
      ('code/c', 300.0, 'tau/code/java'),
      ('code/java', 900.0, 'tau/code/c'),
    )
  ]
  found = choosing.allocate(fits, num_params=1e6, num_tokens=1e8)
  text = mixture_gin.mixture_gin(found, 'codelaw allocate --fit=fit.json')
  assert text.startswith('#')
  for part in (
    'codelaw allocate --fit=fit.json',
    '0123456789abcdef',
    'law transfer',
    'loss/code/java',
    '90% interval',
  ):
    assert part in text
  assert max(map(len, text.splitlines())) <= 80
  configurable = gin.external_configurable(records.MixtureRates, 'RatesInTest')
  gin.clear_config()
  gin.parse_config(text.replace('MixtureRates.', 'RatesInTest.'))
  built = configurable()
  gin.clear_config()
  assert built.rates == mixture_gin.rounded_rates(found.sources)
  assert built.rates == pytest.approx(found.rates, abs=1e-4)
