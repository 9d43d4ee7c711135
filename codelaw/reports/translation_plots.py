"""Figures of translation: a matrix of directions, and seen against unseen."""

from collections.abc import Iterator
from collections.abc import Sequence
import math

from matplotlib import axes as axes_lib
from matplotlib import colors
from matplotlib import figure as figure_lib
from matplotlib import lines
from matplotlib import ticker

from codelaw.reports import figures
from codelaw.reports import heat_maps
from codelaw.reports import translation_rows

_MOST_MATRICES = 4
_MOST_RUNS = 30
_STANDARD_ERRORS = 2  # on either side of a dot
_FORMS = {'bleu': '.1f', 'nats_per_token': '.2f', 'execution': '.0%'}
_LIMITS = {'bleu': (0.0, 100.0), 'execution': (0.0, 1.0)}
_KINDS = {'seen': figures.BLUE, 'unseen': figures.ORANGE}


def pictures(
  by_metric: Sequence[Sequence[translation_rows.Matrix]],
) -> Iterator[tuple[str, figure_lib.Figure, str]]:
  """Names, figures and captions of all that there is to draw.

  Args:
    by_metric: for every metric its matrices, one per run.
  """
  for found in by_metric:
    metric = found[0].metric
    yield (
      f'translation_{metric.replace("@", "_")}',
      matrices(found),
      f'Translation, {translation_rows.shown(metric)}: from the language of a'
      ' row into that of a column; darker is better. Frames: directions that'
      ' the run was trained on.' + _not_all(len(found), _MOST_MATRICES),
    )
  yield (
    'translation_seen_unseen',
    seen_and_unseen(by_metric),
    'Means over directions that were trained on and over the others; lines'
    f' are {_STANDARD_ERRORS} standard errors over programs to either side.'
    + _not_all(max(map(len, by_metric)), _MOST_RUNS),
  )


def _not_all(count: int, most: int) -> str:
  return f' The first {most} of {count} runs.' if count > most else ''


def matrices(found: Sequence[translation_rows.Matrix]) -> figure_lib.Figure:
  """One matrix per run: from the language of a row into that of a column.

  Darker is better, on one scale for all runs. Directions that a run was
  trained on have a frame.

  Args:
    found: of one metric.
  """
  found = found[:_MOST_MATRICES]
  names = translation_rows.languages(found)
  metric = found[0].metric
  every = [s.value for one in found for s in one.directions.values()]
  scale = colors.Normalize(*_ends(metric, every))
  ends = [heat_maps.PALE, figures.BLUE]
  if translation_rows.is_lower_better(metric):
    ends.reverse()
  shades = colors.LinearSegmentedColormap.from_list('translation', ends)
  form = _FORMS.get(translation_rows.kind(metric), '.3g')
  columns = 1 if len(found) == 1 else 2
  rows = math.ceil(len(found) / columns)
  each = 0.9 + (0.5 if columns == 1 else 0.42) * len(names)
  figure, grid = figures.new(rows, columns, 0.3 + each * rows)
  for axes in list(grid.flat)[len(found) :]:
    axes.set_axis_off()
  for axes, one in zip(grid.flat, found, strict=False):
    cells = {
      pair: (score.value, format(score.value, form), pair in one.seen)
      for pair, score in one.directions.items()
    }
    heat_maps.draw(
      axes, cells, names, names, shades, scale, one.seen, 9 / columns**0.4
    )
    axes.set_title(one.name, color=figures.INK, fontsize=11)
    axes.set_xlabel('to')
    axes.set_ylabel('from')
    if columns > 1:
      axes.tick_params(axis='x', rotation=30)
  return figure


def _ends(metric: str, values: Sequence[float]) -> tuple[float, float]:
  """Ends of a scale of colours, at least a tenth apart.

  A scale from the least to the greatest value would show noise in full
  colours where all are nearly the same.
  """
  most = max(values)
  limits = _LIMITS.get(translation_rows.kind(metric))
  if limits:
    low, high = limits
    return low, max(most, low + 0.1 * (high - low))
  return min(min(values), most - 0.1 * abs(most)), most


def seen_and_unseen(
  by_metric: Sequence[Sequence[translation_rows.Matrix]],
) -> figure_lib.Figure:
  """Averages over directions seen and unseen: a panel per metric.

  Args:
    by_metric: for every metric its matrices, one per run.
  """
  by_metric = [one[:_MOST_RUNS] for one in by_metric]
  runs = list(dict.fromkeys(m.name for one in by_metric for m in one))
  figure, grid = figures.new(1, len(by_metric), 1.5 + 0.3 * len(runs))
  for place, (axes, found) in enumerate(zip(grid[0], by_metric, strict=True)):
    for matrix in found:
      _dots(axes, runs.index(matrix.name), matrix)
    metric = found[0].metric
    better = 'lower' if translation_rows.is_lower_better(metric) else 'higher'
    axes.set_xlabel(f'{translation_rows.shown(metric)} ({better} is better)')
    axes.set_yticks(range(len(runs)), runs if place == 0 else [''] * len(runs))
    axes.set_ylim(len(runs) - 0.5, -0.5)
    kind = translation_rows.kind(metric)
    if kind == 'execution':
      axes.xaxis.set_major_formatter(ticker.PercentFormatter(1, decimals=0))
    if kind in _LIMITS:
      low, high = _LIMITS[kind]
      left, right = axes.get_xlim()
      span = 0.1 * (high - low)  # As of colours.
      right = min(high, max(right, low + span))
      axes.set_xlim(max(low, min(left, right - span)), right)
  handles = [
    lines.Line2D([], [], color=colour, marker='o', ls='')
    for colour in _KINDS.values()
  ]
  figures.legend(figure, handles, [f'{kind} directions' for kind in _KINDS])
  return figure


def _dots(
  axes: axes_lib.Axes, place: int, matrix: translation_rows.Matrix
) -> None:
  for offset, (kind, colour) in zip((-0.12, 0.12), _KINDS.items(), strict=True):
    score = matrix.averages.get(kind)
    if score is None:
      continue
    ends = None
    if score.standard_error is not None:
      away = _STANDARD_ERRORS * score.standard_error
      ends = score.value - away, score.value + away
    figures.interval(axes, place + offset, score.value, ends, colour)
