"""What other programs call the losses in their events: tags -> columns.

A `Rule` maps the tags that a regular expression matches to a column of the
run table, and says what kind of number they are; a `Writer` is the rules for
one program, in order of preference, and the tags by which its runs are known.
Tags carry the folder of their file below that of the run: `training_eval/web/
loss`. Sums, averages per token, averages per slot (padding counted) and losses
with z-loss are told apart; a loss that is known to be a sum is refused.

Where the tags come from:
  t5x: `models.compute_base_metrics` of google-research/t5x. There `loss` and
    `cross_ent_loss` are `AveragePerStep` of a sum over the tokens of a batch,
    `loss_per_nonpadding_target_token` is per token with z-loss,
    `cross_ent_loss_per_all_target_tokens` is without, per slot, and
    `non_padding_fraction/loss_weights` is the share of slots with a token.
  maxtext: `metric_logger.py` of AI-Hypercomputer/maxtext. `eval/total_loss` is
    a sum, `eval/avg_loss` that over `eval/total_weights`. `learning/loss` is
    what is minimised, with z-loss and balancing losses; `learning/lm_loss` of
    some forks is not. Steps are counted from 0. The number of parameters and
    the configuration are written as texts.
  levanter: `eval.py` and the list of metrics in marin's `experiments/grug`:
    `eval/loss`, `eval/<domain>/loss`, `.../bpb`, `.../macro_loss` (an average
    over domains), `throughput/total_tokens`; `train/loss` may hold z-loss.
  huggingface: `rewrite_logs` of transformers' integrations: `eval_loss` becomes
    `eval/loss`, `eval_<set>_loss` becomes `eval/<set>_loss`, the rest `train/`.
  megatron: `training.py` of Megatron-LM and what came from it: `lm loss`,
    `lm loss validation`.
  codelaw: `codelaw.train.metrics`.
  other: what nanoGPT, PyTorch Lightning and small loops commonly write:
    `val/loss`, `val_loss`, `Loss/val`, `loss/val`; assumed to be averages.
"""

from collections.abc import Mapping
import dataclasses

from codelaw import errors

KINDS = {
  'nats_per_token': 'mean cross-entropy per token, in nats',
  'nats_per_token_with_z_loss': 'the same with z-loss or other terms',
  'nats_per_slot': 'mean over all slots; needs share_of_slots beside it',
  'share_of_slots': 'share of slots that hold a token',
  'bits_per_byte': 'mean bits per byte',
  'sum': 'sum over tokens; never used',
  'num_tokens': 'tokens trained on so far',
}
TRAINING_COLUMN = 'loss/train'


@dataclasses.dataclass(frozen=True)
class Rule:
  """One kind of tag.

  Attributes:
    pattern: regular expression of the end of the tag, from a slash or its
      beginning on; a group called `name` is the evaluation.
    column: of the run table; `{name}` stands for the group.
    kind: one of `KINDS`.
    instead: for sums, the tag that should be used.
  """

  pattern: str
  column: str
  kind: str
  instead: str = ''

  def __post_init__(self):
    if self.kind not in KINDS:
      raise errors.UserError(
        f'A tag is of one of the kinds {", ".join(KINDS)}; got {self.kind!r}'
        f' for {self.pattern!r}.'
      )

  @property
  def whole(self) -> str:
    """Regular expression of the whole tag."""
    return f'(?:.*/)?(?:{self.pattern})'


@dataclasses.dataclass(frozen=True)
class Writer:
  """What one program writes.

  Attributes:
    signs: patterns of tags that only its runs have.
    rules: in order of preference.
    first_step: of the first update: 0 where an event at step s comes after
      s + 1 updates, otherwise 1.
    texts: name of a text -> fact (see `run_facts`).
  """

  signs: tuple[str, ...]
  rules: tuple[Rule, ...]
  first_step: int = 1
  texts: Mapping[str, str] = dataclasses.field(default_factory=dict)


def _t5x(folder: str, column: str) -> tuple[Rule, ...]:
  per_token = 'loss_per_nonpadding_target_token'
  return (
    Rule(f'{folder}/cross_ent_{per_token}', column, 'nats_per_token'),
    Rule(
      f'{folder}/cross_ent_loss_per_all_target_tokens',
      column,
      'nats_per_slot',
    ),
    Rule(
      f'{folder}/non_padding_fraction/loss_weights', column, 'share_of_slots'
    ),
    Rule(f'{folder}/{per_token}', column, 'nats_per_token_with_z_loss'),
    Rule(f'{folder}/(?:cross_ent_)?loss', column, 'sum', per_token),
  )


_SETS = '(?:val|valid|validation|eval|evaluation|test|dev)'
WRITERS = {
  't5x': Writer(
    signs=(
      'loss_per_nonpadding_target_token',
      'cross_ent_loss_per_all_target_tokens',
      'cross_ent_loss',
    ),
    rules=(
      *_t5x('training_eval/(?P<name>.+)', 'loss/{name}'),
      *_t5x('train', TRAINING_COLUMN),
    ),
  ),
  'maxtext': Writer(
    signs=('learning/loss', 'eval/avg_loss', 'eval/total_weights'),
    rules=(
      Rule('eval/avg_loss', 'loss/eval', 'nats_per_token'),
      Rule('eval/total_loss', 'loss/eval', 'sum', 'eval/avg_loss'),
      Rule('learning/lm_loss', TRAINING_COLUMN, 'nats_per_token'),
      Rule('learning/loss', TRAINING_COLUMN, 'nats_per_token_with_z_loss'),
    ),
    first_step=0,
    texts={
      'num_model_parameters': 'num_params',
      'steps': 'num_steps',
      'global_batch_size_to_train_on': 'sequences_per_step',
      'max_target_length': 'sequence_length',
    },
  ),
  'levanter': Writer(
    signs=(
      'throughput/total_tokens',
      'eval/(?:.+/)?(?:micro_loss|macro_loss|loading_time)',
    ),
    rules=(
      Rule('eval/loss', 'loss/eval', 'nats_per_token'),
      Rule('eval/macro_loss', 'loss/macro', 'nats_per_token'),
      Rule('eval/(?P<name>.+)/loss', 'loss/{name}', 'nats_per_token'),
      Rule('eval/bpb', 'bits_per_byte/eval', 'bits_per_byte'),
      Rule('eval/macro_bpb', 'bits_per_byte/macro', 'bits_per_byte'),
      Rule('eval/(?P<name>.+)/bpb', 'bits_per_byte/{name}', 'bits_per_byte'),
      Rule('train/cross_entropy_loss', TRAINING_COLUMN, 'nats_per_token'),
      Rule('train/loss', TRAINING_COLUMN, 'nats_per_token_with_z_loss'),
      Rule('throughput/total_tokens', 'num_tokens', 'num_tokens'),
    ),
  ),
  'huggingface': Writer(
    signs=('train/epoch', 'eval/(?:.+_)?samples_per_second'),
    rules=(
      Rule('eval/loss', 'loss/eval', 'nats_per_token'),
      Rule('eval/(?P<name>.+)_loss', 'loss/{name}', 'nats_per_token'),
      Rule('train/loss', TRAINING_COLUMN, 'nats_per_token'),
      Rule('train/num_input_tokens_seen', 'num_tokens', 'num_tokens'),
    ),
  ),
  'megatron': Writer(
    signs=('lm loss', 'lm loss validation'),
    rules=(
      Rule('lm loss validation', 'loss/eval', 'nats_per_token'),
      Rule('lm loss', TRAINING_COLUMN, 'nats_per_token'),
    ),
  ),
  'codelaw': Writer(
    signs=('eval/.+/loss_nats_per_token', 'eval/.+/bits_per_byte'),
    rules=(
      Rule(
        'eval/(?P<name>.+)/loss_nats_per_token',
        'loss/{name}',
        'nats_per_token',
      ),
      Rule(
        'eval/(?P<name>.+)/bits_per_byte',
        'bits_per_byte/{name}',
        'bits_per_byte',
      ),
      Rule('tokens/total', 'num_tokens', 'num_tokens'),
      Rule('tokens/(?P<name>.+)', 'tokens/{name}', 'num_tokens'),
    ),
  ),
  'other': Writer(
    signs=(),
    rules=(
      Rule(
        rf'(?P<name>{_SETS})[_/](?:total_loss|loss_sum|sum_loss)',
        'loss/{name}',
        'sum',
        'an average per token',
      ),
      Rule(
        rf'(?P<name>{_SETS})[_/]loss(?:_epoch)?',
        'loss/{name}',
        'nats_per_token',
      ),
      Rule(
        rf'{_SETS}[_/]loss/(?P<name>dataloader_idx_\d+)',
        'loss/{name}',
        'nats_per_token',
      ),
      Rule(rf'[Ll]oss/(?P<name>{_SETS})', 'loss/{name}', 'nats_per_token'),
      Rule(rf'{_SETS}/(?P<name>.+)/loss', 'loss/{name}', 'nats_per_token'),
      Rule(
        rf'(?P<name>{_SETS})[_/](?:bpb|bits_per_byte)',
        'bits_per_byte/{name}',
        'bits_per_byte',
      ),
      Rule(
        r'train[_/]loss(?:_epoch|_step)?|[Ll]oss/train',
        TRAINING_COLUMN,
        'nats_per_token',
      ),
      Rule(
        r'(?:train/)?(?:tokens_seen|num_tokens|total_tokens|tokens)',
        'num_tokens',
        'num_tokens',
      ),
    ),
  ),
}
