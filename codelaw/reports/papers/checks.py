"""Checks of a paper's statements against its own numbers.

A check is a function of published and fitted numbers; it computes, compares
and says in words what came out. None knows the answer in advance: the same
function finds nothing to object to where the numbers agree.
"""

from collections.abc import Iterable
from collections.abc import Sequence
import dataclasses

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


def table(found: Sequence[Check]) -> tables.Table:
  """All checks with the numbers behind them, those that fail first."""
  return tables.Table(
    'Checks',
    'What the paper states, and what its own numbers say. Every number is'
    ' computed from the published ones.',
    ('check', 'claim', 'outcome', 'computed', 'verdict'),
    tuple(
      (
        check.name,
        check.claim,
        check.outcome,
        '; '.join(f'{what}: {value}' for what, value in check.numbers),
        check.verdict,
      )
      for check in sorted(found, key=lambda c: c.outcome != FAILS)
    ),
  )


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
