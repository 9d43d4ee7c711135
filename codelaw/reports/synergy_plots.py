"""Figures of what sources do to each other: synergy and transfer."""

from collections.abc import Sequence

from matplotlib import colors
from matplotlib import figure as figure_lib

from codelaw.laws import synergy as synergy_lib
from codelaw.laws import synergy_patterns
from codelaw.reports import figures
from codelaw.reports import heat_maps


def synergy_heat_map(
  entries: Sequence[synergy_lib.Synergy],
) -> figure_lib.Figure:
  """Gain of every target (row) from every auxiliary (column), in percent.

  A cell in bold with a star is significant after correction for the number
  of pairs.
  """
  cells = {
    (entry.target, entry.auxiliary): (
      100 * entry.gain,
      f'{100 * entry.gain:+.1f}%' + (' *' if entry.significant else ''),
      bool(entry.significant),
    )
    for entry in entries
    if entry.target != entry.auxiliary
  }
  most = max(abs(value) for value, _, _ in cells.values()) or 1.0
  # Orange and blue with a pale middle: apart for colour-blind readers.
  shades = colors.LinearSegmentedColormap.from_list(
    'synergy', [figures.VERMILION, heat_maps.PALE, figures.BLUE]
  )
  return _heat_map(
    cells,
    shades,
    colors.Normalize(-most, most),
    'auxiliary source (half of the tokens)',
  )


def transfer_heat_map(
  entries: Sequence[synergy_patterns.Transfer],
) -> figure_lib.Figure:
  """Tokens of the target (row) that one of the auxiliary (column) is worth.

  A cell in bold has an interval that excludes values below a hundredth; one
  whose estimate ended at a bound of the solver has brackets.
  """
  cells = {
    (entry.target, entry.auxiliary): (
      entry.tau,
      f'({entry.tau:.2g})' if entry.at_bound else f'{entry.tau:.2g}',
      not entry.at_bound and entry.low is not None and entry.low > 0.01,
    )
    for entry in entries
  }
  shades = colors.LinearSegmentedColormap.from_list(
    'transfer', [heat_maps.PALE, figures.GREEN]
  )
  return _heat_map(
    cells, shades, colors.Normalize(0, 1, clip=True), 'auxiliary source'
  )


def _heat_map(
  cells: heat_maps.Cells,
  shades: colors.Colormap,
  scale: colors.Normalize,
  label: str,
) -> figure_lib.Figure:
  targets = sorted({target for target, _ in cells})
  auxiliaries = sorted({auxiliary for _, auxiliary in cells})
  figure, grid = figures.new(1, 1, 1.6 + 0.5 * len(targets))
  axes = grid[0][0]
  heat_maps.draw(axes, cells, targets, auxiliaries, shades, scale)
  axes.set_xlabel(label)
  axes.set_ylabel('target source')
  return figure
