from tensorboard.backend.event_processing import event_accumulator

from codelaw import scores
from codelaw.evaluation import score_events


def score(value, task='code/humaneval-python', metric='pass@1'):
  return scores.Score(task, metric, value, None, 4)


def seen(folder):
  """tag -> [(step, value)] as TensorBoard reads the folder."""
  reader = event_accumulator.EventAccumulator(str(folder))
  reader.Reload()
  return {
    tag: [(event.step, event.value) for event in reader.Scalars(tag)]
    for tag in reader.Tags()['scalars']
  }


def test_events_are_a_picture_of_the_files_in_any_order(tmp_path):
  tag = 'eval_downstream/code/humaneval-python/pass@1'
  folder = tmp_path / 'eval_downstream'
  scores.write(tmp_path, 20, [score(0.5)])
  score_events.write(tmp_path)
  watching = event_accumulator.EventAccumulator(str(folder))
  watching.Reload()
  scores.write(tmp_path, 10, [score(0.25)])
  scores.write(tmp_path, 20, [score(0.75), score(0.125, 'reasoning/arc')])
  score_events.write(tmp_path)
  assert len(list(folder.iterdir())) == 1
  expected = [(10, 0.25), (20, 0.75)]
  assert seen(folder) == {
    tag: expected,
    'eval_downstream/reasoning/arc/pass@1': [(20, 0.125)],
  }
  # One that had read the first file sees no step twice.
  watching.Reload()
  assert [(e.step, e.value) for e in watching.Scalars(tag)] == expected
