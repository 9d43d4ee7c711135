import signal

import pytest

from codelaw import records
from codelaw.train import interruption
from codelaw.train import loop


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_a_wish_and_a_second_one_stops(number):
  before = signal.getsignal(number)
  with interruption.wish_to_stop() as asked:
    assert not asked()
    signal.raise_signal(number)
    assert asked()
    with pytest.raises(KeyboardInterrupt):
      signal.raise_signal(number)
  assert signal.getsignal(number) is before


def test_a_run_that_is_asked_to_stop_saves_a_checkpoint(make_plan, tmp_path):
  plan = make_plan(checkpoint_every_steps=0, eval_every_steps=0)

  def terminate(report):
    if report.step == 3:
      signal.raise_signal(signal.SIGTERM)

  with pytest.raises(KeyboardInterrupt):
    loop.train(plan, tmp_path, progress=terminate)
  stopped = records.read_run_record(tmp_path)
  assert stopped.status == 'running'
  messages = []
  record = loop.train(
    plan, tmp_path, progress=lambda r: messages.append(r.message)
  )
  assert f'continues from the checkpoint of step {stopped.step}' in messages
  assert record.realised_tokens == record.planned_tokens
