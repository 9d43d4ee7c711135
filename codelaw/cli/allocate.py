"""Finds the rates of the sources that minimise the predicted loss.

Reads mixture laws from fit.json and writes a gin file that `codelaw train`
takes after a run's own gin file, and beside it the whole allocation as JSON.
With --flop_budget it chooses model size and tokens too.
"""

import argparse
import dataclasses
import shlex

import rich.console
import rich.table

from codelaw import errors
from codelaw import storage
from codelaw.cli import gin_config
from codelaw.laws import results
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import choosing
from codelaw.planning import mixture_gin
from codelaw.runs import table

EXAMPLE = (
  'codelaw allocate --fit=results/quickstart/fits/mixture/fit.json'
  ' --runs=results/quickstart/runs.csv --num_params=1e6 --num_tokens=5e6'
  ' --out=generated/allocation.gin'
)


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the flags of this verb."""
  parser.add_argument(
    '--fit', required=True, metavar='FILE', help='fit.json with mixture laws'
  )
  parser.add_argument(
    '--num_params', type=float, metavar='N', help='parameters of the model'
  )
  parser.add_argument(
    '--num_tokens', type=float, metavar='D', help='tokens of the run'
  )
  parser.add_argument(
    '--flop_budget',
    type=float,
    metavar='C',
    help='training FLOPs; chooses N and D with 6 N D = C instead of taking'
    ' them',
  )
  pairs = 'SOURCE=VALUE[,SOURCE=VALUE]'
  for flag, text in (
    ('weights', 'weights of the losses; sources not named weigh nothing'),
    ('floor', 'least rates'),
    ('ceiling', 'greatest rates'),
    ('supply', 'tokens there are of a source; unlimited where not named'),
    ('prior', 'rates the answer is drawn to'),
  ):
    parser.add_argument(f'--{flag}', metavar=pairs, help=text)
  parser.add_argument(
    '--max_epochs',
    type=float,
    metavar='E',
    help='how often a source with a supply may be repeated (default 4)',
  )
  parser.add_argument(
    '--prior_strength',
    type=float,
    metavar='S',
    help='pull to the prior, nats per token (default 0)',
  )
  parser.add_argument(
    '--runs',
    metavar='TABLE',
    help='run table the laws were fitted to, for warnings on extrapolation',
  )
  parser.add_argument(
    '--out', required=True, metavar='FILE.gin', help='gin file to write'
  )


def run(args: argparse.Namespace) -> None:
  """Allocates, prints the answer, writes the gin file and its JSON."""
  if not args.out.endswith('.gin'):
    raise errors.UserError(
      f'--out must name a file that ends in .gin, got {args.out}.'
    )
  settings = _settings(args)
  supply = _pairs('supply', args.supply)
  fits = results.read(args.fit)
  ranges = _ranges(args.runs) if args.runs else None
  given = (args.num_params is not None, args.num_tokens is not None)
  if args.flop_budget is not None and not any(given):
    found = choosing.allocate_budget(
      fits,
      flop_budget=args.flop_budget,
      settings=settings,
      supply=supply,
      ranges=ranges,
    )
  elif args.flop_budget is None and all(given):
    found = choosing.allocate(
      fits,
      num_params=args.num_params,
      num_tokens=args.num_tokens,
      settings=settings,
      supply=supply,
      ranges=ranges,
    )
  else:
    raise errors.UserError(
      'Give either --num_params and --num_tokens, or --flop_budget alone.'
    )
  console = rich.console.Console()
  show(found, console)
  json_file = f'{args.out.removesuffix(".gin")}.json'
  storage.write_json(json_file, allocation_lib.to_json(found))
  storage.write_text(args.out, mixture_gin.mixture_gin(found, _command(args)))
  console.print(
    f'\nWrote {args.out} and {json_file}. Train on it with:\n'
    f'  codelaw train --gin_file=<your run>.gin --gin_file={args.out}',
    soft_wrap=True,
    highlight=False,
  )


def show(
  allocation: allocation_lib.Allocation, console: rich.console.Console
) -> None:
  """Prints rates, losses, gain and warnings."""
  level = f'{allocation.interval_level:.0%}'
  rates = rich.table.Table(
    title=f'Rates for {allocation.num_params:,} parameters and'
    f' {allocation.num_tokens:,} tokens'
  )
  for heading in ('source', 'rate', f'{level} band', 'uniform', 'tokens'):
    rates.add_column(
      heading, justify='left' if heading == 'source' else 'right'
    )
  rates.add_column('epochs', justify='right')
  for name, share in allocation.sources.items():
    rates.add_row(
      name,
      f'{share.rate:.4f}',
      _band(share.low, share.high),
      f'{share.uniform_rate:.4f}',
      f'{share.num_tokens:,.0f}',
      '' if share.epochs is None else f'{share.epochs:.2f}',
    )
  losses = rich.table.Table(title='Predicted loss, nats per token')
  for heading in ('target', 'weight', 'allocated', f'{level} band', 'uniform'):
    losses.add_column(
      heading, justify='left' if heading == 'target' else 'right'
    )
  for name, target in allocation.targets.items():
    losses.add_row(
      name,
      f'{target.weight:.3f}',
      f'{target.loss:.4f}',
      _band(target.low, target.high),
      f'{target.uniform_loss:.4f}',
    )
  console.print(rates)
  console.print(losses)
  gain = mixture_gin.interval_text(
    allocation.gain_low, allocation.gain_high, allocation.interval_level
  )
  console.print(
    f'Predicted gain over uniform rates: {allocation.gain:.4f} nats per'
    f' token{gain}.',
    soft_wrap=True,
    highlight=False,
  )
  for warning in allocation.warnings:
    console.print(f'[yellow]warning:[/yellow] {warning}', highlight=False)


def _band(low: float | None, high: float | None) -> str:
  return '' if low is None else f'{low:.4f} to {high:.4f}'


def _settings(args: argparse.Namespace) -> allocation_lib.AllocationSettings:
  """Settings from gin, over which flags win."""
  settings = gin_config.load(args, entry=allocation_lib.AllocationSettings)
  flags = {
    'weights': _pairs('weights', args.weights),
    'floors': _pairs('floor', args.floor),
    'ceilings': _pairs('ceiling', args.ceiling),
    'max_epochs': args.max_epochs,
    'prior': _pairs('prior', args.prior),
    'prior_strength': args.prior_strength,
  }
  given = {name: value for name, value in flags.items() if value is not None}
  return dataclasses.replace(settings, **given)


def _pairs(flag: str, text: str | None) -> dict[str, float] | None:
  """{'code/c': 0.3} from 'code/c=0.3'; None for a flag not given."""
  if text is None:
    return None
  values: dict[str, float] = {}
  for part in text.split(','):
    source, _, number = part.partition('=')
    try:
      value = float(number)
    except ValueError:
      raise errors.UserError(
        f'--{flag} takes SOURCE=VALUE pairs like code/python=0.3,code/c=0.1;'
        f' got {part!r}.'
      ) from None
    if source in values:
      raise errors.UserError(f'--{flag} names {source} twice.')
    values[source] = value
  return values


def _ranges(path: str) -> dict[str, tuple[float, float]]:
  """Least and greatest value of every numeric column of a run table."""
  numbers = table.read(path).select_dtypes('number')
  return {
    str(name): (float(column.min()), float(column.max()))
    for name, column in numbers.items()
  }


def _command(args: argparse.Namespace) -> str:
  """The command line again, from what it was parsed into."""
  words = ['codelaw', 'allocate']
  for name in (
    'fit',
    'num_params',
    'num_tokens',
    'flop_budget',
    'weights',
    'floor',
    'ceiling',
    'supply',
    'prior',
    'max_epochs',
    'prior_strength',
    'runs',
    'out',
  ):
    value = getattr(args, name)
    if value is None:
      continue
    text = f'{value:.12g}' if isinstance(value, float) else value
    words.append(shlex.quote(f'--{name}={text}'))
  words += [shlex.quote(f'--gin_file={file}') for file in args.gin_file]
  words += [
    shlex.quote(f'--gin.{text.replace(" = ", "=", 1)}')
    for text in args.gin_bindings
  ]
  return ' '.join(words)
