"""The formulas of published scaling laws, each one pure function in JAX.

Symbols owned here: L loss, N parameters of the model, D tokens seen, r_j the
share of source j in those tokens; upper and lower case letters and Greek
names are the parameters of a law. A formula takes its parameters as one array
[P] and its columns as one array [C, n] and returns losses [n], so that laws
of one form and size share one compiled solver. All parameters are positive
unless said to be signed. Shares of one run sum to one; each docstring says how
the parameters are chosen so that this leaves none undetermined.
"""

import jax
import jax.numpy as jnp

_BILLION = 1e9
_SMALL_POWER = 1e-5  # Below it the first two terms of a series are exact.


def power(base: jax.Array, exponent: jax.Array) -> jax.Array:
  """Returns base ** exponent for base >= 0, gradient 0 at base 0."""
  positive = base > 0
  logarithm = jnp.log(jnp.where(positive, base, 1.0))
  return jnp.where(positive, jnp.exp(exponent * logarithm), 0.0)


def decay(base: jax.Array, exponent: jax.Array) -> jax.Array:
  """Returns base ** -exponent for base >= 0; infinite at base 0."""
  return jnp.exp(-exponent * jnp.log(base))


def power_mean(
  values: jax.Array, weights: jax.Array, exponent: jax.Array
) -> jax.Array:
  """[sum_i w_i v_i^q]^(1/q) with weights that sum to 1; smooth through q = 0.

  Args:
    values: v_i, positive [K].
    weights: w_i, at least 0 [K, n]; divided by their sum.
    exponent: q, signed; 1 is the arithmetic mean, 0 the geometric, -1 the
      harmonic.

  Returns:
    The means [n].

  >>> weights = jnp.array([[0.5, 1.0], [0.5, 0.0]])
  >>> for q in (1.0, 0.0, -1.0):
  ...   mean = power_mean(jnp.array([2.0, 8.0]), weights, q)
  ...   print(f'{mean[0]:.2f} {mean[1]:.2f}')
  5.00 2.00
  4.00 2.00
  3.20 2.00
  """
  weights = weights / jnp.sum(weights, axis=0)
  logarithms = jnp.log(values)
  mean = logarithms @ weights
  apart = logarithms[:, None] - mean
  # Two terms of the series in q, and the exact value away from q = 0.
  near = 0.5 * exponent * jnp.sum(weights * apart**2, axis=0)
  small = jnp.abs(exponent) < _SMALL_POWER
  safe = jnp.where(small, 1.0, exponent)
  far = jnp.log1p(jnp.sum(weights * jnp.expm1(safe * apart), axis=0)) / safe
  return jnp.exp(mean + jnp.where(small, near, far))


def chinchilla(parameters: jax.Array, columns: jax.Array) -> jax.Array:
  """L = E + A / N^alpha + B / D^beta.

  Source: arXiv:2203.15556 Eq. 2; with N_c^alpha_N = A and D_c^alpha_D = B it
  is arXiv:2512.13472 Eq. 1, per programming language.

  >>> chinchilla(jnp.array([1.0, 2.0, 3.0, 1.0, 0.5]),
  ...            jnp.array([[2.0], [9.0]])).tolist()
  [3.0]
  """
  E, A, B, alpha, beta = parameters
  N, D = columns
  return E + A * decay(N, alpha) + B * decay(D, beta)


def kaplan(parameters: jax.Array, columns: jax.Array) -> jax.Array:
  """L = [(N_c / N)^(alpha / beta) + D_c / D]^beta.

  Source: arXiv:2001.08361 Eq. 1.5, where alpha is alpha_N and beta alpha_D.

  >>> kaplan(jnp.array([4.0, 3.0, 1.0, 1.0]),
  ...        jnp.array([[2.0], [3.0]])).tolist()
  [3.0]
  """
  N_c, D_c, alpha, beta = parameters
  N, D = columns
  return power(power(N_c / N, alpha / beta) + D_c / D, beta)


def data_repeated(parameters: jax.Array, columns: jax.Array) -> jax.Array:
  """L = E + A / N^alpha + B / D'^beta, with tokens that repeat worth less.

  D' = U (1 + R_D (1 - exp(-R / R_D))), where U are the unique tokens among D
  and R = D / U - 1 is how often they were repeated: the first repeats count
  almost in full, and all of them together as R_D epochs at most. Without
  repeats it is `chinchilla`; R_D is identified only by runs with some.

  Source: arXiv:2305.16264, the decay of data alone (its effective D).

  Columns: N, D, U.

  >>> parameters = jnp.array([1.0, 2.0, 3.0, 1.0, 1.0, 10.0])
  >>> once, often = [[2.0], [3.0], [3.0]], [[2.0], [3e9], [3.0]]
  >>> data_repeated(parameters, jnp.array(once)).tolist()
  [3.0]
  >>> print(data_repeated(parameters, jnp.array(often)).round(4))
  [2.0909]
  """
  E, A, B, alpha, beta, R_D = parameters
  N, D, U = columns
  return E + A * decay(N, alpha) + B * decay(_repeated(D, U, R_D), beta)


def data_constrained(parameters: jax.Array, columns: jax.Array) -> jax.Array:
  """L = E + A / N'^alpha + B / D'^beta: repeats and excess parameters decay.

  D' as in `data_repeated`, with R_D; N' likewise of N and U_N with R_N, where
  U_N = min(N, N*) and N* is the size that compute-optimal training on U
  unique tokens has: alpha A / N*^alpha = beta B / U^beta. So a model too
  large for its data gains less from its size. R_D is identified only by runs
  with repeats, R_N only by runs with N above N*; without such runs take
  `data_repeated` or `chinchilla`.

  Source: arXiv:2305.16264, the law of effective data and parameters.

  Columns: N, D, U.

  >>> parameters = jnp.array([1.0, 2.0, 3.0, 1.0, 1.0, 5.0, 10.0])
  >>> data_constrained(parameters, jnp.array([[2.0], [3.0], [3.0]])).tolist()
  [3.0]
  """
  E, A, B, alpha, beta, R_N, R_D = parameters
  N, D, U = columns
  unique = jnp.minimum(D, U)
  optimal = power(alpha * A / (beta * B), 1 / alpha) * power(
    unique, beta / alpha
  )
  size = _repeated(N, optimal, R_N)
  return E + A * decay(size, alpha) + B * decay(_repeated(D, U, R_D), beta)


def _repeated(total, unique, worth):
  unique = jnp.minimum(total, unique)
  repeats = total / unique - 1
  return unique * (1 - worth * jnp.expm1(-repeats / worth))


def transfer(parameters: jax.Array, columns: jax.Array) -> jax.Array:
  """L_k = E + A / N^alpha + B / D_eff^beta, D_eff = (r_k + sum_j tau_j r_j) D.

  A token of source j != k is worth tau_j tokens of the target's own source k;
  tau_j = 0 means that it neither helps nor harms. With r_k = 1 it is
  `chinchilla`. Source: the effective data of arXiv:2512.13472 Eq. 7, made
  linear in the shares and given one coefficient per pair, so that it is
  identified by runs on mixtures.

  Columns: N, D, r_k, then r_j in the order of tau_j.

  >>> transfer(jnp.array([1.0, 2.0, 3.0, 1.0, 0.5, 0.5]),
  ...          jnp.array([[2.0], [12.0], [0.5], [0.5]])).tolist()
  [3.0]
  """
  E, A, B, alpha, beta = parameters[:5]
  N, D, own = columns[:3]
  effective = D * (own + parameters[5:] @ columns[3:])
  return E + A * decay(N, alpha) + B * decay(effective, beta)


def additive(parameters: jax.Array, columns: jax.Array) -> jax.Array:
  """L = E + 1 / sum_i C_i r_i^gamma_i + A / N^alpha + B / D^beta.

  Mixture, size and tokens add up, so the best mixture is the same at every N
  and D. E and the mixture's term are told apart by how that term bends.
  Source: arXiv:2507.09404, the additive law; r_i are all sources' shares.

  Columns: N, D, then r_i in the order of C_i and of gamma_i.

  >>> additive(jnp.array([1.0, 2.0, 3.0, 1.0, 0.5, 0.5, 0.25, 1.0, 1.0]),
  ...          jnp.array([[2.0], [9.0], [1.0], [0.0]])).tolist()
  [5.0]
  """
  E, A, B, alpha, beta = parameters[:5]
  C, gamma = jnp.split(parameters[5:], 2)
  N, D = columns[:2]
  mixture = jnp.sum(C[:, None] * power(columns[2:], gamma[:, None]), axis=0)
  return E + 1 / mixture + A * decay(N, alpha) + B * decay(D, beta)


def joint(parameters: jax.Array, columns: jax.Array) -> jax.Array:
  """L = E + 1 / sum_i C_i r_i^gamma_i + A(r) / N^alpha + B(r) / D^beta.

  The paper writes A(r) = (sum_i C^A_i r_i)^gamma^A. Where gamma^A is small,
  C^A_i then differ by orders of magnitude, and near gamma^A = 0 they are not
  determined. Here A_i = (C^A_i)^gamma^A is the value of A(r) for source i
  alone, and A(r) is the power mean of the A_i with the signed exponent
  q_A = 1 / gamma^A: the same surfaces, with parameters that all runs on few
  sources determine, and q_A = 0 (the geometric mean) inside the range. Where
  the A_i are equal q_A has no effect. B(r) likewise. With equal A_i and equal
  B_i it is `additive`.

  Source: arXiv:2507.09404, the joint law.

  Columns: N, D, then r_i in the order of C_i, gamma_i, A_i and B_i.

  >>> joint(jnp.array([1.0, 1.0, 0.5, 1.0, 1.0,
  ...                  0.5, 0.5, 1.0, 1.0, 1.0, 3.0, 2.0, 4.0]),
  ...       jnp.array([[2.0], [9.0], [0.5], [0.5]])).tolist()
  [5.0]
  """
  E, alpha, beta, q_A, q_B = parameters[:5]
  C, gamma, A, B = jnp.split(parameters[5:], 4)
  N, D = columns[:2]
  shares = columns[2:]
  mixture = jnp.sum(C[:, None] * power(shares, gamma[:, None]), axis=0)
  return (
    E
    + 1 / mixture
    + power_mean(A, shares, q_A) * decay(N, alpha)
    + power_mean(B, shares, q_B) * decay(D, beta)
  )


def exponential(parameters: jax.Array, columns: jax.Array) -> jax.Array:
  """L = c + k exp(sum_j t_j r_j), at one N and one D.

  Source: arXiv:2403.16952. Shares sum to one, so only differences of the t_j
  count: t of the first source is 0 here. The others are signed.

  Columns: r of the first source, then r_j in the order of t_j.

  >>> exponential(jnp.array([1.0, 2.0, 0.0]),
  ...             jnp.array([[0.7], [0.3]])).tolist()
  [3.0]
  """
  c, k = parameters[:2]
  return c + k * jnp.exp(parameters[2:] @ columns[1:])


def bimix(parameters: jax.Array, columns: jax.Array) -> jax.Array:
  """L_k = (B / D^beta + C) / r_k^alpha, at one N.

  Only the target's own share counts, and the loss is infinite without it.
  Source: arXiv:2405.14908, which writes A_k / r_k^alpha (B_k / s^beta + C_k)
  with s the steps; A_k only multiplies B_k and C_k and is left out.

  Columns: D, r_k.

  >>> bimix(jnp.array([6.0, 1.0, 0.5, 1.0]),
  ...       jnp.array([[3.0], [0.25]])).tolist()
  [6.0]
  """
  B, C, alpha, beta = parameters
  D, own = columns
  return (B * decay(D, beta) + C) * decay(own, alpha)


def paper_a(parameters: jax.Array, columns: jax.Array) -> jax.Array:
  """L = A N^-a(r) + B D_x^-b(r) + E(r), D_x = D (1 + sum_i<j t_ij r_i r_j).

  a, b and E are averages of one value per source, weighted by the shares.
  t_ij is signed: gamma (tau_ij + tau_ji) of the paper, of which the losses
  determine nothing but this sum. N and D are in billions, whatever runs there
  are: A and B are common to all sources although their powers of N and D are
  not, so that the law is another one in other units.

  Limits: E(r) is linear in r, so with much data the best rates are a corner:
  the source of lowest E alone (arXiv:2512.13472's own parameters give 100%
  C#). It is a law of how much a mixture's own loss can fall, not of what to
  train on. For one source alone it is `chinchilla`.

  Source: arXiv:2512.13472 Eq. 6 and 7, for the loss on the mixture itself,
  sum_k r_k L_k; any other target is a formula of the same flexibility.

  Columns: N, D, then r_i in the order of a_i, b_i and E_i; t_ij in the order
  12, 13, ..., 23, ...

  >>> paper_a(jnp.array([2.0, 3.0, 1.0, 1.0, 1.0, 1.0, 0.5, 1.5, 8.0]),
  ...         jnp.array([[2e9], [1e9], [0.5], [0.5]])).tolist()
  [3.0]
  """
  num_sources = columns.shape[0] - 2
  rows, others = jnp.triu_indices(num_sources, 1)
  symmetric = jnp.zeros((num_sources, num_sources), parameters.dtype)
  symmetric = symmetric.at[rows, others].set(parameters[2 + 3 * num_sources :])
  return _shared_averages(parameters, columns, symmetric)


def paper_a_given(
  tau: jax.Array, parameters: jax.Array, columns: jax.Array
) -> jax.Array:
  """`paper_a` with a given synergy table and one free factor.

  D_x = D (1 + gamma sum_i,j tau_ij r_i r_j), Eq. 7 as printed; gamma is
  signed and the last parameter.

  Args:
    tau: [K, K], 0 on the diagonal; only tau_ij + tau_ji counts.
    parameters: A, B, then a_i, b_i, E_i, then gamma.
    columns: as for `paper_a`.

  >>> tau = jnp.array([[0.0, 2.0], [6.0, 0.0]])
  >>> paper_a_given(tau,
  ...               jnp.array([2., 3., 1., 1., 1., 1., 0.5, 1.5, 1.0]),
  ...               jnp.array([[2e9], [1e9], [0.5], [0.5]])).tolist()
  [3.0]
  """
  return _shared_averages(parameters[:-1], columns, parameters[-1] * tau)


def _shared_averages(parameters, columns, synergy):
  A, B = parameters[:2]
  num_sources = columns.shape[0] - 2
  each = parameters[2 : 2 + 3 * num_sources].reshape(3, num_sources)
  N, D = columns[:2] / _BILLION
  shares = columns[2:]
  alpha, beta, E = each @ shares
  effective = D * (1 + jnp.sum(shares * (synergy @ shares), axis=0))
  return A * decay(N, alpha) + B * decay(effective, beta) + E
