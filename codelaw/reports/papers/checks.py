"""Checks of a paper's statements against its own numbers.

A check is a function of published and fitted numbers; it computes, compares
and says in words what came out. None knows the answer in advance: the same
function finds nothing to object to where the numbers agree.
"""

from collections.abc import Iterable
from collections.abc import Sequence
import dataclasses

import pandas as pd

from codelaw.reports import layout
from codelaw.reports import tables

HOLDS = 'holds'
FAILS = 'does not hold'
UNKNOWN = 'cannot be known'


@dataclasses.dataclass(frozen=True)
class Check:
  """One statement and what the numbers say about it.

  Attributes:
    name: a few words, unique on a page.
    claim: what the paper states or implies.
    numbers: (what, value) that were computed, as text.
    outcome: one of `HOLDS`, `FAILS`, `UNKNOWN`.
    verdict: what the numbers say, in one or two sentences.
  """

  name: str
  claim: str
  numbers: tuple[tuple[str, str], ...]
  outcome: str
  verdict: str


def outcome(holds: bool) -> str:
  """`HOLDS` or `FAILS`."""
  return HOLDS if holds else FAILS


def section(found: Sequence[Check]) -> layout.Section:
  """All checks with the numbers behind them, those that fail first."""
  groups = {
    'What does not hold': [c for c in found if c.outcome == FAILS],
    'What holds, or cannot be known': [c for c in found if c.outcome != FAILS],
  }
  return layout.Section(
    'Checks of what is stated',
    (),
    tuple(
      _table(title, members) for title, members in groups.items() if members
    ),
  )


def _table(title: str, found: Sequence[Check]) -> tables.Table:
  return tables.Table(
    title,
    'What is stated or implied; what the numbers say; and those numbers, all'
    ' computed from the published ones.',
    ('check', 'statement and verdict'),
    tuple(
      (
        f'{check.name}\n{check.outcome}',
        f'Stated: {check.claim} Found: {check.verdict}\n'
        + '; '.join(f'{what}: {value}' for what, value in check.numbers),
      )
      for check in found
    ),
    pd.DataFrame(
      [
        {
          'check': check.name,
          'stated': check.claim,
          'outcome': check.outcome,
          'verdict': check.verdict,
          **dict(check.numbers),
        }
        for check in found
      ]
    ),
  )


def verdict(found: Sequence[Check], name: str) -> str:
  """The verdict of one check."""
  return next(check.verdict for check in found if check.name == name)


def warnings(found: Iterable[Check]) -> tuple[str, ...]:
  """The verdicts a reader must know first."""
  return tuple(
    f'{check.name}: {check.verdict}'
    for check in found
    if check.outcome == FAILS
  )


def summary(found: Sequence[Check]) -> str:
  """How many statements hold, in one sentence."""
  failing = [check for check in found if check.outcome == FAILS]
  return (
    f'Of {len(found)} statements that its numbers can test,'
    f' {len(failing)} do not hold.'
  )
