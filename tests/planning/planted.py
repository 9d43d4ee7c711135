"""Mixture laws with known optima, for the tests of this folder."""

SIZE = {'num_params': 1e6, 'num_tokens': 1e8}
SOURCES = ('code/c', 'code/java', 'code/python')


def estimates(source, taus, B=400.0, E=1.0, beta=0.3, alpha=0.4):
  """Parameters of a transfer law; `taus` may name the source itself."""
  return {
    'E': E,
    'A': 30.0,
    'B': B,
    'alpha': alpha,
    'beta': beta,
    **{f'tau/{other}': tau for other, tau in taus.items() if other != source},
  }


def separate(make_fit, B_of, spread=0.0, count=40):
  """One transfer law per source; no source helps another."""
  return [
    make_fit(
      f'loss/{source}',
      estimates(source, dict.fromkeys(B_of, 1e-9), B=B),
      spread=spread,
      count=count,
      seed=seed,
    )
    for seed, (source, B) in enumerate(B_of.items())
  ]


def has(found, text):
  """Whether a warning of the allocation has this text."""
  return any(text in warning for warning in found.warnings)
