import re

import numpy as np
import pytest

from codelaw import errors
from codelaw.runs import events
from codelaw.runs import tag_columns
from codelaw.runs import writers


def _series(values):
  return {
    tag: events.Series(
      np.array(list(points)),
      np.full(len(points), 1.0),
      np.array(list(points.values()), float),
    )
    for tag, points in values.items()
  }


def _columns(values, mapping=None):
  notes = []
  found, _ = tag_columns.columns(
    'run r',
    _series(values),
    mapping or tag_columns.TagMapping(),
    notes.append,
  )
  rows = {
    name: dict(zip(one.steps.tolist(), one.values.tolist(), strict=True))
    for name, one in found.items()
  }
  return rows, notes


# Writer, one tag of its kind and another, and the columns that come of them.
_RUNS = [
  (
    't5x',
    {
      'training_eval/web/loss': {10: 900.0},
      'training_eval/web/loss_per_nonpadding_target_token': {10: 3.5},
      'train/loss_per_nonpadding_target_token': {10: 4.5},
    },
    {'loss/web': {10: 3.5}},
  ),
  (
    'maxtext',
    {
      'tensorboard/r/eval/avg_loss': {9: 3.5},
      'tensorboard/r/eval/total_loss': {9: 700.0},
      'tensorboard/r/learning/loss': {9: 4.5},
      'tensorboard/r/learning/total_weights': {9: 1e5},
    },
    {'loss/eval': {9: 3.5}},
  ),
  (
    'levanter',
    {
      'eval/loss': {10: 3.5},
      'eval/paloma/c4/loss': {10: 2.5},
      'eval/paloma/c4/micro_loss': {10: 9.5},
      'eval/paloma/c4/bpb': {10: 0.5},
      'eval/macro_loss': {10: 3.0},
      'eval/loading_time': {10: 99.0},
      'throughput/total_tokens': {10: 640},
    },
    {
      'loss/eval': {10: 3.5},
      'loss/paloma/c4': {10: 2.5},
      'bits_per_byte/paloma/c4': {10: 0.5},
      'loss/macro': {10: 3.0},
      'num_tokens': {10: 640},
    },
  ),
  (
    'huggingface',
    {
      'runs/date/eval/loss': {10: 3.5},
      'runs/date/eval/code_loss': {10: 2.5},
      'runs/date/eval/runtime': {10: 60.0},
      'runs/date/train/loss': {5: 4.5},
      'runs/date/train/epoch': {5: 0.1},
      'runs/date/train/num_input_tokens_seen': {10: 640},
    },
    {
      'loss/eval': {10: 3.5},
      'loss/code': {10: 2.5},
      'num_tokens': {10: 640},
    },
  ),
  (
    'megatron',
    {
      'lm loss': {5: 4.5},
      'lm loss validation': {10: 3.5},
      'lm loss validation ppl': {10: 33.0},
      'lm loss validation vs samples': {99: 3.5},
    },
    {'loss/eval': {10: 3.5}},
  ),
  (
    'codelaw',
    {
      'eval/eval/code/go/loss_nats_per_token': {10: 3.5},
      'eval/eval/code/go/bits_per_byte': {10: 0.5},
      'eval/tokens/total': {10: 64},
      'eval/tokens/code/go': {10: 64},
    },
    {
      'loss/code/go': {10: 3.5},
      'bits_per_byte/code/go': {10: 0.5},
      'num_tokens': {10: 64},
      'tokens/code/go': {10: 64},
    },
  ),
  (
    'other',
    {
      'val/loss': {10: 3.5},
      'valid_bpb': {10: 0.5},
      'lightning/test_loss_epoch': {10: 2.5},
      'train_loss_step': {5: 4.5},
      'tokens': {10: 64},
      'lr': {10: 1.0},
    },
    {
      'loss/val': {10: 3.5},
      'bits_per_byte/valid': {10: 0.5},
      'loss/test': {10: 2.5},
      'num_tokens': {10: 64},
    },
  ),
]


@pytest.mark.parametrize(('name', 'values', 'columns'), _RUNS)
def test_writers_are_known_by_their_tags(name, values, columns):
  assert tag_columns.writer_of(values) == name
  assert _columns(values)[0] == columns
  assert _columns(values, tag_columns.TagMapping(name))[0] == columns


@pytest.mark.parametrize(
  ('values', 'loss'),
  [
    ({'train/loss_per_nonpadding_target_token': {5: 2.0}}, 2.0),
    ({'learning/loss': {5: 2.0}, 'learning/lm_loss': {5: 1.5}}, 1.5),
    ({'train/loss': {5: 2.0}, 'throughput/total_tokens': {5: 9}}, 2.0),
    ({'train/loss': {5: 2.0}, 'train/epoch': {5: 0.1}}, 2.0),
    ({'lm loss': {5: 2.0}}, 2.0),
    ({'Loss/train': {5: 2.0}}, 2.0),
  ],
)
def test_training_losses_count_where_nothing_was_evaluated(values, loss):
  found, _ = _columns(values)
  assert found.pop('loss/train') == {5: loss}
  assert set(found) <= {'num_tokens'}


def test_every_writer_has_a_test():
  assert [name for name, *_ in _RUNS] == list(writers.WRITERS)


@pytest.mark.parametrize(('name', 'values', 'columns'), _RUNS)
def test_what_is_mapped_is_selected(name, values, columns):
  selection = tag_columns.TagMapping().selection()
  mapped = [t for t in values if re.fullmatch(selection.scalars, t)]
  assert tag_columns.writer_of(mapped) == name
  chosen = {tag: values[tag] for tag in mapped}
  assert _columns(chosen)[0] == columns


_PER_SLOT = 'training_eval/web/cross_ent_loss_per_all_target_tokens'
_PER_TOKEN = 'training_eval/web/loss_per_nonpadding_target_token'
_SHARE = 'training_eval/web/non_padding_fraction/loss_weights'


def test_t5x_cross_entropy_without_z_loss_is_preferred():
  values = {
    'training_eval/web/loss': {10: 900.0, 20: 800.0},
    _PER_TOKEN: {10: 4.0, 20: 3.0},
    _PER_SLOT: {10: 1.5, 20: 1.0},
    _SHARE: {10: 0.5, 20: 0.25},
  }
  assert _columns(values) == ({'loss/web': {10: 3.0, 20: 4.0}}, [])


def test_loss_with_z_loss_is_told():
  found, notes = _columns({_PER_TOKEN: {10: 4.0}, _PER_SLOT: {10: 1.5}})
  assert found == {'loss/web': {10: 4.0}}
  assert len(notes) == 1
  assert 'z-loss' in notes[0]
  assert _PER_TOKEN in notes[0]


@pytest.mark.parametrize(
  ('values', 'words'),
  [
    (
      {'training_eval/web/loss': {1: 900.0}, 'train/z_loss': {1: 1.0}},
      'web/loss, which is a sum.*loss_per_nonpadding_target_token is needed',
    ),
    ({'training_eval/web/cross_ent_loss': {1: 900.0}}, 'which is a sum'),
    ({_PER_SLOT: {1: 1.5}}, 'mean over padding.*loss_weights'),
    (
      {'eval/total_loss': {1: 9.0}, 'learning/loss': {1: 3.0}},
      'eval/avg_loss is needed',
    ),
    ({'val/total_loss': {1: 9.0}}, 'an average per token is needed'),
  ],
)
def test_sums_are_refused(values, words):
  mapping = tag_columns.TagMapping(
    't5x' if 'training_eval' in ''.join(values) else 'auto'
  )
  with pytest.raises(errors.UserError, match=words):
    _columns(values, mapping)


def test_implausible_losses_are_told():
  _, notes = _columns({'val/loss': {10: 1234.0, 20: np.inf}})
  assert len(notes) == 1
  assert 'val/loss) reaches 1234' in notes[0]


def test_rules_of_the_user_come_first():
  mapping = tag_columns.TagMapping(
    rules=[r'dev/(?P<name>\w+)_ce=loss/{name}:nats_per_token']
  )
  values = {'x/dev/go_ce': {1: 2.0}, 'val/loss': {1: 3.0}}
  assert _columns(values, mapping)[0] == {
    'loss/go': {1: 2.0},
    'loss/val': {1: 3.0},
  }


def test_rule_for_a_known_sum_is_refused():
  mapping = tag_columns.TagMapping(
    rules=['training_eval/web/loss=loss/web:nats_per_token']
  )
  values = {'training_eval/web/loss': {1: 900.0}, _PER_TOKEN: {1: 3.0}}
  with pytest.raises(errors.UserError) as caught:
    _columns(values, mapping)
  assert 'training_eval/web/loss is a sum' in str(caught.value)
  assert 'use loss_per_nonpadding_target_token' in str(caught.value)


@pytest.mark.parametrize(
  ('rule', 'words'),
  [
    ('a', 'Expected REGEX=COLUMN:KIND'),
    ('a=b:nats_per_token', 'Expected REGEX=COLUMN:KIND'),
    ('a=loss/{name}:nats_per_token', 'Expected REGEX=COLUMN:KIND'),
    ('(=loss/a:nats_per_token', 'no regular expression|not a regular'),
    ('a=loss/a:sum', 'a sum over tokens cannot be'),
    ('a=loss/a:mean', 'one of the kinds'),
  ],
)
def test_rules_that_cannot_be(rule, words):
  with pytest.raises(errors.UserError, match=words):
    tag_columns.TagMapping(rules=[rule])


def test_unknown_writer():
  with pytest.raises(errors.UserError, match="t5x.*got 'jax'"):
    tag_columns.TagMapping(writer='jax')


def test_folders_of_one_run_are_joined_by_time():
  one = events.Series(np.array([5, 10]), np.array([1.0, 2.0]), np.array([3, 4]))
  two = events.Series(np.array([10, 15]), np.array([3.0, 4]), np.array([5, 6]))
  notes = []
  found, _ = tag_columns.columns(
    'run r',
    {'runs/b/eval/loss': one, 'runs/a/eval/loss': two},
    tag_columns.TagMapping(),
    notes.append,
  )
  assert found['loss/eval'].steps.tolist() == [5, 10, 15]
  assert found['loss/eval'].values.tolist() == [3, 5, 6]
  assert len(notes) == 1
  assert 'several folders at step 10' in notes[0]
