"""Proposes the next runs: those that make the allocation surest for a budget.

Reads mixture laws from fit.json and, from gin, the run that the allocation is
for, which is also the pattern of the new runs: their stages, batch, shards and
optimizer are its own, their model, tokens and mixture are chosen. Writes into
--out design.gin, a study of these runs that `codelaw study` takes as it is,
and design.csv with their costs. The expected regret is what rates chosen from
the laws are expected to lose against the best ones, in nats per token.

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
from codelaw.studies import experiments
from codelaw.studies import sweep

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
  study = _study(design, settings, models, args.out)
  rows = _rows(design, study, list(found.sources))
  root = storage.path(args.out)
  storage.write_text(root / 'design.gin', _gin(study, args))
  storage.write_text(root / 'design.csv', rows.to_csv(index=False))
  _show(design, rows, args.out)


def _token_budgets(text: str | None, pattern: records.RunPlan) -> list[int]:
  if text is None:
    return [round(part * pattern.num_tokens) for part in _FRACTIONS]
  try:
    return [int(float(part)) for part in text.split(',')]
  except (ValueError, OverflowError):
    raise errors.UserError(
      f'--token_budgets takes numbers like 65536,2.5e8; got {text!r}.'
    ) from None


def _grouped(
  design: design_lib.Design,
) -> dict[tuple[int, int], list[design_lib.Candidate]]:
  """(parameters, tokens) -> the design's runs of that size."""
  groups: dict[tuple[int, int], list[design_lib.Candidate]] = {}
  for chosen in design.runs:
    groups.setdefault((chosen.num_params, chosen.num_tokens), []).append(chosen)
  return groups


def _study(
  design: design_lib.Design,
  settings: DesignSettings,
  models: dict[int, accounting.ModelShape],
  folder: str,
) -> sweep.StudyPlan:
  """The design's runs as a study that trains them below `folder`."""
  pattern = settings.pattern.plan
  exponent = settings.learning_rate_exponent
  peak = pattern.optimizer.peak_learning_rate
  return sweep.StudyPlan(
    name=os.path.basename(storage.real_path(folder)),
    study_dir=folder,
    generated_dir=folder,
    run=dataclasses.replace(pattern, initial=None),
    sizing=ladder.LearningRateRule(
      peak * pattern.model.width**exponent, exponent
    ),
    experiments=tuple(
      experiments.Mixtures(
        tuple(records.MixtureRates(one.rates) for one in chosen),
        models[num_params],
        num_tokens,
      )
      for (num_params, num_tokens), chosen in _grouped(design).items()
    ),
  )


def _rows(
  design: design_lib.Design, study: sweep.StudyPlan, sources: list[str]
) -> pd.DataFrame:
  """A row per run: its name in the study, what it is and what it costs."""
  pattern = study.pattern
  rows = []
  for experiment, chosen in zip(
    study.experiments, _grouped(design).values(), strict=True
  ):
    for planned, one in zip(experiment.runs(pattern), chosen, strict=True):
      rows.append(
        {
          'run_id': planned.run_id,
          'num_params': one.num_params,
          'num_tokens': one.num_tokens,
          'train_flops': one.flops,
          'seed': planned.plan.seed,
          **{f'share/{s}': one.rates.get(s, 0.0) for s in sources},
        }
      )
  return pd.DataFrame(rows)


def _gin(study: sweep.StudyPlan, args: argparse.Namespace) -> str:
  """The study as gin text that stands alone."""
  file = os.fspath(storage.path(args.out) / 'design.gin')
  groups, references = '', ''
  for place, experiment in enumerate(study.experiments, start=1):
    assert isinstance(experiment, experiments.Mixtures)
    scope = f'size_{place}'
    references += f'    @{scope}/Mixtures(),\n'
    mixtures = {
      f'{scope}_mixture_{number}': mixture
      for number, mixture in enumerate(experiment.mixtures, start=1)
    }
    listed = ''.join(f'    @{name}/MixtureRates(),\n' for name in mixtures)
    groups += (
      f'\n{scope}/Mixtures.model = @{scope}/ModelShape()\n'
      + gin_text.binding(f'{scope}/Mixtures.num_tokens', experiment.num_tokens)
      + f'{scope}/Mixtures.mixtures = [\n{listed}]\n'
      + ''.join(gin_text.bindings(m, name) for name, m in mixtures.items())
      + gin_text.bindings(experiment.model, scope)
    )
  return (
    gin_text.comment(
      f'Runs chosen by this command:\n  {_command(args)}\n'
      f'See what they take, then train them:\n'
      f'  codelaw study --gin_file={file} --dry_run\n'
      f'  codelaw study --gin_file={file}'
    )
    + '\n'
    + gin_text.binding('StudyPlan.name', study.name)
    + gin_text.binding('StudyPlan.study_dir', study.study_dir)
    + gin_text.binding('StudyPlan.generated_dir', study.generated_dir)
    + 'StudyPlan.run = @RunPlan()\n'
    + 'StudyPlan.sizing = @LearningRateRule()\n'
    + f'StudyPlan.experiments = [\n{references}]\n\n'
    + gin_text.bindings(study.sizing)
    + '\n# What all runs share; their models are those of the sizes below.\n'
    + gin_text.bindings(study.run)
    + groups
  )


def _show(design: design_lib.Design, rows: pd.DataFrame, folder: str) -> None:
  console = rich.console.Console(highlight=False, soft_wrap=True)
  shown = rich.table.Table(title=f'{len(rows)} runs to do next')
  for heading in ('run', 'parameters', 'tokens', 'FLOPs', 'mixture'):
    shown.add_column(heading, overflow='fold')
  for row in rows.to_dict('records'):
    shown.add_row(
      row['run_id'],
      f'{row["num_params"]:,}',
      f'{row["num_tokens"]:,}',
      f'{row["train_flops"]:.3g}',
      ', '.join(
        f'{name.removeprefix("share/")} {rate:.2f}'
        for name, rate in row.items()
        if str(name).startswith('share/') and rate
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
    f'\nWrote {folder}/design.csv and {folder}/design.gin. Train the runs, then'
    ' fit again to them and to what was there before:\n'
    f'  codelaw study --gin_file={folder}/design.gin\n'
    f'  codelaw collect --runs=EARLIER/runs --runs={folder}/runs --out=all.csv'
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
