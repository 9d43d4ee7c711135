"""Proposes the next runs: those that make the allocation surest for a budget.

Reads mixture laws from fit.json and, from gin, the run that the allocation is
for, which is also the pattern of the new runs: their stages, batch, shards and
optimizer are its own, their model, tokens and mixture are chosen. Writes into
--out a gin file per run, design.gin, which trains them all, and design.csv
with their costs. The expected regret is what rates chosen from the laws are
expected to lose against the best ones, in nats per token.

Bind DesignSettings.allocation = @AllocationSettings() to say what the
allocation may choose.
"""

import argparse
import dataclasses
import os
import shlex

import pandas as pd
import rich.console
import rich.table

from codelaw import accounting
from codelaw import errors
from codelaw import gin_text
from codelaw import records
from codelaw import storage
from codelaw.cli import allocate
from codelaw.cli import gin_config
from codelaw.cli import model_files
from codelaw.cli import train
from codelaw.laws import results
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import choosing
from codelaw.planning import design as design_lib
from codelaw.planning import ladder
from codelaw.planning import mixture_gin
from codelaw.planning import space as space_lib

EXAMPLE = (
  'codelaw design --fit=results/quickstart/fits/mixture/fit.json'
  ' --gin_file=generated/quickstart_run.gin'
  ' --models=models/sequential_14k.gin,models/sequential_42k.gin'
  ' --token_budgets=65536,262144 --flop_budget=5e11'
  ' --out=generated/quickstart_design'
)
_FRACTIONS = (0.125, 0.25, 0.5, 1.0)  # of the pattern's tokens, by default


@dataclasses.dataclass(frozen=True)
class DesignSettings:
  """What `codelaw design` takes from gin.

  Attributes:
    pattern: the run that the allocation is for.
    allocation: what that allocation may choose.
    learning_rate_exponent: new runs have the pattern's peak learning rate
      times (its width / theirs) to this power; see `LearningRateRule`.
  """

  pattern: train.TrainSettings
  allocation: allocation_lib.AllocationSettings = (
    allocation_lib.AllocationSettings()
  )
  learning_rate_exponent: float = 1.0


def add_flags(parser: argparse.ArgumentParser) -> None:
  """Adds the flags of this verb."""
  parser.add_argument(
    '--fit', required=True, metavar='FILE', help='fit.json with mixture laws'
  )
  parser.add_argument(
    '--flop_budget',
    type=float,
    required=True,
    metavar='C',
    help='training FLOPs of all new runs together',
  )
  model_files.add_flag(parser, 'of the new runs; the pattern alone by default')
  parser.add_argument(
    '--token_budgets',
    metavar='D[,D]',
    help='training tokens of the new runs; by default 1/8, 1/4, 1/2 and all of'
    " the pattern's",
  )
  parser.add_argument(
    '--supply',
    metavar='SOURCE=VALUE[,SOURCE=VALUE]',
    help='tokens there are of a source; unlimited where not named',
  )
  parser.add_argument(
    '--max_runs', type=int, default=32, help='at most (default %(default)s)'
  )
  parser.add_argument(
    '--out', required=True, metavar='DIR', help='folder to write'
  )


def run(args: argparse.Namespace) -> None:
  """Chooses the runs, prints them, writes their gin files and their costs."""
  settings = gin_config.load(
    args,
    DesignSettings,
    [*train.PARTS, allocation_lib.AllocationSettings, space_lib.StageLimits],
    defaults=['DesignSettings.pattern = @TrainSettings()'],
  )
  pattern = settings.pattern.plan
  models = {
    accounting.num_params(shape): shape
    for shape in model_files.read(args) or [pattern.model]
  }
  supply = allocate.pairs('supply', args.supply) or {}
  fits = results.read(args.fit)
  found = choosing.allocate(
    fits,
    num_params=accounting.num_params(pattern.model),
    num_tokens=pattern.num_steps * pattern.tokens_per_step,
    settings=settings.allocation,
    supply=supply,
  )
  candidates = design_lib.candidates(
    {
      size: accounting.train_flops_per_token(shape, pattern.sequence_length)
      for size, shape in models.items()
    },
    _token_budgets(args.token_budgets, pattern),
    design_lib.mixtures(
      list(found.sources), mixture_gin.rounded_rates(found.sources)
    ),
    supply,
    settings.allocation.max_epochs,
  )
  design = design_lib.design(
    fits,
    found,
    candidates,
    flop_budget=args.flop_budget,
    settings=settings.allocation,
    supply=supply,
    max_runs=args.max_runs,
  )
  plans = _plans(design, settings, models)
  command = _command(args)
  _write(args.out, design, plans, list(found.sources), command)
  _show(design, plans, args.out)


def _token_budgets(text: str | None, pattern: records.RunPlan) -> list[int]:
  if text is None:
    return [round(part * pattern.num_tokens) for part in _FRACTIONS]
  try:
    return [int(float(part)) for part in text.split(',')]
  except (ValueError, OverflowError):
    raise errors.UserError(
      f'--token_budgets takes numbers like 65536,2.5e8; got {text!r}.'
    ) from None


def _plans(
  design: design_lib.Design,
  settings: DesignSettings,
  models: dict[int, accounting.ModelShape],
) -> dict[str, records.RunPlan]:
  """Run id -> plan, in the order of the design's runs."""
  pattern = settings.pattern.plan
  exponent = settings.learning_rate_exponent
  rule = ladder.LearningRateRule(
    pattern.optimizer.peak_learning_rate * pattern.model.width**exponent,
    exponent,
  )
  plans: dict[str, records.RunPlan] = {}
  for chosen in design.runs:
    model = models[chosen.num_params]
    plan = dataclasses.replace(
      pattern,
      model=model,
      num_tokens=chosen.num_tokens,
      initial=None,
      schedule=ladder.with_mixture(
        pattern.schedule, records.MixtureRates(chosen.rates)
      ),
      optimizer=dataclasses.replace(
        pattern.optimizer, peak_learning_rate=rule.peak(model.width)
      ),
    )
    name = ladder.run_id('design', ladder.size_name(model), plan)
    while name in plans:  # A repetition: the same run with another seed.
      plan = dataclasses.replace(plan, seed=plan.seed + 1)
      name = ladder.run_id('design', ladder.size_name(model), plan)
    plans[name] = plan
  return plans


def _write(
  folder: str,
  design: design_lib.Design,
  plans: dict[str, records.RunPlan],
  sources: list[str],
  command: str,
) -> None:
  root = storage.path(folder)
  whole = f'Runs chosen by this command:\n  {command}\n'
  chain, references = '', []
  for place, (name, plan) in enumerate(plans.items(), start=1):
    model_dir = os.fspath(root / 'runs' / name)
    header = gin_text.comment(
      f'One of the runs chosen by this command:\n  {command}'
    )
    text = gin_text.train_settings(plan, model_dir)
    storage.write_text(root / f'{name}.gin', f'{header}\n{text}')
    scope = f'run_{place:02}'
    references.append(f'    @{scope}/TrainSettings(),\n')
    chain += (
      '\n'
      + gin_text.binding(f'{scope}/TrainSettings.model_dir', model_dir)
      + f'{scope}/TrainSettings.plan = @{scope}/RunPlan()\n'
      + gin_text.bindings(plan, scope)
    )
  storage.write_text(
    root / 'design.gin',
    gin_text.comment(
      f'{whole}Launch them:\n  codelaw train --gin_file={root}/design.gin'
    )
    + f'Chain.runs = [\n{"".join(references)}]\n{chain}',
  )
  rows = [
    {
      'run_id': name,
      'num_params': chosen.num_params,
      'num_tokens': chosen.num_tokens,
      'train_flops': chosen.flops,
      'seed': plan.seed,
      **{f'share/{s}': chosen.rates.get(s, 0.0) for s in sources},
    }
    for (name, plan), chosen in zip(plans.items(), design.runs, strict=True)
  ]
  table = pd.DataFrame(rows)
  storage.write_text(root / 'design.csv', table.to_csv(index=False))


def _show(
  design: design_lib.Design, plans: dict[str, records.RunPlan], folder: str
) -> None:
  console = rich.console.Console(highlight=False, soft_wrap=True)
  shown = rich.table.Table(title=f'{len(plans)} runs to do next')
  for heading in ('run', 'parameters', 'tokens', 'FLOPs', 'mixture'):
    shown.add_column(heading, overflow='fold')
  for name, chosen in zip(plans, design.runs, strict=True):
    shown.add_row(
      name,
      f'{chosen.num_params:,}',
      f'{chosen.num_tokens:,}',
      f'{chosen.flops:.3g}',
      ', '.join(
        f'{source} {rate:.2f}' for source, rate in chosen.rates.items()
      ),
    )
  console.print(shown)
  what = (
    'Expected regret of the allocation, nats per token'
    if design.free
    else 'Variance of the predicted objective'
  )
  console.print(
    f'They cost {design.flops:.4g} of {design.flop_budget:.4g} FLOPs. {what}:'
    f' {design.regret_now:.3g} now, {design.regret_after:.3g} with them,'
    f' {design.regret_random:.3g} with random runs of the same cost.'
  )
  for note in design.notes:
    console.print(f'[yellow]note:[/yellow] {note}')
  console.print(
    f'\nWrote {folder}/design.csv and a gin file per run. Train them all, and'
    ' fit again with what was there before:\n'
    f'  codelaw train --gin_file={folder}/design.gin'
  )


def _command(args: argparse.Namespace) -> str:
  flags = [
    f'--{name}={getattr(args, name)}'
    for name in (
      'fit',
      'flop_budget',
      'models',
      'token_budgets',
      'supply',
      'max_runs',
      'out',
    )
    if getattr(args, name) is not None
  ]
  flags += [f'--gin_file={name}' for name in args.gin_file]
  flags += [f'--gin.{b.replace(" = ", "=", 1)}' for b in args.gin_bindings]
  return shlex.join(['codelaw', 'design', *flags])
