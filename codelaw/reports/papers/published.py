"""The published numbers, read from `codelaw.reference`.

Units are those of the files: parameters and tokens in billions. `runs` alone
is in the units of a run table.
"""

from importlib import resources

import pandas as pd

from codelaw import storage

BILLION = 1e9


def table(name: str, as_text: bool = False) -> pd.DataFrame:
  """One file of `codelaw.reference`, like `law_parameters`.

  Args:
    name: of the file, without its suffix.
    as_text: keep cells as printed, whose digits say how exact they are.
  """
  file = resources.files('codelaw.reference') / f'{name}.csv'
  with file.open('r', encoding='utf-8') as stream:
    return pd.read_csv(stream, dtype=str if as_text else None)


def runs() -> pd.DataFrame:
  """The 420 runs of paper A: language, num_params, num_tokens, loss."""
  raw = table('code_law_runs')
  return pd.DataFrame(
    {
      'language': raw['language'],
      'num_params': raw['params_billions'] * BILLION,
      'num_tokens': raw['tokens_billions'] * BILLION,
      'loss': raw['loss_nats_per_token'],
    }
  )


def pair_losses() -> dict[tuple[str, str], float]:
  """Table 1 of paper A: (target, auxiliary) -> loss, nats per token."""
  raw = table('synergy_pairs')
  return {
    (row['target'], row['auxiliary']): float(row['loss_nats_per_token'])
    for row in raw.to_dict('records')
  }


def fingerprints(names: tuple[str, ...]) -> dict[str, str]:
  """File -> fingerprint of its content, for a report's provenance."""
  return {
    f'{name}.csv': storage.fingerprint(table(name).to_csv(index=False))
    for name in names
  }
