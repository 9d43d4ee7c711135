"""Cross-entropy per sequence, in nats, with z-loss kept apart.

A sequence belongs to one source, so sums per sequence give the loss of every
source on the host and the compiled step does not depend on the mixture.
"""

import jax
import jax.numpy as jnp


def sequence_sums(
  logits: jax.Array, targets: jax.Array, weights: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Sums of cross-entropy and of log(Z)^2 over the tokens of each sequence.

  Per token, with log Z = logsumexp(logits): cross-entropy = log Z -
  logits[target]. log(Z)^2 is the z-loss of PaLM (arXiv:2204.02311, section
  5).

  This plain form is the fastest one on a CPU: against it, at 2,048 tokens and
  a vocabulary of 1,024, the same loss with the target's logit from a one-hot
  product, with a gradient of its own, or fused over chunks of tokens took
  1.4 to 2.6 times as long.

  Args:
    logits: float32 [batch, length, vocabulary].
    targets: int32 [batch, length].
    weights: float32 [batch, length]; 0 where there is nothing to predict.

  Returns:
    Two float32 [batch]: cross-entropy in nats, and log(Z)^2.
  """
  log_z = jax.nn.logsumexp(logits, axis=-1)
  target_logits = jnp.take_along_axis(logits, targets[..., None], axis=-1)
  losses = log_z - target_logits[..., 0]
  return jnp.sum(losses * weights, axis=1), jnp.sum(log_z**2 * weights, axis=1)
