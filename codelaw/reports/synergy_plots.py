"""Figures of what sources do to each other: synergy and transfer."""

from collections.abc import Mapping
from collections.abc import Sequence

from matplotlib import colors
from matplotlib import figure as figure_lib
import numpy as np

from codelaw.laws import synergy as synergy_lib
from codelaw.laws import synergy_patterns
from codelaw.reports import figures

_PALE = '#f6f6f4'  # Middle of a scale that has two sides.
_DARK_INK, _LIGHT_INK = '#1b1f23', '#ffffff'  # On cells, in any page.
# (target, auxiliary) -> (value that colours the cell, its text, whether bold).
Cells = Mapping[tuple[str, str], tuple[float, str, bool]]


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
    'synergy', [figures.VERMILION, _PALE, figures.BLUE]
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
    'transfer', [_PALE, figures.GREEN]
  )
  return _heat_map(
    cells, shades, colors.Normalize(0, 1, clip=True), 'auxiliary source'
  )


def _heat_map(
  cells: Cells,
  shades: colors.Colormap,
  scale: colors.Normalize,
  label: str,
) -> figure_lib.Figure:
  targets = sorted({target for target, _ in cells})
  auxiliaries = sorted({auxiliary for _, auxiliary in cells})
  values = np.full((len(targets), len(auxiliaries)), np.nan)
  for (target, auxiliary), (value, _, _) in cells.items():
    values[targets.index(target), auxiliaries.index(auxiliary)] = value
  figure, grid = figures.new(1, 1, 1.6 + 0.5 * len(targets))
  axes = grid[0][0]
  axes.pcolormesh(
    np.arange(len(auxiliaries) + 1) - 0.5,
    np.arange(len(targets) + 1) - 0.5,
    np.ma.masked_invalid(values),
    cmap=shades,
    norm=scale,
    edgecolors=figures.GRID,
    linewidth=1,
  )
  for (target, auxiliary), (value, text, bold) in cells.items():
    red, green, blue, _ = shades(scale(value))
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.45
    axes.text(
      auxiliaries.index(auxiliary),
      targets.index(target),
      text,
      ha='center',
      va='center',
      fontsize=9,
      fontweight='bold' if bold else 'normal',
      color=_LIGHT_INK if dark else _DARK_INK,
    )
  axes.set_xticks(range(len(auxiliaries)), auxiliaries)
  axes.set_yticks(range(len(targets)), targets)
  axes.set_xlabel(label)
  axes.set_ylabel('target source')
  axes.invert_yaxis()
  axes.grid(False)
  axes.tick_params(length=0)
  for spine in axes.spines.values():
    spine.set_visible(False)
  return figure
