"""Figures of where a law is lowest: isoloss contours, optimal N and D."""

from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from matplotlib import axes as axes_lib
from matplotlib import colors
from matplotlib import contour
from matplotlib import figure as figure_lib
import numpy as np
import pandas as pd

from codelaw.laws import frontier as frontier_lib
from codelaw.laws import predict
from codelaw.reports import figures
from codelaw.reports import law_plots
from codelaw.reports import predictions

_GRID = 48
_LABEL_ROOM = 0.11  # Shares of the axes around a label.
_POINT_ROOM = 4.0  # Points may be so much nearer to it.
_LEVELS = 7
_BELOW, _ABOVE = 1.6, 8.0  # Contours reach this far beyond the points.


def isoloss(
  laws: Sequence[predictions.Fitted],
  frontiers: Sequence[frontier_lib.Frontier],
  others: Sequence[dict[str, float]],
) -> figure_lib.Figure:
  """Contours of equal loss over size and tokens, one panel per law.

  Dots are the points; the line is the compute-optimal frontier with its
  band, dashed beyond the compute of the points.

  Args:
    laws: of size and tokens; at most `law_plots.MOST_PANELS` are drawn.
    frontiers: of the laws.
    others: values of the laws' other columns.
  """
  laws = laws[: law_plots.MOST_PANELS]
  figure, panels = figures.panels(
    [law.label for law in laws], 'parameters', 'training tokens'
  )
  shades = figures.shades()
  for axes, law, found, fixed in zip(
    panels, laws, frontiers, others, strict=False
  ):
    sizes, tokens = (
      np.geomspace(values.min() / _BELOW, values.max() * _ABOVE, _GRID)
      for values in (law.points['num_params'], law.points['num_tokens'])
    )
    grid = pd.DataFrame(
      {
        'num_params': np.tile(sizes, _GRID),
        'num_tokens': np.repeat(tokens, _GRID),
        **fixed,
      }
    )
    losses = predict.at(law.fit, grid)[0].reshape(_GRID, _GRID)
    axes.set_xscale('log')
    axes.set_yscale('log')
    levels = np.unique(
      [
        float(f'{level:.3g}')
        for level in np.quantile(losses, np.linspace(0.03, 0.97, _LEVELS))
      ]
    )
    lines = axes.contour(
      sizes,
      tokens,
      losses,
      levels=levels,
      cmap=shades,
      linewidths=1.1,
      norm=colors.LogNorm(),
    )
    points = _distinct(law)
    axes.plot(
      *points.T,
      'o',
      color=figures.MUTED,
      ms=3 if len(points) < 200 else 1.5,
      alpha=0.6,
      zorder=1,
    )
    _frontier_line(axes, found, law.compute[1])
    axes.set_xlim(sizes[0], sizes[-1])
    axes.set_ylim(tokens[0], tokens[-1])
    axes.clabel(
      lines,
      fmt='%.3g',
      fontsize=8,
      colors=[figures.INK],
      manual=_label_places(lines, axes, law, found),
    )
    figures.count_ticks(axes.xaxis)
    figures.count_ticks(axes.yaxis)
  handles = [
    panels[0].plot([], [], 'o', color=figures.MUTED, ms=4)[0],
    panels[0].plot([], [], color=figures.VERMILION, lw=2)[0],
    panels[0].plot([], [], color=figures.VERMILION, lw=2, ls=(0, (3, 2)))[0],
  ]
  names = ['points', 'compute-optimal', 'the same, beyond the runs']
  figures.legend(figure, handles, names)
  return figure


def _distinct(law: predictions.Fitted) -> np.ndarray:
  """[n, 2] sizes and tokens of the points, each pair once."""
  return np.unique(law.points[['num_params', 'num_tokens']].to_numpy(), axis=0)


def _label_places(
  lines: contour.ContourSet,
  axes: axes_lib.Axes,
  law: predictions.Fitted,
  found: frontier_lib.Frontier,
) -> list[tuple[float, float]]:
  """A place on every contour away from edges, frontier, labels and points.

  Distances are in shares of the axes' width and height.
  """
  low, high = np.log(np.transpose([axes.get_xlim(), axes.get_ylim()]))

  def share(places: np.ndarray) -> np.ndarray:
    return (np.log(places) - low) / (high - low)

  line = np.stack([found.num_params[0], found.num_tokens[0]], axis=-1)
  taken = share(line[np.isfinite(line).all(axis=-1)])
  points = share(_distinct(law))
  chosen = []
  for path in lines.get_paths():
    vertices = np.asarray(path.vertices)
    if not len(vertices):
      continue
    places = share(vertices)
    inside = np.all((places > 0.1) & (places < 0.9), axis=-1)
    if not inside.any():
      continue
    vertices, places = vertices[inside], places[inside]
    distances = np.minimum(
      _nearest(places, taken), _POINT_ROOM * _nearest(places, points)
    )
    best = int(distances.argmax())
    if distances[best] < _LABEL_ROOM:
      continue
    chosen.append((float(vertices[best, 0]), float(vertices[best, 1])))
    taken = np.concatenate([taken, places[best : best + 1]])
  return chosen


def _nearest(places: np.ndarray, others: np.ndarray) -> np.ndarray:
  """[n] distances of places [n, 2] to the nearest of others [m, 2]."""
  # A label is wider than it is high.
  offsets = (places[:, None] - others[None]) * np.array([1.0, 1.4])
  return np.hypot(offsets[..., 0], offsets[..., 1]).min(axis=-1, initial=np.inf)


def _frontier_line(
  axes: axes_lib.Axes, found: frontier_lib.Frontier, most: float
) -> None:
  sizes, tokens = found.num_params, found.num_tokens
  # Along a budget, the least size goes with the most tokens.
  axes.fill(
    np.concatenate([sizes[1], sizes[2][::-1]]),
    np.concatenate([tokens[2], tokens[1][::-1]]),
    color=figures.VERMILION,
    alpha=0.15,
    lw=0,
  )
  for chosen, dashes in _inside_and_beyond(found, most):
    axes.plot(
      sizes[0][chosen],
      tokens[0][chosen],
      color=figures.VERMILION,
      lw=2,
      ls=dashes,
    )


def _inside_and_beyond(
  found: frontier_lib.Frontier, most: float
) -> Iterator[tuple[slice, Any]]:
  """Budgets up to the most compute of the runs, and from there on."""
  inside = found.compute <= most * 1.001
  last = max(int(inside.sum()) - 1, 0)
  yield slice(0, last + 1), '-'
  yield slice(last, None), (0, (3, 2))


def optimal_sizes(
  laws: Sequence[predictions.Fitted],
  frontiers: Sequence[frontier_lib.Frontier],
) -> figure_lib.Figure:
  """Optimal size and tokens against compute, with bands, all laws in one."""
  figure, grid = figures.new(1, 2, 4.2)
  for place, (law, found) in enumerate(zip(laws, frontiers, strict=True)):
    style = figures.style(place)
    for axes, values in zip(
      grid[0], (found.num_params, found.num_tokens), strict=True
    ):
      axes.fill_between(
        found.compute,
        values[1],
        values[2],
        color=style['color'],
        alpha=min(0.15, 0.4 / len(laws)),
        lw=0,
      )
      for chosen, dashes in _inside_and_beyond(found, law.compute[1]):
        axes.plot(
          found.compute[chosen],
          values[0][chosen],
          **style,
          ls=dashes,
          lw=1.6,
          ms=4,
          markevery=4,
          label=law.label if dashes == '-' else None,
        )
  for axes, words in zip(
    grid[0], ('optimal parameters', 'optimal training tokens'), strict=True
  ):
    axes.set_xscale('log')
    axes.set_yscale('log')
    axes.set_xlabel('compute, 6 N D')
    axes.set_ylabel(words)
    figures.power_ticks(axes.xaxis)
    figures.count_ticks(axes.yaxis)
  figures.legend(figure, *grid[0][0].get_legend_handles_labels())
  return figure
