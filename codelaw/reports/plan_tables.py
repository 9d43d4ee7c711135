"""Tables of synergy, of an allocation and of the runs that confirm it."""

from collections.abc import Sequence
import dataclasses

import pandas as pd

from codelaw.laws import synergy as synergy_lib
from codelaw.laws import synergy_patterns
from codelaw.planning import allocation as allocation_lib
from codelaw.planning import confirmation as confirmation_lib
from codelaw.reports import tables


def synergy(entries: Sequence[synergy_lib.Synergy]) -> tables.Table:
  """One row per measured pair."""
  noise = ', '.join(sorted({entry.noise_from for entry in entries}))
  return tables.Table(
    'Gains of pairs',
    'Gain of the target when half of its tokens are replaced by the auxiliary,'
    f' at equal total tokens; noise of a run from: {noise}. p is two-sided and'
    ' corrected for the number of pairs (Benjamini and Hochberg); * marks what'
    ' is significant.',
    ('target', 'auxiliary', 'gain', 'p', 'loss alone', 'loss in pair', 'cells'),
    tuple(
      (
        entry.target,
        entry.auxiliary,
        tables.band(entry.gain, (entry.low, entry.high), '+.2%'),
        tables.number(entry.adjusted_p_value, '.2g')
        + (' *' if entry.significant else ''),
        f'{entry.baseline_loss:.4f}',
        f'{entry.loss:.4f}',
        str(entry.num_cells),
      )
      for entry in entries
    ),
    pd.DataFrame([dataclasses.asdict(entry) for entry in entries]),
  )


def asymmetries(entries: Sequence[synergy_patterns.Asymmetry]) -> tables.Table:
  """One row per pair that was measured both ways, largest first."""
  ordered = sorted(entries, key=lambda entry: -abs(entry.difference))
  return tables.Table(
    'Asymmetry of pairs',
    'Gain of the first source from the second, less that of the second from'
    ' the first; * marks what is significant after correction for the number'
    ' of pairs. Errors of the two gains are taken as independent.',
    ('first', 'second', 'difference of gains'),
    tuple(
      (
        entry.first,
        entry.second,
        tables.band(entry.difference, (entry.low, entry.high), '+.2%')
        if not entry.significant
        else tables.band(entry.difference, (entry.low, entry.high), '+.2%')
        + ' *',
      )
      for entry in ordered
    ),
    pd.DataFrame([dataclasses.asdict(entry) for entry in ordered]),
  )


def allocation_rates(found: allocation_lib.Allocation) -> tables.Table:
  """One row per source."""
  natural = any(s.natural_rate is not None for s in found.sources.values())
  return tables.Table(
    'Allocated rates',
    f'Shares of tokens with {found.interval_level:.0%} bootstrap bands over'
    f' {found.num_bootstraps} fits; optimality residual'
    f' {found.optimality_residual:.1e}, {found.num_starts_at_optimum} of'
    f' {found.num_starts} starts agree.',
    (
      'source',
      'rate',
      'uniform',
      *(('natural',) if natural else ()),
      'limits',
      'tokens',
      'epochs',
    ),
    tuple(
      (
        name,
        tables.band(share.rate, (share.low, share.high), '.4f'),
        f'{share.uniform_rate:.4f}',
        *((tables.number(share.natural_rate, '.4f'),) if natural else ()),
        f'{share.floor:.3g} to {share.ceiling:.3g}',
        f'{share.num_tokens:,.0f}',
        tables.number(share.epochs, '.2f'),
      )
      for name, share in found.sources.items()
    ),
    pd.DataFrame(
      [{'source': n, **dataclasses.asdict(s)} for n, s in found.sources.items()]
    ),
  )


def stage_rates(found: allocation_lib.Allocation) -> tables.Table:
  """One row per source, one column per stage."""
  return tables.Table(
    'Rates of the stages',
    f"Shares of each stage's tokens with {found.interval_level:.0%} bootstrap"
    ' bands.',
    ('source', *found.stages),
    tuple(
      (
        name,
        *(
          tables.band(
            stage.rates[name],
            (stage.low.get(name), stage.high.get(name)),
            '.4f',
          )
          for stage in found.stages.values()
        ),
      )
      for name in found.sources
    ),
    pd.DataFrame(
      [
        {
          'stage': stage,
          'token_share': share.token_share,
          'recency': share.recency,
          'source': name,
          'rate': share.rates[name],
          'low': share.low.get(name),
          'high': share.high.get(name),
        }
        for stage, share in found.stages.items()
        for name in found.sources
      ]
    ),
  )


def allocation_losses(found: allocation_lib.Allocation) -> tables.Table:
  """One row per target."""
  return tables.Table(
    'Predicted losses',
    f'Nats per token, with {found.interval_level:.0%} bootstrap intervals.',
    ('target', 'law', 'weight', 'allocated', 'uniform'),
    tuple(
      (
        name,
        target.law,
        f'{target.weight:.3f}',
        tables.band(target.loss, (target.low, target.high), '.4f'),
        f'{target.uniform_loss:.4f}',
      )
      for name, target in found.targets.items()
    ),
    pd.DataFrame(
      [{'target': n, **dataclasses.asdict(t)} for n, t in found.targets.items()]
    ),
  )


def allocation_scores(found: allocation_lib.Allocation) -> tables.Table:
  """One row per task, of an allocation for scores."""
  return tables.Table(
    'Predicted scores',
    'From laws of scores behind those of losses, with'
    f' {found.interval_level:.0%} bootstrap intervals of both.',
    ('task', 'weight', 'allocated', 'uniform'),
    tuple(
      (
        name,
        f'{task.weight:.3f}',
        tables.band(task.score, (task.low, task.high), '.4f'),
        f'{task.uniform_score:.4f}',
      )
      for name, task in found.scores.items()
    ),
    pd.DataFrame(
      [{'task': n, **dataclasses.asdict(t)} for n, t in found.scores.items()]
    ),
  )


def confirmation_runs(found: confirmation_lib.Confirmation) -> tables.Table:
  """One row per pair of runs."""
  return tables.Table(
    'Confirmation runs',
    'Weighted held-out loss of each pair, nats per token.',
    (
      'seed',
      'uniform',
      'allocated',
      'difference',
      'uniform run',
      'allocated run',
    ),
    tuple(
      (
        str(before.seed),
        f'{before.objective:.4f}',
        f'{after.objective:.4f}',
        f'{after.objective - before.objective:+.4f}',
        before.run_id,
        after.run_id,
      )
      for before, after in zip(
        found.arms['uniform'], found.arms['allocated'], strict=True
      )
    ),
    pd.DataFrame(
      [
        {
          'arm': arm,
          'seed': run.seed,
          'run_id': run.run_id,
          'objective': run.objective,
          **run.losses,
        }
        for arm, runs in found.arms.items()
        for run in runs
      ]
    ),
  )
