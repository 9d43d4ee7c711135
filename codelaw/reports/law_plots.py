"""Figures of fitted laws beside the points they were fitted to."""

from collections.abc import Sequence

from matplotlib import colors
from matplotlib import figure as figure_lib
from matplotlib import ticker
import numpy as np
import pandas as pd

from codelaw.laws import predict
from codelaw.reports import figures
from codelaw.reports import predictions

MOST_PANELS = 12  # More would be too many to look at; tables hold the rest.
_MOST_CURVES = 6
_CURVE_POINTS = 32
_MOST_BINS = 12  # Of residuals whose mean is drawn.


def curves(laws: Sequence[predictions.Fitted]) -> pd.DataFrame:
  """Laws of size and tokens as lines over the tokens of their points.

  Returns:
    Columns law, num_params, num_tokens, loss, loss_low, loss_high: one line
    per law and size, or at some sizes where there are many.
  """
  parts = []
  for law in laws:
    sizes = _few(np.unique(law.points['num_params']))
    least, most = law.points['num_tokens'].agg(['min', 'max'])
    tokens = np.geomspace(least * 0.8, most * 1.25, _CURVE_POINTS)
    part = pd.DataFrame(
      {
        'law': law.label,
        'num_params': np.repeat(sizes, tokens.size),
        'num_tokens': np.tile(tokens, sizes.size),
      }
    )
    losses, low, high = predict.at(law.fit, part)
    parts.append(part.assign(loss=losses, loss_low=low, loss_high=high))
  return pd.concat(parts, ignore_index=True)


def loss_curves(laws: Sequence[predictions.Fitted]) -> figure_lib.Figure:
  """Loss against tokens, one panel per law.

  Dots are points, coloured by size; lines are `curves` with their bands.

  Args:
    laws: of num_params and num_tokens alone; at most `MOST_PANELS` are drawn.
  """
  laws = laws[:MOST_PANELS]
  lines = curves(laws)
  sizes = np.unique(np.concatenate([law.points['num_params'] for law in laws]))
  scale = colors.LogNorm(sizes[0] / 1.01, sizes[-1] * 1.01)
  shades = figures.shades()
  figure, panels = figures.panels(
    [law.label for law in laws], 'training tokens', 'loss (nats per token)'
  )
  for axes, law in zip(panels, laws, strict=True):
    points = law.points
    axes.set_xscale('log')
    axes.set_yscale('log')
    for size, line in lines[lines['law'] == law.label].groupby('num_params'):
      shade = shades(scale(size))
      tokens, low, high = (
        line[name] for name in ('num_tokens', 'loss_low', 'loss_high')
      )
      axes.fill_between(tokens, low, high, color=shade, alpha=0.2, lw=0)
      axes.plot(tokens, line['loss'], color=shade, lw=1.4)
    axes.scatter(
      points['num_tokens'],
      points['observed'],
      c=shades(scale(points['num_params'].to_numpy())),
      s=18 if len(points) < 200 else 8,
      zorder=3,
      linewidths=0,
    )
    figures.count_ticks(axes.xaxis)
    figures.plain_log_ticks(axes.yaxis)
  if sizes.size <= _MOST_CURVES:
    handles = [
      panels[0].plot([], [], 'o-', color=shades(scale(size)), ms=5)[0]
      for size in sizes
    ]
    names = [f'{figures.short(size)} parameters' for size in sizes]
    figures.legend(figure, handles, names)
  else:
    figures.colour_bar(figure, panels, scale, 'parameters')
  return figure


def _few(sizes: np.ndarray) -> np.ndarray:
  """At most `_MOST_CURVES` of them, the ends included."""
  if sizes.size <= _MOST_CURVES:
    return sizes
  places = np.linspace(0, sizes.size - 1, _MOST_CURVES).round().astype(int)
  return sizes[places]


def residuals(laws: Sequence[predictions.Fitted]) -> figure_lib.Figure:
  """Errors in percent against size, tokens and prediction, law by law.

  Short lines are means over points of equal or near size, tokens or
  prediction: where they leave 0 together, the law has the wrong shape.
  """
  points = residual_rows(laws)
  across = [
    (name, words)
    for name, words in (
      ('num_params', 'parameters'),
      ('num_tokens', 'training tokens'),
      ('predicted', 'predicted loss (nats per token)'),
    )
    if name in points
  ]
  figure, grid = figures.new(1, len(across), 3.9)
  small = len(points) > 300
  for axes, (name, words) in zip(grid[0], across, strict=True):
    axes.set_xscale('log')
    for place, (law, rows) in enumerate(points.groupby('law', sort=False)):
      axes.plot(
        rows[name],
        rows['relative_error'],
        **figures.style(place),
        linestyle='',
        ms=3 if small else 4.5,
        mfc='none',
        mew=0.8,
        alpha=0.7 if small else 0.9,
        label=law,
      )
    for low, high, mean in _bins(points[name], points['relative_error']):
      axes.plot([low, high], [mean, mean], color=figures.INK, lw=2.2, zorder=4)
    axes.axhline(0, color=figures.MUTED, lw=1, zorder=0)
    axes.set_xlabel(words)
    axes.yaxis.set_major_formatter(ticker.PercentFormatter(1))
    if name == 'predicted':
      figures.plain_log_ticks(axes.xaxis)
    else:
      figures.count_ticks(axes.xaxis)
    if axes is not grid[0][0]:
      axes.sharey(grid[0][0])
      axes.tick_params(labelleft=False)
  grid[0][0].set_ylabel('predicted / measured - 1')
  figures.legend(figure, *grid[0][0].get_legend_handles_labels())
  return figure


def residual_rows(laws: Sequence[predictions.Fitted]) -> pd.DataFrame:
  """The points of all laws, with `law` and `relative_error`."""
  return pd.concat(
    [
      law.points.assign(
        law=law.label,
        relative_error=law.points['predicted'] / law.points['observed'] - 1,
      )
      for law in laws
    ],
    ignore_index=True,
  )


def _bins(
  values: pd.Series, errors: pd.Series
) -> list[tuple[float, float, float]]:
  """(from, to, mean error) at single values or, of many, over quantiles."""
  places = np.unique(values, return_inverse=True)[1]
  if places.max() >= _MOST_BINS:
    edges = np.unique(np.quantile(values, np.linspace(0, 1, _MOST_BINS + 1)))
    places = np.searchsorted(edges[1:-1], values, side='right')
  # Wide enough to be seen where all values are one.
  margin = (values.max() / values.min()) ** 0.012
  return [
    (part.min() / margin, part.max() * margin, float(errors[part.index].mean()))
    for _, part in values.groupby(places)
  ]
