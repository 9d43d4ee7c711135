"""How an allocation is printed."""

from collections.abc import Sequence

import rich.console
import rich.table

from codelaw.planning import allocation as allocation_lib
from codelaw.planning import ladder
from codelaw.planning import mixture_gin


def show(
  allocation: allocation_lib.Allocation, console: rich.console.Console
) -> None:
  """Prints rates, losses, gains and warnings."""
  level = f'{allocation.interval_level:.0%}'
  natural = allocation.natural_gain is not None
  _print_table(
    console,
    f'Rates for {allocation.num_params:,} parameters and'
    f' {allocation.num_tokens:,} tokens',
    ['source', 'rate', f'{level} band', 'uniform']
    + ['natural'] * natural
    + ['tokens', 'epochs'],
    [
      [
        name,
        f'{share.rate:.4f}',
        _band(share.low, share.high),
        f'{share.uniform_rate:.4f}',
        *([f'{share.natural_rate:.4f}'] if natural else []),
        ladder.short_count(round(share.num_tokens)),
        '' if share.epochs is None else f'{share.epochs:.2f}',
      ]
      for name, share in allocation.sources.items()
    ],
  )
  if allocation.stages:
    _print_table(
      console,
      'Rates by stage',
      ['source', *(f'{n}, {level} band' for n in allocation.stages)],
      [
        [
          source,
          *(
            f'{stage.rates[source]:.4f}  '
            + _band(stage.low.get(source), stage.high.get(source))
            for stage in allocation.stages.values()
          ),
        ]
        for source in allocation.sources
      ],
    )
  _print_table(
    console,
    'Predicted loss, nats per token',
    ['target', 'weight', 'allocated', f'{level} band', 'uniform'],
    [
      [
        name,
        f'{target.weight:.3f}',
        f'{target.loss:.4f}',
        _band(target.low, target.high),
        f'{target.uniform_loss:.4f}',
      ]
      for name, target in allocation.targets.items()
    ],
  )
  if allocation.scores:
    _print_table(
      console,
      'Predicted scores',
      ['task', 'weight', 'allocated', f'{level} band', 'uniform'],
      [
        [
          name,
          f'{task.weight:.3f}',
          f'{task.score:.4f}',
          _band(task.low, task.high),
          f'{task.uniform_score:.4f}',
        ]
        for name, task in allocation.scores.items()
      ],
    )
  if allocation.num_params_low is not None:
    console.print(
      f'The best size has the {level} band {allocation.num_params_low:,.0f} to'
      f' {allocation.num_params_high:,.0f} parameters, the best number of'
      f' tokens {allocation.num_tokens_low:,.0f} to'
      f' {allocation.num_tokens_high:,.0f} ({allocation.flops_convention}).',
      soft_wrap=True,
      highlight=False,
    )
  console.print(
    f'{mixture_gin.objective_text(allocation).capitalize()}:'
    f' {allocation.objective:.4f} {allocation.unit}; predicted gain over '
    + ', over '.join(mixture_gin.gain_texts(allocation))
    + '.',
    soft_wrap=True,
    highlight=False,
  )
  for warning in allocation.warnings:
    console.print(f'[yellow]warning:[/yellow] {warning}', highlight=False)


def _print_table(
  console: rich.console.Console,
  title: str,
  headings: Sequence[str],
  rows: Sequence[Sequence[str]],
) -> None:
  shown = rich.table.Table(title=title)
  for place, heading in enumerate(headings):
    shown.add_column(heading, justify='right' if place else 'left')
  for row in rows:
    shown.add_row(*row)
  console.print(shown)


def _band(low: float | None, high: float | None) -> str:
  return '' if low is None else f'{low:.4f} to {high:.4f}'
