"""Finds the rates of the sources that minimise the predicted loss.

Reads mixture laws from fit.json and writes a gin file that `codelaw train`
takes after a run's own gin file, and beside it the whole allocation as JSON.
With --flop_budget it chooses model size and tokens too; with --stages every
stage of the run has rates of its own.

Objectives: `mean`, the weighted mean of the losses; `worst`, the greatest
loss; `worst_excess`, the greatest loss above a run of the same cost on that
source alone; `target:code/rust`, one loss; `score`, the weighted mean of task
scores, predicted by the laws of --score_fit, which it maximises.
"""

import argparse
from collections.abc import Sequence
import dataclasses
import shlex

import rich.console

from codelaw import accounting
from codelaw import errors
from codelaw import storage
from codelaw.cli import allocate_view
from codelaw.cli import gin_config
from codelaw.cli import model_files
from codelaw.laws import results
from codelaw.laws import score_law
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import choosing
from codelaw.planning import mixture_gin
from codelaw.planning import recency as recency_lib
from codelaw.planning import space as space_lib
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
    '--score_fit',
    metavar='FILE',
    help='score_fit.json of `codelaw fit --law=sigmoid`, for --objective=score',
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
  model_files.add_flag(parser, 'that a budget may choose from')
  parser.add_argument(
    '--sequence_length',
    type=int,
    metavar='T',
    help='tokens per sequence of --models, for the FLOPs of attention',
  )
  parser.add_argument(
    '--objective',
    metavar='NAME',
    help='mean (default), worst, worst_excess, target:SOURCE or score',
  )
  pairs = 'SOURCE=VALUE[,SOURCE=VALUE]'
  for flag, text in (
    ('weights', 'weights of losses, or of scores; those not named weigh 0'),
    ('floor', 'least rates'),
    ('ceiling', 'greatest rates'),
    ('supply', 'tokens there are of a source; unlimited where not named'),
    ('natural', 'shares in the data as found; those of the supply by default'),
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
    help='pull to the prior, nats per token or mean score (default 0)',
  )
  parser.add_argument(
    '--stages',
    metavar='STAGE=WEIGHT[,STAGE=WEIGHT]',
    help='stages of the run, in order, with their shares of its tokens',
  )
  for flag, text in (
    ('stage_floor', 'least rates in single stages'),
    ('stage_ceiling', 'greatest rates in single stages'),
  ):
    parser.add_argument(
      f'--{flag}', metavar='STAGE:SOURCE=VALUE[,...]', help=text
    )
  parser.add_argument(
    '--recency',
    metavar='STAGE=VALUE[,...]',
    help='what a token of a stage counts beside one of another (default 1);'
    ' `fit` takes it from --runs, whose stages must differ',
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
  fits = results.read(args.fit)
  targets = list(dict.fromkeys(fit.target for fit in fits))
  settings = _settings(args, targets)
  scores = score_law.read(args.score_fit) if args.score_fit else ()
  supply = pairs('supply', args.supply)
  ranges = _ranges(args.runs) if args.runs else None
  given = (args.num_params is not None, args.num_tokens is not None)
  models = model_files.read(args)
  if models and (args.flop_budget is None or (args.sequence_length or 0) < 1):
    raise errors.UserError(
      '--models are what a --flop_budget chooses from, and need a positive'
      f' --sequence_length; got --flop_budget={args.flop_budget} and'
      f' --sequence_length={args.sequence_length}.'
    )
  if args.flop_budget is not None and not any(given):
    found = choosing.allocate_budget(
      fits,
      flop_budget=args.flop_budget,
      settings=settings,
      supply=supply,
      ranges=ranges,
      sizes={
        accounting.num_params(shape): accounting.train_flops_per_token(
          shape, args.sequence_length
        )
        for shape in models
      },
      scores=scores,
    )
  elif args.flop_budget is None and all(given):
    found = choosing.allocate(
      fits,
      num_params=args.num_params,
      num_tokens=args.num_tokens,
      settings=settings,
      supply=supply,
      ranges=ranges,
      scores=scores,
    )
  else:
    raise errors.UserError(
      'Give either --num_params and --num_tokens, or --flop_budget alone.'
    )
  console = rich.console.Console()
  allocate_view.show(found, console)
  json_file = f'{args.out.removesuffix(".gin")}.json'
  storage.write_json(json_file, allocation_lib.to_json(found))
  storage.write_text(args.out, mixture_gin.mixture_gin(found, _command(args)))
  console.print(
    f'\nWrote {args.out} and {json_file}. Train on it with:\n'
    f'  codelaw train --gin_file=<your run>.gin --gin_file={args.out}',
    soft_wrap=True,
    highlight=False,
  )


def _settings(
  args: argparse.Namespace, targets: Sequence[str]
) -> allocation_lib.AllocationSettings:
  """Settings from gin, over which flags win."""
  settings = gin_config.load(
    args, allocation_lib.AllocationSettings, [space_lib.StageLimits]
  )
  flags = {
    'objective': args.objective,
    'stages': _stages(args, targets),
    'natural': pairs('natural', args.natural),
    'weights': pairs('weights', args.weights),
    'floors': pairs('floor', args.floor),
    'ceilings': pairs('ceiling', args.ceiling),
    'max_epochs': args.max_epochs,
    'prior': pairs('prior', args.prior),
    'prior_strength': args.prior_strength,
  }
  given = {name: value for name, value in flags.items() if value is not None}
  return dataclasses.replace(settings, **given)


def _recency(
  args: argparse.Namespace, targets: Sequence[str]
) -> dict[str, float]:
  """The recency of stages, with `fit` replaced by what the runs say."""
  text = args.recency
  stage, _, value = (text or '').partition('=')
  if value != 'fit':
    return pairs('recency', text) or {}
  if args.runs is None:
    raise errors.UserError(f'--recency={text} needs --runs, the table to fit.')
  rows = table.read(args.runs)
  if 'is_final' in rows:
    rows = rows[rows['is_final']]
  found = recency_lib.fit(rows, stage, targets)
  print(f'recency of {found}')
  return {stage: found.value}


def _stages(
  args: argparse.Namespace, targets: Sequence[str]
) -> tuple[space_lib.StageLimits, ...] | None:
  """The stages that the flags describe; None without --stages."""
  limits: dict[str, dict[str, dict[str, float]]] = {}
  recency = _recency(args, targets)
  for flag in ('stage_floor', 'stage_ceiling'):
    for name, value in (pairs(flag, getattr(args, flag)) or {}).items():
      stage, _, source = name.partition(':')
      limits.setdefault(stage, {}).setdefault(flag, {})[source] = value
  weights = pairs('stages', args.stages)
  unknown = sorted({*limits, *recency} - {*(weights or {})})
  if unknown:
    raise errors.UserError(
      f'--stages names {", ".join(weights or {}) or "nothing"}; got limits or'
      f' a recency of {", ".join(unknown)}.'
    )
  if weights is None:
    return None
  return tuple(
    space_lib.StageLimits(
      name,
      token_weight=weight,
      recency=recency.get(name, 1.0),
      floors=limits.get(name, {}).get('stage_floor', {}),
      ceilings=limits.get(name, {}).get('stage_ceiling', {}),
    )
    for name, weight in weights.items()
  )


def pairs(flag: str, text: str | None) -> dict[str, float] | None:
  """{'code/c': 0.3} from 'code/c=0.3'; None for a flag not given.

  Raises:
    UserError: naming the flag, when the text has another shape.
  """
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
    'score_fit',
    'num_params',
    'num_tokens',
    'flop_budget',
    'models',
    'sequence_length',
    'objective',
    'weights',
    'floor',
    'ceiling',
    'stages',
    'stage_floor',
    'stage_ceiling',
    'recency',
    'supply',
    'natural',
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
