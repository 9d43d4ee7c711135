"""Bars of named values, one panel per group, for both papers' pages."""

from collections.abc import Mapping

from matplotlib import figure as figure_lib

from codelaw.reports import figures


def panels(
  groups: Mapping[str, Mapping[str, float]], label: str, form: str = '+.1f'
) -> figure_lib.Figure:
  """One panel per group, negative values in another colour.

  Args:
    groups: title of the panel -> name of the bar -> value.
    label: of the axis.
    form: of the values beside the bars.
  """
  rows = max(map(len, groups.values()))
  figure, grid = figures.new(1, len(groups), 1.3 + 0.42 * rows)
  for axes, (title, values) in zip(grid[0], groups.items(), strict=True):
    names = list(values)
    numbers = [values[name] for name in names]
    axes.barh(
      range(len(names)),
      numbers,
      0.62,
      color=[figures.BLUE if v >= 0 else figures.VERMILION for v in numbers],
    )
    span = max(map(abs, numbers)) or 1.0
    for place, value in enumerate(numbers):
      axes.text(
        value + 0.03 * span * (1 if value >= 0 else -1),
        place,
        format(value, form),
        va='center',
        ha='left' if value >= 0 else 'right',
        color=figures.INK,
        fontsize=9,
      )
    low, high = min(0.0, *numbers), max(0.0, *numbers)
    axes.set_xlim(
      low - (0.22 * span if low < 0 else 0.02 * span), high + 0.25 * span
    )
    axes.axvline(0, color=figures.MUTED, lw=1)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(rows - 0.4, -0.6)
    axes.set_title(title, color=figures.INK, fontsize=10)
    axes.set_xlabel(label)
    axes.grid(False, axis='y')
  return figure
