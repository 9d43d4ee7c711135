"""A registered SeqIO mixture where a gin file would give rates.

  MixtureRates.rates = @SeqioMixture()

The rates become shares of tokens over the run's shards when the plan is built,
and are rates like all others from there on, also in `operative_config.gin`.
"""

from collections.abc import Sequence
import functools


class SeqioMixture(dict[str, float]):
  """Source -> share of tokens of a SeqIO mixture, for `MixtureRates.rates`.

  Args:
    name: of the registered mixture (or task).
    modules: Python modules whose import registers it.
    shards_dir: folder of the shards that hold its tasks.
  """

  def __init__(self, name: str, modules: Sequence[str], shards_dir: str):
    if not isinstance(modules, str):  # which is refused below
      modules = tuple(modules)
    super().__init__(_shares(name, modules, shards_dir))


@functools.cache  # Every stage asks; it is printed once.
def _shares(
  name: str, modules: Sequence[str], shards_dir: str
) -> dict[str, float]:
  from codelaw.data import seqio_mixtures  # needs the extra `train`

  rows = seqio_mixtures.token_shares(name, modules, shards_dir)
  total = sum(row.rate for row in rows)
  print(f'SeqIO mixture {name}: shares of examples -> shares of tokens')
  for row in rows:
    print(
      f'  {row.task:<24} {row.rate / total:>7.2%} x'
      f' {row.tokens_per_example:,.1f} tokens each -> {row.source}'
      f' {row.share:.2%}'
    )
  shares = dict.fromkeys((row.source for row in rows), 0.0)
  for row in rows:
    shares[row.source] += row.share
  return shares
