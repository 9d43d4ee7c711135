"""A law of one's own, as the README shows it: a formula and a builder.

Beside it lies a gin file with the line `import own_laws`; then
`codelaw fit --law=critical_batch --gin_file=FILE ...` finds the law, and
`codelaw predict` and `codelaw allocate` find it again from its fits.
"""

from codelaw.laws import forms


def critical_batch(parameters, columns):
  """L = E + A / N^alpha + B / D^beta + G batch_size / D.

  The last term is what a batch beyond the useful size wastes.
  """
  E, A, B, alpha, beta, G = parameters
  N, D, batch_size = columns
  return E + A / N**alpha + B / D**beta + G * batch_size / D


@forms.register('critical_batch')
def _critical_batch(target, sources):
  del target, sources  # One stream of data: no shares.
  # Ranges are for N, D and the loss divided by their means; a unit says how
  # an estimate goes back.
  return forms.Law(
    'critical_batch',
    (
      forms.Parameter('E', (0.05, 1.0), (1e-4, 1e2), 'loss'),
      forms.Parameter('A', (0.01, 1.0), (1e-8, 1e4), 'loss * num_params^alpha'),
      forms.Parameter('B', (0.01, 1.0), (1e-8, 1e4), 'loss * num_tokens^beta'),
      forms.Parameter('alpha', (0.05, 1.5), (1e-3, 10.0)),
      forms.Parameter('beta', (0.05, 1.5), (1e-3, 10.0)),
      forms.Parameter('G', (1e-5, 1e-2), (1e-12, 1e2), 'loss * num_tokens'),
    ),
    ('num_params', 'num_tokens', 'batch_size'),
    critical_batch,
  )
