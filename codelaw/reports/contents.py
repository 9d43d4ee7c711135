"""What the report of a study shows, and in which order.

A section whose part of the study is missing is not there.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
import pandas as pd

from codelaw.laws import forms
from codelaw.laws import results
from codelaw.laws import synergy_patterns
from codelaw.planning import confirmation as confirmation_lib
from codelaw.reports import allocation_plots
from codelaw.reports import downloads
from codelaw.reports import findings
from codelaw.reports import frontier_plots
from codelaw.reports import frontier_tables
from codelaw.reports import law_plots
from codelaw.reports import law_tables
from codelaw.reports import layout
from codelaw.reports import mixture_plots
from codelaw.reports import plan_tables
from codelaw.reports import predictions
from codelaw.reports import run_tables
from codelaw.reports import study_folder
from codelaw.reports import study_variants
from codelaw.reports import synergy_plots
from codelaw.reports import tables
from codelaw.reports import translation_plots
from codelaw.reports import translation_rows
from codelaw.reports import translation_tables


def of_study(study: study_folder.Study) -> layout.Page:
  """The report of a study."""
  compared = study_variants.of(study)
  only_variants = compared and not study.every_fit
  return layout.Page(
    name=study.name,
    answer=study_variants.answer(compared, _translations(study, compared))
    if only_variants
    else findings.answer(study),
    warnings=(*findings.warnings(study), *study_variants.warnings(compared)),
    sections=sections(study, compared),
    commands=tuple(commands(study)),
    provenance=run_tables.provenance(study),
    files=tuple(downloads.shortened(name, json) for name, json in study.files),
  )


def sections(
  study: study_folder.Study, compared: Sequence[study_variants.Compared] = ()
) -> tuple[layout.Section, ...]:
  """All sections that the study has something to show for."""
  return tuple(
    section
    for section in (
      _allocation(study),
      _confirmation(study),
      _comparison(study),
      _laws(study),
      _synergy(study),
      _mixture_laws(study),
      translation(_translations(study, compared)),
      *study_variants.sections(compared),
      _runs(study),
    )
    if section.pictures or section.tables
  )


def _allocation(study: study_folder.Study) -> layout.Section:
  found = study.allocation
  if found is None:
    return layout.Section('', (), ())
  pictures = [
    layout.Picture(
      'allocation',
      allocation_plots.allocation_bars(found),
      'Allocated shares of tokens next to uniform ones; the line is the'
      f' {found.interval_level:.0%} band over bootstrap fits of the laws.',
    )
  ]
  shown = [plan_tables.allocation_rates(found)]
  if found.stages:
    pictures.append(
      layout.Picture(
        'stages',
        allocation_plots.stage_rates(found),
        "Shares of each stage's tokens; lines are"
        f' {found.interval_level:.0%} bands.',
      )
    )
    shown.append(plan_tables.stage_rates(found))
  shown.append(plan_tables.allocation_losses(found))
  if found.scores:
    shown.append(plan_tables.allocation_scores(found))
  return layout.Section('Allocation', tuple(pictures), tuple(shown))


def _confirmation(study: study_folder.Study) -> layout.Section:
  found = study.confirmation
  if found is None:
    return layout.Section('', (), ())
  picture = layout.Picture(
    'confirmation',
    allocation_plots.confirmation_differences(found),
    'Differences between paired runs (ticks: single seeds, dot: mean, line:'
    f' {found.interval_level:.0%} interval where there are several seeds).'
    f' Verdict: {found.verdict}',
  )
  return layout.Section(
    'Confirmation by runs', (picture,), (plan_tables.confirmation_runs(found),)
  )


def _comparison(study: study_folder.Study) -> layout.Section:
  table = law_tables.comparison(study.every_fit)
  return layout.Section('Comparison', (), (table,) if table.rows else ())


def _drawn(
  study: study_folder.Study, fits: Sequence[results.Fit]
) -> list[predictions.Fitted]:
  """The laws that count, with their points."""
  return predictions.fitted(
    predictions.counting(fits, study.every_fit),
    _fitted_rows(study),
    study.group_column,
  )


def _laws(study: study_folder.Study) -> layout.Section:
  """Laws of size and tokens alone."""
  if not study.fits:
    return layout.Section('', (), ())
  laws = _drawn(study, study.fits)
  pictures = []
  alone = [law for law in laws if _of_size_and_tokens(law.fit)]
  if alone:
    pictures.append(
      layout.Picture(
        'loss_curves',
        law_plots.loss_curves(alone),
        'Loss that was measured (dots), the fitted law (lines) and its'
        ' bootstrap band, on logarithmic axes; colours are sizes.'
        + _not_all(alone),
        law_plots.curves(alone[: law_plots.MOST_PANELS]),
      )
    )
  if laws:
    pictures.append(_residuals('residuals', laws))
  frontier, shown = _frontiers('', laws, None)
  return layout.Section(
    'Laws of size and tokens',
    (*pictures, *frontier),
    (*law_tables.of(study.fits), *shown),
  )


def _of_size_and_tokens(fit: results.Fit) -> bool:
  return set(forms.law_of(fit).columns) == {'num_params', 'num_tokens'}


def _fitted_rows(study: study_folder.Study) -> pd.DataFrame | None:
  """The run table without the runs that the laws have not seen."""
  table = study.table
  if table is None or 'run_id' not in table:
    return table
  return table[[study.is_for_laws(run) for run in table['run_id']]]


def _predicted_rows(
  study: study_folder.Study, table: pd.DataFrame
) -> pd.DataFrame:
  """The runs that laws are fitted to or tested by: not variants alone."""
  return table[
    [
      study.is_for_laws(run) or study.purposes[run] == 'confirm'
      for run in table['run_id']
    ]
  ]


def _not_all(laws: Sequence[predictions.Fitted]) -> str:
  most = law_plots.MOST_PANELS
  return f' The first {most} of {len(laws)}.' if len(laws) > most else ''


def _residuals(name: str, laws: Sequence[predictions.Fitted]) -> layout.Picture:
  return layout.Picture(
    name,
    law_plots.residuals(laws),
    'Errors of the laws at the points they were fitted to. Short thick lines'
    ' are means over neighbouring points: a law of the right shape keeps them'
    ' near 0 everywhere.'
    + (
      ''
      if all(law.exact for law in laws)
      else ' The table holds other points than those that were fitted.'
    ),
    law_plots.residual_rows(laws),
  )


def _frontiers(
  prefix: str,
  laws: Sequence[predictions.Fitted],
  shares: Mapping[str, float] | None,
) -> tuple[list[layout.Picture], list[tables.Table]]:
  """Isoloss contours and optimal sizes of the laws that have them."""
  laws = [
    law
    for law in predictions.with_sizes(laws)
    if law.compute[0] < law.compute[1]
  ]
  if not laws:
    return [], []
  frontiers = [predictions.frontier_of(law, shares) for law in laws]
  others = [predictions.typical(law, shares) for law in laws]
  at = ''
  if any(others):
    at = (
      ', at the mean shares of the runs'
      if shares is None
      else ', at the allocated shares'
    )
  level = f'{laws[0].fit.interval_level:.0%}'
  pictures = [
    layout.Picture(
      f'{prefix}isoloss',
      frontier_plots.isoloss(laws, frontiers, others),
      f'Sizes and tokens of equal predicted loss (lines, nats per token){at}.'
      ' Dots are the points; the orange line joins the size and tokens of'
      f' least loss for each budget, with its {level} bootstrap band.'
      + _not_all(laws),
    ),
  ]
  # Where every optimum lies at an end of the sizes searched, nothing is left.
  if any(np.isfinite(found.num_params[0]).any() for found in frontiers):
    pictures.append(
      layout.Picture(
        f'{prefix}optimal_sizes',
        frontier_plots.optimal_sizes(laws, frontiers),
        'Size and tokens of least predicted loss against training compute'
        f' C = 6 N D{at}, with {level} bootstrap bands; dashed beyond the'
        ' runs.',
      )
    )
  return pictures, [frontier_tables.frontiers(laws, frontiers)]


def _synergy(study: study_folder.Study) -> layout.Section:
  found = study.synergy
  if not found:
    return layout.Section('', (), ())
  pictures = [
    layout.Picture(
      'synergy',
      synergy_plots.synergy_heat_map(found),
      'How much lower (+, blue) or higher (-, orange) the loss of the target is'
      ' when the auxiliary replaces half of its tokens; * marks gains that are'
      ' significant after correction for the number of pairs.',
    )
  ]
  transfers = synergy_patterns.transfers(study.mixture_fits)
  if transfers:
    pictures.append(
      layout.Picture(
        'transfer',
        synergy_plots.transfer_heat_map(transfers),
        'Beside it, from runs on all mixtures: tokens of the target that one'
        ' token of the auxiliary is worth in the transfer law. Bold: its'
        ' interval lies above .01; in brackets: the runs left it at a bound.',
      )
    )
  asymmetries = synergy_patterns.asymmetries(found)
  shown = [plan_tables.synergy(found)]
  if asymmetries:
    shown.append(plan_tables.asymmetries(asymmetries))
  return layout.Section(
    'Synergy between sources', tuple(pictures), tuple(shown)
  )


def _mixture_laws(study: study_folder.Study) -> layout.Section:
  if not study.mixture_fits:
    return layout.Section('', (), ())
  pictures = []
  if study.table is not None:
    points = predictions.against_measured(
      _predicted_rows(study, study.table),
      predictions.counting(study.mixture_fits, study.every_fit),
      study.purposes,
    )
    if len(points):
      pictures.append(
        layout.Picture(
          'predicted_measured',
          mixture_plots.predicted_against_measured(points),
          'Loss that the mixture laws predict against the loss that was'
          ' measured, for every run and target, and the error in percent;'
          ' filled marks are confirmation runs, which the laws have not seen.',
          points,
        )
      )
  laws = _drawn(study, study.mixture_fits)
  if laws:
    pictures.append(_residuals('mixture_residuals', laws))
  shown: list[tables.Table] = []
  if not predictions.counting(study.fits, study.every_fit):
    rates = None if study.allocation is None else study.allocation.rates
    frontier, shown = _frontiers('mixture_', laws, rates)
    pictures += frontier
  return layout.Section(
    'Laws of mixtures',
    tuple(pictures),
    (*law_tables.of(study.mixture_fits), *shown),
  )


def _translations(
  study: study_folder.Study, compared: Sequence[study_variants.Compared]
) -> list[list[translation_rows.Matrix]]:
  """What the run table has of translation, by metric."""
  if study.table is None:
    return []
  names = study_variants.run_names(compared)
  return translation_rows.by_metric(study.table, names)


def translation(
  found: Sequence[Sequence[translation_rows.Matrix]],
) -> layout.Section:
  """What there is of translation (`translation_rows`), by metric."""
  if not found:
    return layout.Section('', (), ())
  pictures = (
    layout.Picture(*parts) for parts in translation_plots.pictures(found)
  )
  return layout.Section(
    'Translation', tuple(pictures), (translation_tables.averages(found),)
  )


def _runs(study: study_folder.Study) -> layout.Section:
  pictures, shown = [], []
  if study.run_records:
    pictures.append(
      layout.Picture(
        'tokens',
        allocation_plots.token_bars(study.run_records),
        f'Training tokens of every source in all {len(study.run_records)} runs:'
        ' what was trained on next to what was planned.',
      )
    )
    shown.append(run_tables.tokens(study))
  if study.table is not None:
    shown.append(run_tables.runs(predictions.final_rows(study.table), study))
  return layout.Section('Runs', tuple(pictures), tuple(shown))


def commands(study: study_folder.Study) -> Iterator[tuple[str, str]]:
  """Yields (words, command line) for what to do next."""
  mixture = study.notes.get('mixture_gin')
  if study.allocation is None or not mixture:
    return
  run = study.notes.get('run_gin', 'YOUR_RUN.gin')
  confirmation = study.confirmation
  lost = confirmation is not None and confirmation.verdict.startswith(
    confirmation_lib.UNIFORM_BETTER
  )
  yield (
    'Train on the allocated rates'
    + (' all the same' if lost else '')
    + ' (the later file wins):',
    f'codelaw train --gin_file={run} --gin_file={mixture}',
  )
  yield (
    'See the exact tokens per source before anything is spent:',
    f'codelaw mixture --gin_file={run} --gin_file={mixture}',
  )
