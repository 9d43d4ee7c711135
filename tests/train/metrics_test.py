import resource

import pytest
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from codelaw import errors
from codelaw.train import loop
from codelaw.train import metrics

SOURCES = ('code/python', 'markup')
# DESIGN.md, section 3; `<source>` trained on, `<held-out>` with held-out text.
TRAIN_TAGS = {
  'train/loss_nats_per_token',
  'train/gradient_norm',
  'schedule/learning_rate',
  'throughput/tokens_per_second',
  'throughput/mfu',
  'throughput/goodput',
  'tokens/total',
  *(f'train/{source}/loss_nats_per_token' for source in SOURCES),
  *(f'schedule/share/{source}' for source in SOURCES),
  *(f'tokens/{source}' for source in SOURCES),
}
EVAL_TAGS = {
  'tokens/total',
  *(f'tokens/{source}' for source in SOURCES),
  *(
    f'eval/{name}/{metric}'
    for name in ('code/java', *SOURCES, 'macro')
    for metric in ('loss_nats_per_token', 'bits_per_byte')
  ),
}


def _read(folder):
  reader = event_accumulator.EventAccumulator(
    str(folder), size_guidance={event_accumulator.SCALARS: 0}
  )
  return reader.Reload()


def test_every_tag_is_there_for_tensorboard(make_plan, tmp_path, monkeypatch):
  # A chip with a known peak, so that there is an MFU.
  monkeypatch.setattr(
    'codelaw.accounting.peak_flops_per_second', lambda kind: 1e12
  )
  plan = make_plan(num_tokens=6 * 64, eval_every_steps=3)
  record = loop.train(plan, tmp_path)
  assert record.hardware['peak_flops_per_second_per_device'] == '1e+12'
  train, evaluation = (_read(tmp_path / part) for part in ('train', 'eval'))
  assert set(train.Tags()['scalars']) == TRAIN_TAGS
  assert set(evaluation.Tags()['scalars']) == EVAL_TAGS
  for tag, steps in (
    ('train/loss_nats_per_token', [1, 2, 3, 4, 5, 6]),
    ('throughput/tokens_per_second', [2, 3, 4, 5, 6]),
    ('throughput/mfu', [2, 3, 4, 5, 6]),
    ('throughput/goodput', [1, 2, 3, 4, 5, 6]),
  ):
    assert [e.step for e in train.Scalars(tag)] == steps
  goodput = [e.value for e in train.Scalars('throughput/goodput')]
  assert goodput[0] == 0 < goodput[1] < 1
  assert 0 < record.goodput < 1
  (text,) = train.Tensors('operative_config/text_summary')
  assert b'TrainSettings.plan' in text.tensor_proto.string_val[0]


def test_the_row_of_the_hparams_tab_sorts_by_rates(make_plan, tmp_path):
  plan = make_plan(num_tokens=3 * 64, eval_every_steps=0)
  record = loop.train(plan, tmp_path)
  contents = _read(tmp_path / 'eval').summary_metadata
  row = plugin_data_pb2.HParamsPluginData.FromString(
    contents['_hparams_/session_start_info'].plugin_data.content
  ).session_start_info.hparams
  assert row['share/code/python'].number_value > 0.5
  assert row['share/code/java'].number_value == 0  # a column in every run
  assert row['num_params'].number_value == record.num_params
  tab = plugin_data_pb2.HParamsPluginData.FromString(
    contents['_hparams_/experiment'].plugin_data.content
  ).experiment
  assert {info.name.tag for info in tab.metric_infos} == {
    'eval/macro/loss_nats_per_token',
    'eval/macro/bits_per_byte',
  }


def test_a_full_disk_is_said_in_a_sentence(tmp_path):
  events = metrics.RunEvents(tmp_path, 0)
  events.write('train', 1, {'a': 1.0})
  events.flush()
  events.write('train', 2, {'a': 1.0})
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
  try:
    with pytest.raises(errors.UserError, match='Cannot write events to /'):
      events.flush()
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
  events.close()
  assert [e.step for e in _read(tmp_path / 'train').Scalars('a')] == [1, 2]
