"""The comparisons of a study's variants: by held-out loss, and by score.

Losses are there for every run; scores where the study gives its runs tasks.
"""

import collections
from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses

import pandas as pd

from codelaw.laws import item_errors
from codelaw.laws import selection
from codelaw.reports import figures
from codelaw.reports import findings
from codelaw.reports import layout
from codelaw.reports import study_folder
from codelaw.reports import translation_rows
from codelaw.reports import variant_cautions
from codelaw.reports import variant_groups
from codelaw.reports import variant_losses
from codelaw.reports import variant_plots
from codelaw.reports import variant_scores
from codelaw.reports import variant_tables
from codelaw.reports import variant_translations
from codelaw.reports import variants

_LEVEL = 0.9  # of the intervals; that of `fitting.FitSettings` by default
_MOST_SENTENCES = 8  # about one comparison


@dataclasses.dataclass(frozen=True)
class Compared:
  """One comparison with everything that was measured.

  Attributes:
    comparison: whose variants.
    rows: variant -> the last row of each of its runs.
    losses: source -> variant -> loss of each repetition.
    loss_changes: source -> variant -> change.
    cells: category -> variant -> score; empty without scores.
    changes: category -> variant -> change.
  """

  comparison: study_folder.Comparison
  rows: dict[str, pd.DataFrame]
  losses: variant_losses.Losses
  loss_changes: variant_losses.Changes
  cells: variant_tables.Cells
  changes: variant_tables.Changes


def of(study: study_folder.Study) -> list[Compared]:
  """The comparisons of a study that has a run table."""
  if study.table is None:
    return []
  return [_compared(study.table, each) for each in study.comparisons]


def _compared(
  table: pd.DataFrame, comparison: study_folder.Comparison
) -> Compared:
  last = table[table['is_final'].astype(bool)]
  rows = {
    name: last[last['run_id'].isin(runs)]
    for name, runs in comparison.variants.items()
  }
  losses = variant_losses.losses(table, comparison)
  cells: dict[str, dict[str, variant_scores.Cell]] = {}
  bounded = [c for c in selection.scores(table) if item_errors.is_bounded(c)]
  if bounded:
    others = [c for c in selection.scores(table) if c not in bounded]
    categories = variant_groups.categories_of(table.drop(columns=others), {})
    found = variant_scores.cells(rows, categories)
    cells = {category: row for category, row in found.items() if row}
  return Compared(
    comparison,
    rows,
    losses,
    variant_losses.changes(losses, comparison.baseline, _LEVEL),
    cells,
    variant_scores.changes(cells, comparison.baseline, _LEVEL),
  )


def run_names(found: Sequence[Compared]) -> dict[str, str]:
  """Run id -> its variant, with its size and repetition where that tells.

  The largest come first. A run that two variants share keeps its id.
  """
  names: dict[str, list[str]] = {}
  for one in sorted(found, key=_num_params, reverse=True):
    size = f', {_size(one)}' if len(found) > 1 else ''
    for variant, rows in one.rows.items():
      for place, row in enumerate(rows.to_dict('records'), 1):
        repetition = f', {place}' if len(rows) > 1 else ''
        names.setdefault(row['run_id'], []).append(variant + size + repetition)
  every = collections.Counter(
    name for given in names.values() for name in given
  )
  return {
    run_id: given[0]
    for run_id, given in names.items()
    if len(given) == 1 and every[given[0]] == 1
  }


def _num_params(one: Compared) -> float:
  return max(
    (rows['num_params'].max() for rows in one.rows.values()), default=0
  )


def _size(one: Compared) -> str:
  return figures.short(_num_params(one))


def sections(found: Sequence[Compared]) -> Iterator[layout.Section]:
  """Yields for each comparison its scores, if it has any, and its losses."""
  for number, one in enumerate(found, 1):
    name, baseline = one.comparison.name, one.comparison.baseline
    if one.cells:
      yield variants.section(
        f'Scores of {name}',
        f'variant_scores_{number}',
        baseline,
        _LEVEL,
        False,
        list(one.comparison.variants),
        one.cells,
        one.changes,
      )
    if one.losses:
      yield layout.Section(
        f'Losses of {name}',
        (
          layout.Picture(
            f'variant_losses_{number}',
            variant_plots.changes(one.loss_changes, _LEVEL, better=-1),
            f'Relative change of the held-out loss against {baseline}, by'
            f' source, with {_LEVEL:.0%} intervals where there are several'
            ' seeds; blue is lower. Filled: more than noise after correction'
            ' for the number of comparisons.',
          ),
        ),
        (
          variant_losses.table(
            'Held-out losses', one.losses, one.loss_changes, baseline, _LEVEL
          ),
        ),
      )


def answer(
  found: Sequence[Compared],
  translations: Sequence[Sequence[translation_rows.Matrix]] = (),
) -> findings.Answer:
  """What the comparisons come to, where a study has nothing else to say.

  Args:
    found: the comparisons.
    translations: for every metric its matrices; what a study of translation
      is about, where no other scores are known.
  """
  sizes = {_size(one): one.comparison for one in found}
  sentences: list[str] = []
  if len(sizes) == len(found):
    sentences += variant_translations.sentences(sizes, translations)
  is_of_translation = sentences and not any(one.cells for one in found)
  title = sentences.pop(0).removesuffix('.') if is_of_translation else ''
  for one in found:
    baseline = one.comparison.baseline
    what, changes = _telling(one)
    words = variants.verdict(changes, baseline, _LEVEL)
    said = f'Of the {what} of {one.comparison.name}: {words}'
    if title:
      sentences.append(said)
    title = title or said
    best = [
      *variants.best_scores(one.cells, one.changes, baseline, _LEVEL),
      *_lowest_losses(one),
    ]
    sentences += best[:_MOST_SENTENCES]
  return findings.Answer(title, tuple(sentences))


def _telling(one: Compared) -> tuple[str, variant_tables.Changes]:
  """What a comparison is judged by: scores, if their errors are known."""
  scores, losses = (
    ('scores', one.changes),
    ('held-out losses', one.loss_changes),
  )
  for what, changes in (scores, losses):
    if any(
      c.adjusted is not None for r in changes.values() for c in r.values()
    ):
      return what, changes
  return scores if one.changes else losses


def _lowest_losses(one: Compared) -> Iterator[str]:
  """Yields what the variants cost first: where the baseline stays lowest."""
  best = {
    source: min(row, key=lambda name: row[name].difference)
    for source, row in one.loss_changes.items()
  }
  changes = {source: one.loss_changes[source][best[source]] for source in best}
  none = [source for source in best if changes[source].difference >= 0]
  if none:
    yield f'Loss of {", ".join(none)}: no variant is below the baseline.'
  for source, change in changes.items():
    if source not in none:
      yield (
        f'Loss of {source}: {best[source]} is lowest, {change.percent:+.2f}%,'
        f' {variants.certainty(change, _LEVEL)}.'
      )


def warnings(found: Sequence[Compared]) -> Iterator[str]:
  """Yields reasons to doubt the comparisons, each under its name."""
  for one in found:
    sentences = (
      variant_cautions.warnings(
        one.rows,
        one.comparison.baseline,
        one.cells,
        one.changes,
        {},
        _LEVEL,
      )
      if one.cells
      else variant_cautions.of_runs(one.rows, one.comparison.baseline)
    )
    for sentence in sentences:
      yield f'{one.comparison.name}: {sentence}'
