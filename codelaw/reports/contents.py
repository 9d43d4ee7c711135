"""What a report shows and in which order: a page of figures and tables.

The HTML page and TensorBoard show the same `Page`; a section whose part of
the study is missing is not there.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses

from matplotlib import figure as figure_lib
import pandas as pd

from codelaw.laws import results
from codelaw.planning import confirmation as confirmation_lib
from codelaw.reports import allocation_plots
from codelaw.reports import findings
from codelaw.reports import law_plots
from codelaw.reports import mixture_plots
from codelaw.reports import predictions
from codelaw.reports import study_folder
from codelaw.reports import tables


@dataclasses.dataclass(frozen=True)
class Picture:
  """A figure and what is said about it.

  Attributes:
    name: unique in a report.
    figure: to draw.
    caption: one or two sentences on how to read it.
    data: the numbers it draws, to download; None where a table beside it
      holds them.
  """

  name: str
  figure: figure_lib.Figure
  caption: str
  data: pd.DataFrame | None = None


@dataclasses.dataclass(frozen=True)
class Section:
  """One step of the study."""

  title: str
  pictures: tuple[Picture, ...]
  tables: tuple[tables.Table, ...]


@dataclasses.dataclass(frozen=True)
class Page:
  """A whole report.

  Attributes:
    name: of what it is about.
    answer: its head.
    warnings: reasons for doubt, in words.
    sections: in the order in which they are read.
    commands: (words, command line) for what to do next.
    provenance: where the numbers come from.
    files: (file name, JSON text) of what the page was made from, to download.
  """

  name: str
  answer: findings.Answer
  warnings: tuple[str, ...]
  sections: tuple[Section, ...]
  commands: tuple[tuple[str, str], ...]
  provenance: tables.Table
  files: tuple[tuple[str, str], ...] = ()


def of_study(study: study_folder.Study) -> Page:
  """The report of a study."""
  return Page(
    name=study.name,
    answer=findings.answer(study),
    warnings=tuple(findings.warnings(study)),
    sections=sections(study),
    commands=tuple(commands(study)),
    provenance=tables.provenance(study),
  )


def sections(study: study_folder.Study) -> tuple[Section, ...]:
  """All sections that the study has something to show for."""
  return tuple(
    section
    for section in (
      _allocation(study),
      _confirmation(study),
      _single_sources(study),
      _synergy(study),
      _mixture_laws(study),
      _runs(study),
    )
    if section.pictures or section.tables
  )


def _allocation(study: study_folder.Study) -> Section:
  found = study.allocation
  if found is None:
    return Section('', (), ())
  picture = Picture(
    'allocation',
    allocation_plots.allocation_bars(found),
    'Allocated shares of tokens next to uniform ones; the line is the'
    f' {found.interval_level:.0%} band over bootstrap fits of the laws.',
  )
  shown = tables.allocation_rates(found), tables.allocation_losses(found)
  return Section('Allocation', (picture,), shown)


def _confirmation(study: study_folder.Study) -> Section:
  found = study.confirmation
  if found is None:
    return Section('', (), ())
  picture = Picture(
    'confirmation',
    allocation_plots.confirmation_differences(found),
    'Differences between paired runs (ticks: single seeds, dot: mean, line:'
    f' {found.interval_level:.0%} interval where there are several seeds).'
    f' Verdict: {found.verdict}',
  )
  return Section(
    'Confirmation by runs', (picture,), (tables.confirmation_runs(found),)
  )


def _single_sources(study: study_folder.Study) -> Section:
  if not study.fits:
    return Section('', (), ())
  pictures = []
  drawn = [
    fit
    for fit in _first_laws(study.fits)
    if study.table is not None
    and len(predictions.single_source_rows(study.table, fit.target))
  ]
  if drawn and study.table is not None:
    pictures.append(
      Picture(
        'loss_curves',
        law_plots.loss_curves(study.table, drawn),
        'Held-out loss of runs on one source (dots), the fitted law (lines)'
        ' and its bootstrap band, on logarithmic axes.',
      )
    )
  table = tables.fits(study.fits)
  return Section('Laws of single sources', tuple(pictures), (table,))


def _first_laws(fits: Sequence[results.Fit]) -> list[results.Fit]:
  """The first law of each target that needs only size and tokens."""
  chosen: dict[str, results.Fit] = {}
  for fit in fits:
    if not fit.group and not any('/' in name for name in fit.estimates):
      chosen.setdefault(fit.target, fit)
  return list(chosen.values())


def _synergy(study: study_folder.Study) -> Section:
  found = study.synergy
  if not found:
    return Section('', (), ())
  picture = Picture(
    'synergy',
    mixture_plots.synergy_heat_map(found),
    'How much lower (+, blue) or higher (-, orange) the loss of the target is'
    ' when the auxiliary replaces half of its tokens; * marks gains whose'
    ' interval excludes 0.',
  )
  return Section(
    'Synergy between sources', (picture,), (tables.synergy(found),)
  )


def _mixture_laws(study: study_folder.Study) -> Section:
  if not study.mixture_fits:
    return Section('', (), ())
  pictures = []
  if study.table is not None:
    points = predictions.against_measured(
      study.table, study.mixture_fits, study.purposes
    )
    if len(points):
      pictures.append(
        Picture(
          'predicted_measured',
          mixture_plots.predicted_against_measured(points),
          'Loss that the mixture laws predict against the loss that was'
          ' measured, for every run and target, and the error in percent;'
          ' filled marks are confirmation runs, which the laws have not seen.',
        )
      )
  table = tables.fits(study.mixture_fits)
  return Section(
    'Laws of mixtures',
    tuple(pictures),
    (table, *tables.coefficients(study.mixture_fits)),
  )


def _runs(study: study_folder.Study) -> Section:
  pictures, shown = [], []
  if study.run_records:
    pictures.append(
      Picture(
        'tokens',
        allocation_plots.token_bars(study.run_records),
        f'Training tokens of every source in all {len(study.run_records)} runs:'
        ' what was trained on next to what was planned.',
      )
    )
    shown.append(tables.tokens(study))
  if study.table is not None:
    shown.append(tables.runs(predictions.final_rows(study.table), study))
  return Section('Runs', tuple(pictures), tuple(shown))


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
