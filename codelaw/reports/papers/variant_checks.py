"""Checks of paper B: its relative claims against its own table of scores.

Scores are printed to one decimal, so a relative change is known within a
range; a claim holds when the range of what is printed meets it.
"""

from collections.abc import Iterator

import pandas as pd

from codelaw.laws import relative_change
from codelaw.reports import tables
from codelaw.reports.papers import checks
from codelaw.reports.papers import published

MEASURES = {
  'nl_reasoning': 'reasoning',
  'world_knowledge': 'knowledge',
  'code_pass_at_1': 'code',
}
HEADLINE = 'balanced_to_text'
BASELINE = 'text_only'
_HALF_SCORE = 0.05  # Scores are printed to one decimal.

_text = tables.change_text

# (variant, stage) -> measure -> score.
Scores = dict[tuple[str, str], dict[str, float]]


def scores_of(table: pd.DataFrame) -> Scores:
  """Scores by variant and stage, from `code_in_pretraining_scores.csv`."""
  return {
    (row['variant'], row['stage']): {name: row[name] for name in MEASURES}
    for row in table.to_dict('records')
  }


def change_range(variant: float, baseline: float) -> tuple[float, float]:
  """Least and greatest relative change that the rounded scores allow."""
  high = max(baseline - _HALF_SCORE, 1e-9)
  return (
    relative_change.change(variant - _HALF_SCORE, baseline + _HALF_SCORE),
    relative_change.change(variant + _HALF_SCORE, high),
  )


def printed_range(text: str) -> tuple[float, float]:
  """What a printed number stands for.

  >>> printed_range('21')
  (20.5, 21.5)
  """
  half = 0.5 * 10.0 ** -len(text.partition('.')[2])
  return float(text) - half, float(text) + half


def name_of(variant: str) -> str:
  """`balanced_to_text` -> `balanced to text`."""
  return variant.replace('_', ' ')


def claim(scores: Scores, stated: dict[str, str]) -> checks.Check:
  """One relative claim of the text.

  Where the scores do not give it, other readings are tried: the change of the
  baseline against the variant (a drop where a gain is claimed), and the scores
  of other stages of either.

  Args:
    scores: of `scores_of`.
    stated: a row of `code_in_pretraining_claims.csv`, as text.
  """
  measure = stated['measure']
  sides = [
    (stated['variant'], stated['variant_stage']),
    (stated['baseline'], stated['baseline_stage']),
  ]
  values = [scores[side][measure] for side in sides]
  low, high = change_range(*values)
  printed = printed_range(stated['printed_percent'])
  holds = _meet((low, high), printed)
  words = f'{name_of(sides[0][0])} over {name_of(sides[1][0])}'
  if sides[0][0] == sides[1][0]:
    words = f'{name_of(sides[0][0])}, its cooldown'
  elif sides[0][1] == 'cooldown':
    words += ', after the cooldown'
  computed = relative_change.change(*values)
  if holds:
    verdict = f'The table gives {_text(computed)}.'
  else:
    reading = next(_readings(scores, measure, sides, printed), None)
    verdict = (
      f'The table gives {_text(computed)}, the text'
      f' {stated["printed_percent"]}%'
      + (
        f', which is {reading}.'
        if reading
        else '; no other reading of the table gives that number.'
      )
    )
  return checks.Check(
    f'{MEASURES[measure].capitalize()}, {words}',
    f'{_text(float(stated["printed_percent"]))}.',
    (
      ('scores', f'{values[0]:.1f} and {values[1]:.1f}'),
      (
        'with rounding',
        f'{_text(low)} to {_text(high)}',
      ),
    ),
    checks.outcome(holds),
    verdict,
  )


def _meet(one: tuple[float, float], other: tuple[float, float]) -> bool:
  return one[0] <= other[1] and other[0] <= one[1]


def _readings(
  scores: Scores,
  measure: str,
  sides: list[tuple[str, str]],
  printed: tuple[float, float],
) -> Iterator[str]:
  """Yields other readings that give the printed number."""
  variant, baseline = (scores[side][measure] for side in sides)
  # Of a drop the text prints the size.
  low, high = (-end for end in change_range(baseline, variant)[::-1])
  if _meet((low, high), printed):
    yield (
      f'the drop from {variant:.1f} to {baseline:.1f}, not the gain over'
      f' {baseline:.1f}'
    )
  others = [
    (one, other)
    for one in scores
    for other in scores
    if one[0] == sides[0][0] and other[0] == sides[1][0]
  ]
  # Readings that move one stage before those that move both.
  others.sort(
    key=lambda pair: sum(a != b for a, b in zip(pair, sides, strict=True))
  )
  for one, other in others:
    values = scores[one][measure], scores[other][measure]
    if _meet(change_range(*values), printed):
      yield (
        f'{values[0]:.1f} ({name_of(one[0])}, {one[1]}) against {values[1]:.1f}'
        f' ({name_of(other[0])}, {other[1]})'
      )


def before_cooldown(scores: Scores, variant: str) -> dict[str, float]:
  """Scores of a variant at the end of its last stage before the cooldown."""
  stages = [s for name, s in scores if name == variant and s != 'cooldown']
  return scores[variant, stages[-1]]


def survives_cooldown(scores: Scores) -> checks.Check:
  """The gains over text alone are those of the model one would use."""
  numbers, lost = [], []
  for measure, word in MEASURES.items():
    before = relative_change.change(
      before_cooldown(scores, HEADLINE)[measure],
      before_cooldown(scores, BASELINE)[measure],
    )
    after = relative_change.change(
      scores[HEADLINE, 'cooldown'][measure],
      scores[BASELINE, 'cooldown'][measure],
    )
    numbers.append(
      (
        word,
        f'{_text(before)} before, {_text(after)} after',
      )
    )
    if after < 0.5 * before:
      lost.append(f'{word} from {_text(before)} to {_text(after)}')
  return checks.Check(
    'Gains after the cooldown',
    f'The gains of {name_of(HEADLINE)} over {name_of(BASELINE)} are those of'
    ' the finished models.',
    tuple(numbers),
    checks.outcome(not lost),
    'Once both have had the same cooldown, which holds code, the gain of'
    f' {name_of(HEADLINE)} over {name_of(BASELINE)} falls: {"; ".join(lost)}.'
    if lost
    else 'At least half of every gain is left after the cooldown.',
  )


def sweep_meets_table(
  scores: Scores, sweep: pd.DataFrame
) -> Iterator[checks.Check]:
  """The sweep over code shares and the table are of the same models.

  The model on code alone has a score in the table and a relative change
  against no code in the sweep; together they give the score without code at
  200B tokens. It should not exceed that of text alone after 400B.
  """
  alone = sweep[sweep['code_percent'] == '100'].set_index('measure')
  for measure, printed in alone['printed_percent'].items():
    score = scores['code_to_text', 'init'][str(measure)]
    low, high = (1 + end / 100 for end in printed_range(printed))
    implied = (score - _HALF_SCORE) / high, (score + _HALF_SCORE) / low
    longer = before_cooldown(scores, BASELINE)[str(measure)]
    holds = implied[0] <= longer + _HALF_SCORE
    word = MEASURES[str(measure)]
    yield checks.Check(
      f'{word.capitalize()} without code',
      'The sweep over code shares and the table of variants show models of one'
      ' scale.',
      (
        ('code alone, 200B tokens', f'{score:g}'),
        ('its change against no code', f'{printed}%'),
        ('so no code, 200B', f'{implied[0]:.1f} to {implied[1]:.1f}'),
        ('text alone, 400B', f'{longer:g}'),
      ),
      checks.outcome(holds),
      f'No code at 200B tokens comes out at {implied[0]:.1f} to'
      f' {implied[1]:.1f}, '
      + (
        'within that of text alone at twice the tokens.'
        if holds
        else f'above text alone at twice the tokens ({longer:g}): sweep and'
        ' table are not on one scale, or code alone is another model in each.'
      ),
    )


def code_is_linear(scores: Scores) -> checks.Check:
  """Code scores grow in proportion to the code share, at 200B tokens."""
  half = scores['balanced_to_text', 'init']['code_pass_at_1']
  whole = scores['code_to_text', 'init']['code_pass_at_1']
  low = (half - _HALF_SCORE) / (whole + _HALF_SCORE)
  high = (half + _HALF_SCORE) / (whole - _HALF_SCORE)
  holds = low <= 0.5 <= high
  return checks.Check(
    'Code score against code share',
    'Pass@1 grows about in proportion to the code share.',
    (('50% code', f'{half:g}'), ('100% code', f'{whole:g}')),
    checks.outcome(holds),
    f'Half the code gives {half / whole:.1%} of the score of code alone'
    + (
      ', a straight line through 0 within rounding (two points).'
      if holds
      else ', which is off a straight line through 0 (two points).'
    ),
  )


def shares_sum(shares: pd.DataFrame) -> checks.Check:
  """The shares of languages in each kind of code are whole."""
  sums = shares.groupby('group', sort=False)['percent_of_documents'].sum()
  # Two decimals each.
  counts = shares.groupby('group', sort=False).size()
  off = [
    str(name)
    for name, total in sums.items()
    if abs(total - 100) > 0.005 * counts[name] + 1e-9
  ]
  return checks.Check(
    'Shares of languages',
    'The languages of web code and of markup are all that there is.',
    tuple((str(n), f'{total:.2f}%') for n, total in sums.items()),
    checks.outcome(not off),
    f'The printed shares of {", ".join(off)} do not sum to 100%.'
    if off
    else 'The printed shares sum to 100% within rounding.',
  )


def every(scores: Scores) -> tuple[checks.Check, ...]:
  """Every check of the page."""
  claims = published.table('code_in_pretraining_claims', as_text=True)
  sweep = published.table('code_share_claims', as_text=True)
  return (
    *(claim(scores, row) for row in claims.to_dict('records')),
    survives_cooldown(scores),
    *sweep_meets_table(scores, sweep),
    code_is_linear(scores),
    shares_sum(published.table('code_source_shares')),
  )
