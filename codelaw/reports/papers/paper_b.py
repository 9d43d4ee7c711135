"""The page about arXiv:2408.10914, "To Code, or Not To Code?".

Everything on it is computed from the packaged numbers of the paper, of its
models of 470M parameters.
"""

from collections.abc import Mapping
import dataclasses

import pandas as pd

import codelaw
from codelaw.laws import relative_change
from codelaw.laws import response as response_lib
from codelaw.reports import findings
from codelaw.reports import layout
from codelaw.reports import tables
from codelaw.reports.papers import bars
from codelaw.reports.papers import checks as checks_lib
from codelaw.reports.papers import published
from codelaw.reports.papers import variant_checks
from codelaw.reports.papers import variant_figures

_FILES = (
  'code_in_pretraining_scores',
  'code_in_pretraining_claims',
  'code_share_claims',
  'code_source_claims',
  'code_source_shares',
)
_MEASURES = variant_checks.MEASURES


@dataclasses.dataclass(frozen=True)
class PaperB:
  """What the page is computed with; bound in gin.

  Attributes:
    noises: standard deviations of one run's relative change, in percent, that
      the response curves average over: assumptions, since no run of the sweep
      was repeated.
    interval_level: of the intervals.
    seed: of the sampled responses.
  """

  noises: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)
  interval_level: float = 0.9
  seed: int = 0

  def page(self) -> layout.Page:
    """Checks the claims, fits the responses and lays out the page."""
    scores = variant_checks.scores_of(
      published.table('code_in_pretraining_scores')
    )
    responses = {
      measure: _response(self, points)
      for measure, points in sweep_points().items()
    }
    found = variant_checks.every(scores)
    return layout.Page(
      name='To Code, or Not To Code? (arXiv:2408.10914), from its own numbers',
      answer=_answer(scores, responses, found),
      warnings=(
        *checks_lib.warnings(found),
        'Every model was trained once: what another seed would change is not'
        ' known, so no difference on this page has a measured interval.',
        *_unknown(responses, self.noises),
      ),
      sections=(
        checks_lib.section(found),
        _variants(scores),
        _responses(scores, responses, self),
        _kinds(),
        _languages(),
      ),
      commands=(
        (
          'Train the same chain of stages:',
          'codelaw train --gin_file=gin_configs/models/parallel_470m.gin'
          ' --gin_file=gin_configs/runs/paper_b/chain.gin'
          ' --gin.SHARDS_DIR="\'shards\'"'
          " --gin.MODEL='@parallel_470m/ModelShape()'",
        ),
      ),
      provenance=tables.Table(
        'Where the numbers come from',
        'Published numbers of arXiv:2408.10914, packaged in codelaw/reference,'
        ' with fingerprints of their content.',
        ('what', 'value'),
        (
          ('codelaw', codelaw.__version__),
          *published.fingerprints(_FILES).items(),
        ),
      ),
    )


def sweep_points() -> dict[str, list[tuple[float, float]]]:
  """Measure -> (percent of code, change in percent), with 0 at no code."""
  points: dict[str, list[tuple[float, float]]] = {}
  for row in published.table('code_share_claims').to_dict('records'):
    points.setdefault(row['measure'], [(0.0, 0.0)]).append(
      (float(row['code_percent']), float(row['printed_percent']))
    )
  return points


def _response(
  plan: PaperB, points: list[tuple[float, float]]
) -> response_lib.Response:
  shares, values = zip(*points, strict=True)
  return response_lib.fit(
    shares,
    values,
    plan.noises,
    exact=[share == 0 for share in shares],
    interval_level=plan.interval_level,
    seed=plan.seed,
  )


def _answer(
  scores: variant_checks.Scores,
  responses: Mapping[str, response_lib.Response],
  found: tuple[checks_lib.Check, ...],
) -> findings.Answer:
  headline, baseline = variant_checks.HEADLINE, variant_checks.BASELINE
  before, after = {}, {}
  for measure in _MEASURES:
    before[measure] = relative_change.change(
      variant_checks.before_cooldown(scores, headline)[measure],
      variant_checks.before_cooldown(scores, baseline)[measure],
    )
    after[measure] = relative_change.change(
      scores[headline, 'cooldown'][measure],
      scores[baseline, 'cooldown'][measure],
    )
  first = next(iter(_MEASURES))
  best = {
    measure: f'{_MEASURES[measure]} {r.optimum_low:.0f}% to'
    f' {r.optimum_high:.0f}%'
    for measure, r in responses.items()
  }
  return findings.Answer(
    f'Code before text: {_MEASURES[first]}'
    f' {tables.change_text(before[first])} before the cooldown,'
    f' {tables.change_text(after[first])} after it.',
    (
      f'{variant_checks.name_of(headline).capitalize()} against'
      f' {variant_checks.name_of(baseline)}: '
      + ', '.join(
        f'{word} {tables.change_text(before[measure])}'
        + (' before' if number == 0 else '')
        + f' and {tables.change_text(after[measure])}'
        + (' after the cooldown that both have' if number == 0 else '')
        for number, (measure, word) in enumerate(_MEASURES.items())
      )
      + '. One run each.',
      f'The best code share lies somewhere in: {"; ".join(best.values())}'
      ' (intervals of smooth responses through the printed points).',
      checks_lib.summary(found),
    ),
  )


def _unknown(
  responses: Mapping[str, response_lib.Response], noises: tuple[float, ...]
) -> list[str]:
  texts = []
  for measure, found in responses.items():
    # Two runs differ by more than 1.64 sqrt(2) sd in a tenth of cases.
    critical = found.margin / (1.645 * 2**0.5)
    texts.append(
      f'Best code share for {_MEASURES[measure]}: the best point leads the next'
      f' by {found.margin:.1f}%, which means something only if another seed'
      f' changes a score by less than about {critical:.1f}%; the interval'
      f' {found.optimum_low:.0f}% to {found.optimum_high:.0f}% assumes noises'
      f' of {noises[0]:g}% to {noises[-1]:g}%.'
    )
  return texts


def _variants(scores: variant_checks.Scores) -> layout.Section:
  return layout.Section(
    'Variants and stages',
    (
      layout.Picture(
        'variants',
        variant_figures.variants(scores),
        'Scores of every variant before and after the same cooldown of 40B'
        ' tokens. Reasoning: mean accuracy of 11 tasks; knowledge: exact match'
        ' of 2; code: mean Pass@1 of 2.',
      ),
    ),
    (_variant_table(scores), _stage_table(scores)),
  )


def _variant_table(scores: variant_checks.Scores) -> tables.Table:
  budgets = published.table('code_in_pretraining_scores')
  rows = []
  for row in budgets.to_dict('records'):
    side = row['variant'], row['stage']
    against = (
      scores[variant_checks.BASELINE, 'cooldown']
      if row['stage'] == 'cooldown'
      else variant_checks.before_cooldown(scores, variant_checks.BASELINE)
    )
    values = scores[side]
    language = (values['nl_reasoning'] + values['world_knowledge']) / 2
    rows.append(
      (
        f'{variant_checks.name_of(side[0])}, {side[1]}',
        f'{row["text_tokens_billions"]:g} + {row["code_tokens_billions"]:g}',
        *(
          f'{values[m]:.1f}\n'
          + tables.change_text(relative_change.change(values[m], against[m]))
          for m in _MEASURES
        ),
        f'{language:.1f}',
        f'{sum(values.values()) / 3:.1f}',
      )
    )
  return tables.Table(
    'Variants',
    'Scores in percent and, below, the relative change against text only at the'
    ' same point: before the cooldown, or after it. The averages weigh as the'
    ' paper does.',
    (
      'variant, stage',
      'text + code (B tokens)',
      *_MEASURES.values(),
      'language average',
      'total average',
    ),
    tuple(rows),
    budgets,
  )


def _stage_table(scores: variant_checks.Scores) -> tables.Table:
  """What each later stage changes in the model it continues."""
  stages: dict[str, list[str]] = {}
  for variant, stage in scores:
    stages.setdefault(variant, []).append(stage)
  rows, data = [], []
  for variant, order in stages.items():
    for before, after in zip(order, order[1:], strict=False):
      cells = []
      for measure in _MEASURES:
        sides = (
          scores[variant, after][measure],
          scores[variant, before][measure],
        )
        low, high = variant_checks.change_range(*sides)
        value = relative_change.change(*sides)
        cells.append(
          f'{tables.change_text(value)}\n'
          f'{tables.change_text(low)} to'
          f' {tables.change_text(high)}'
        )
        data.append(
          {
            'variant': variant,
            'stage': after,
            'measure': measure,
            'change_percent': value,
            'least': low,
            'greatest': high,
          }
        )
      rows.append(
        (f'{variant_checks.name_of(variant)}: {before} to {after}', *cells)
      )
  return tables.Table(
    'What a stage changes',
    'Relative change of the scores over one stage; below, what rounding to one'
    ' decimal leaves open. What a seed changes is not known.',
    ('stage', *_MEASURES.values()),
    tuple(rows),
    pd.DataFrame(data),
  )


def _responses(
  scores: variant_checks.Scores,
  responses: Mapping[str, response_lib.Response],
  plan: PaperB,
) -> layout.Section:
  code = [
    (share, scores[side]['code_pass_at_1'])
    for share, side in (
      (50.0, ('balanced_to_text', 'init')),
      (100.0, ('code_to_text', 'init')),
    )
  ]
  points = sweep_points()
  data = [
    {
      'measure': measure,
      'code_percent': share,
      'change_percent': middle,
      'low': low,
      'high': high,
    }
    for measure, r in responses.items()
    for share, middle, low, high in zip(
      r.shares, r.middle, r.low, r.high, strict=True
    )
  ]
  rows = [
    (
      _MEASURES[measure],
      ', '.join(
        f'{share:.0f}%: {value:+g}%' for share, value in points[measure]
      ),
      f'{r.optimum:.0f}%\n{r.optimum_low:.0f}% to {r.optimum_high:.0f}%',
      f'{r.bracket[0]:.0f}% to {r.bracket[1]:.0f}%',
      f'{r.margin:.1f}%',
    )
    for measure, r in responses.items()
  ]
  return layout.Section(
    'Responses to the code share',
    (
      layout.Picture(
        'responses',
        variant_figures.responses(points, responses, code),
        'Change of scores against training without code, at 200B tokens (dots:'
        f' as printed), smooth responses with {plan.interval_level:.0%} bands,'
        ' and where they are greatest. The shares 50% and 90%, and 75% of'
        ' reasoning, are only drawn in the paper. Right: Pass@1 of the table at'
        ' 200B tokens, with a line through 0.',
        pd.DataFrame(data),
      ),
    ),
    (
      tables.Table(
        'Best code share',
        'From a Gaussian process through the points, over assumed noises of'
        f' {plan.noises[0]:g}% to {plan.noises[-1]:g}%. "Between" are the'
        ' neighbours of the best point: without noise, the optimum of any'
        ' response with one peak lies there.',
        ('measure', 'printed', 'best share', 'between', 'lead of the best'),
        tuple(rows),
      ),
    ),
  )


def _kinds() -> layout.Section:
  claims = published.table('code_source_claims')
  groups: dict[str, dict[str, float]] = {}
  for row in claims.to_dict('records'):
    name = f'{row["source"]} ({row["replaced_percent"]:g}%)'
    measure = _MEASURES[row['measure']]
    groups.setdefault(measure, {})[name] = row['printed_percent']
  return layout.Section(
    'Kinds of code',
    (
      layout.Picture(
        'kinds',
        bars.panels(groups, 'change against web code alone (%)'),
        'Relative change when a part of the web code (in brackets) is replaced,'
        ' as printed; the paper gives no scores to compute it from, and one run'
        ' each. The parts differ, so the effects are not per token.',
        claims,
      ),
    ),
    (),
  )


def _languages() -> layout.Section:
  shares = published.table('code_source_shares')
  groups = {
    str(group).replace('_', ' '): dict(
      zip(rows['language'], rows['percent_of_documents'], strict=True)
    )
    for group, rows in shares.groupby('group', sort=False)
  }
  return layout.Section(
    'Languages of the code',
    (
      layout.Picture(
        'languages',
        bars.panels(groups, 'share of the documents (%)', '.2f'),
        'Shares by document, as printed: not shares of tokens.',
        shares,
      ),
    ),
    (),
  )
