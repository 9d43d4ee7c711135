"""The page that compares variants of training by their scores.

Paper B's table (arXiv:2408.10914, Table 2) for runs of one's own: variants x
categories, and relative changes against a baseline with their intervals.
"""

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import json
import math

import pandas as pd

import codelaw
from codelaw import errors
from codelaw.laws import selection
from codelaw.reports import findings
from codelaw.reports import layout
from codelaw.reports import tables
from codelaw.reports import variant_cautions
from codelaw.reports import variant_groups
from codelaw.reports import variant_plots
from codelaw.reports import variant_scores
from codelaw.reports import variant_tables
from codelaw.runs import table as table_lib


@dataclasses.dataclass(frozen=True)
class VariantReport:
  """What is compared, and with what; bound in gin.

  Attributes:
    runs: run table with columns `score/<task>/<metric>`; see `table.read`.
    baseline: variant that changes are counted from.
    variants: name -> run ids; empty takes `column` or `pattern`.
    column: of the table, with the name of a run's variant.
    pattern: regular expression on run ids, whose first group is the variant.
    categories: name -> columns of scores, whose mean counts; empty takes those
      of paper B and all other categories that the table has.
    filters: conditions on the rows, like `stage=cooldown`.
    columns: names and units of the columns, as --columns of `codelaw fit`.
    chance: category -> score of guessing, where that is not 0.
    interval_level: of the intervals.
    paired: whether runs of equal seeds are pairs.
  """

  runs: str
  baseline: str
  variants: Mapping[str, tuple[str, ...]] = dataclasses.field(
    default_factory=dict
  )
  column: str = ''
  pattern: str = r'(.+?)(?:[-_/.]?seed[-_=]?\d+)?'
  categories: Mapping[str, tuple[str, ...]] = dataclasses.field(
    default_factory=dict
  )
  filters: tuple[str, ...] = ()
  columns: str = ''
  chance: Mapping[str, float] = dataclasses.field(default_factory=dict)
  interval_level: float = 0.9
  paired: bool = False

  def __post_init__(self):
    if not 0 < self.interval_level < 1:
      raise errors.UserError(
        'VariantReport.interval_level must lie between 0 and 1, got'
        f' {self.interval_level!r}.'
      )

  def page(self) -> layout.Page:
    """Reads the table, compares and lays out the page.

    Raises:
      UserError: when the table has no such runs or scores.
    """
    given = table_lib.parse_columns(self.columns) if self.columns else None
    table = selection.keep(table_lib.read(self.runs, given), self.filters)
    return page(self, table)


def page(report: VariantReport, table: pd.DataFrame) -> layout.Page:
  """The page of a run table; see `VariantReport.page`."""
  categories = variant_groups.categories_of(table, report.categories)
  variants = variant_groups.grouped(
    variant_groups.last_rows(table),
    report.baseline,
    report.variants,
    report.column,
    report.pattern,
  )
  cells = variant_scores.cells(variants, categories, report.paired)
  cells = {category: row for category, row in cells.items() if row}
  if not cells:
    raise errors.UserError(
      'No run of the variants has all scores of a category:'
      f' {", ".join(categories)}. Evaluate their last checkpoints with `codelaw'
      ' evaluate`.'
    )
  changes = variant_scores.changes(
    cells, report.baseline, report.interval_level, report.paired
  )
  sections = (
    section(
      'Variants',
      'changes',
      report.baseline,
      report.interval_level,
      report.paired,
      list(variants),
      cells,
      changes,
    ),
    layout.Section('Runs', (), (variant_tables.runs(variants, categories),)),
  )
  return layout.Page(
    name=f'Variants of training against {report.baseline}',
    answer=_answer(report, cells, changes),
    warnings=tuple(
      variant_cautions.warnings(
        variants,
        report.baseline,
        cells,
        changes,
        report.chance,
        report.interval_level,
      )
    ),
    sections=tuple(s for s in sections if s.pictures or s.tables),
    commands=(),
    provenance=tables.Table(
      'Where the numbers come from',
      'The run table, and which runs count to which variant.',
      ('what', 'value'),
      (
        ('codelaw', codelaw.__version__),
        ('run table', report.runs),
        ('its fingerprint', table_lib.fingerprint(table)),
        *(
          (f'runs of {name}', ', '.join(rows['run_id']))
          for name, rows in variants.items()
        ),
        *(
          (f'{name} is', ' and '.join(columns))
          for name, columns in categories.items()
          if name in cells
        ),
      ),
    ),
    files=(('variants.json', _json(report, cells, changes)),),
  )


def section(
  title: str,
  picture: str,
  baseline: str,
  level: float,
  paired: bool,
  variants: Sequence[str],
  cells: variant_tables.Cells,
  changes: variant_tables.Changes,
) -> layout.Section:
  """Scores of variants and their changes.

  Args:
    title: of the section.
    picture: name of its picture.
    baseline: variant that changes are counted from.
    level: of the intervals.
    paired: whether runs of equal seeds are pairs.
    variants: names, in order.
    cells: category -> variant -> score.
    changes: category -> variant -> change.
  """
  pictures = []
  if any(
    math.isfinite(c.percent) for r in changes.values() for c in r.values()
  ):
    pictures.append(
      layout.Picture(
        picture,
        variant_plots.changes(changes, level),
        f'Relative change of the scores against {baseline}, with {level:.0%}'
        ' intervals; an arrow is an interval without an end. Filled: more than'
        ' noise after correction for the number of comparisons.',
      )
    )
  return layout.Section(
    title,
    tuple(pictures),
    (
      variant_tables.scores(variants, cells, level),
      variant_tables.changes(variants, changes, baseline, level, paired),
    ),
  )


def verdict(
  changes: variant_tables.Changes, baseline: str, level: float
) -> str:
  """How many changes are more than noise, as one clause."""
  every = [change for row in changes.values() for change in row.values()]
  sure = sum(change.is_sure(level) for change in every)
  known = sum(change.adjusted is not None for change in every)
  if not known:
    return (
      f'{len(every)} changes against {baseline}, of which no error is known.'
    )
  if not sure:
    return f'None of {known} changes against {baseline} is more than noise.'
  return f'{sure} of {known} changes against {baseline} are more than noise.'


def certainty(change: variant_scores.Change, level: float) -> str:
  """How sure a change is, in words."""
  if change.is_sure(level):
    return 'more than noise'
  return 'within noise' if change.adjusted is not None else 'of unknown error'


def _answer(
  report: VariantReport,
  cells: variant_tables.Cells,
  changes: variant_tables.Changes,
) -> findings.Answer:
  level = report.interval_level
  return findings.Answer(
    verdict(changes, report.baseline, level),
    tuple(best_scores(cells, changes, report.baseline, level)),
  )


def best_scores(
  cells: variant_tables.Cells,
  changes: variant_tables.Changes,
  baseline: str,
  level: float,
) -> Iterator[str]:
  """Yields for each category which variant scores highest."""
  for category, row in changes.items():
    best = max(cells[category], key=lambda name: cells[category][name].value)
    if best == baseline:
      yield f'{category}: no variant scores above the baseline.'
    else:
      yield (
        f'{category}: {best} scores highest,'
        f' {tables.change_text(row[best].percent)},'
        f' {certainty(row[best], level)}.'
      )


def _json(
  report: VariantReport,
  cells: variant_tables.Cells,
  changes: variant_tables.Changes,
) -> str:
  def records(frame: pd.DataFrame) -> list:
    return json.loads(frame.to_json(orient='records', double_precision=12))

  return json.dumps(
    {
      'baseline': report.baseline,
      'interval_level': report.interval_level,
      'paired': report.paired,
      'scores': records(
        variant_tables.score_data(cells, report.interval_level)
      ),
      'changes': records(variant_tables.change_data(changes)),
    },
    separators=(',', ':'),
  )
