from collections.abc import Callable
import dataclasses
import json

import pytest

from codelaw import errors
from codelaw import execution
from codelaw import records
from codelaw import scores
from codelaw import storage
from codelaw.evaluation import evaluate_run
from codelaw.evaluation import kept_tasks
from codelaw.evaluation import task
from codelaw.train import downstream
from tests.evaluation import fakes
from tests.runs import run_folders

PIQA = fakes.Task('piqa', 0.5)
ARC = fakes.Task('arc', 0.25)


@pytest.fixture
def run_dir(tmp_path):
  """A finished run with two checkpoints, as far as their names go."""
  folder = tmp_path / 'run'
  run_folders.write(
    folder,
    'run',
    {'markup': 320},
    {5: {'markup': 2.0}, 10: {'markup': 1.0}},
  )
  for step in (5, 10):
    (folder / 'checkpoints' / str(step)).mkdir(parents=True)
  return folder


def evaluate(folder, tasks, chosen=(5, 10), **more):
  """Evaluates; returns (steps that were loaded, notes)."""
  loaded, notes = [], []

  def load(step):
    loaded.append(step)
    return fakes.Model(f'step {step}')

  evaluate_run.evaluate(folder, tasks, chosen, load, note=notes.append, **more)
  return loaded, notes


def values(folder):
  return {
    step: {score.name: score.value for score in found}
    for step, found in scores.read(folder).items()
  }


def test_scores_samples_and_record_are_left(run_dir):
  before = records.read_run_record(run_dir)
  assert (before.scores_step, before.scores) == (None, {})
  shown = []
  noted = dataclasses.replace(ARC, notes=('two items skipped',))
  loaded, notes = evaluate(
    run_dir, [PIQA, noted], report=lambda *at: shown.append(at)
  )
  assert loaded == [5, 10]
  assert notes == [f'step {n}: arc: two items skipped' for n in (5, 10)]
  both = {'probe/arc/accuracy': 0.25, 'probe/piqa/accuracy': 0.5}
  assert values(run_dir) == {5: both, 10: both}
  assert records.read_run_record(run_dir) == dataclasses.replace(
    before, scores_step=10, scores=both
  )
  samples = run_dir / 'downstream' / 'samples' / 'step_5' / 'piqa.jsonl'
  assert [json.loads(line) for line in samples.read_text().splitlines()] == [
    {'prompt': '?', 'text': 'step 5', 'nats': '-inf'}
  ]
  assert ('step 5: arc: asks', 1.5 / 4) in shown
  fractions = [fraction for _, fraction in shown]
  assert fractions == sorted(fractions)
  assert fractions[-1] == 1


def test_what_is_done_is_skipped_unless_its_settings_change(run_dir):
  evaluate(run_dir, [PIQA, ARC])
  loaded, notes = evaluate(run_dir, [PIQA, ARC])
  assert loaded == []
  assert notes == ['4 of 4 tasks were done before; skipped']
  # Another metric replaces the score of the old settings, not that of others.
  other = dataclasses.replace(PIQA, metric='exact_match', value=0.75)
  assert evaluate(run_dir, [other, ARC], [10])[0] == [10]
  assert values(run_dir)[10] == {
    'probe/arc/accuracy': 0.25,
    'probe/piqa/exact_match': 0.75,
  }
  assert evaluate(run_dir, [other], [10])[0] == []
  assert evaluate(run_dir, [other], [10], again=True)[0] == [10]
  # A file of scores that was deleted is written again.
  (run_dir / 'downstream' / 'step_10.json').unlink()
  assert evaluate(run_dir, [other], [10])[0] == [10]


def test_an_interrupted_evaluation_goes_on_with_what_is_missing(run_dir):
  def interrupt(model, report):
    raise KeyboardInterrupt

  stopped = dataclasses.replace(ARC, ask=interrupt)
  with pytest.raises(KeyboardInterrupt):
    evaluate(run_dir, [PIQA, stopped], [5])
  assert values(run_dir)[5] == {'probe/piqa/accuracy': 0.5}
  asked = []
  again = dataclasses.replace(PIQA, ask=lambda *_: asked.append('piqa'))
  loaded, notes = evaluate(run_dir, [again, ARC], [5])
  assert loaded == [5]
  assert notes == ['1 of 2 tasks were done before; skipped']
  assert asked == []
  assert set(values(run_dir)[5]) == {
    'probe/arc/accuracy',
    'probe/piqa/accuracy',
  }


def test_a_task_is_kept_last_of_all(run_dir, monkeypatch):
  def fail(*_, **__):
    raise errors.UserError('disk full')

  with monkeypatch.context() as broken:
    broken.setattr(scores, 'write', fail)
    with pytest.raises(errors.UserError, match='disk full'):
      evaluate(run_dir, [PIQA], [5])
  assert not kept_tasks.is_done(run_dir, 5, PIQA)
  assert evaluate(run_dir, [PIQA], [5])[0] == [5]
  assert kept_tasks.is_done(run_dir, 5, PIQA)


def test_two_tasks_with_one_score_are_refused(run_dir):
  @dataclasses.dataclass(frozen=True)
  class Twin:
    name: str = 'twin'

    def evaluate(self, model, report):
      return PIQA.evaluate(model, report)

  with pytest.raises(errors.UserError, match='piqa and twin both have'):
    evaluate(run_dir, [PIQA, Twin()], [5])
  assert values(run_dir)[5] == {'probe/piqa/accuracy': 0.5}


def test_averages_follow_the_scores(run_dir):
  cost = iter([0.5, 0.25, 0.75])
  humaneval, mbpp = (
    CodeTask(name, lambda: next(cost)) for name in ('humaneval', 'mbpp')
  )
  _, notes = evaluate(run_dir, [humaneval], [5])
  assert notes[0] == (
    'step 5: No code/average/pass@1: it lacks code/mbpp-python/pass@1.'
  )
  assert 'code/average/pass@1' not in values(run_dir)[5]
  evaluate(run_dir, [humaneval, mbpp], [5])
  assert values(run_dir)[5]['code/average/pass@1'] == 0.375
  # Also when nothing but they was missing.
  scores.write(run_dir, 5, [], instead_of=['code/average/pass@1'])
  evaluate(run_dir, [humaneval, mbpp], [5])
  assert values(run_dir)[5]['code/average/pass@1'] == 0.375
  evaluate(run_dir, [mbpp], [5], again=True)
  assert values(run_dir)[5]['code/average/pass@1'] == 0.625
  assert records.read_run_record(run_dir).scores == values(run_dir)[5]


@dataclasses.dataclass(frozen=True)
class CodeTask:
  name: str
  value: Callable = dataclasses.field(compare=False)

  def evaluate(self, model, report):
    score = scores.Score(
      f'code/{self.name}-python', 'pass@1', self.value(), None, 4
    )
    return task.Result([score])


def test_a_checkpoint_is_evaluated_by_one_process_at_a_time(run_dir):
  said = []
  with kept_tasks.exclusive(run_dir, 5):
    with pytest.raises(storage.InUseError, match='step_5 is in use'):
      evaluate(run_dir, [PIQA], [5])
    in_loop([PIQA])(snapshot(run_dir, 5, said))
    evaluate(run_dir, [PIQA], [10])
  assert len(said) == 1
  assert 'step_5 is in use' in said[0]
  assert list(values(run_dir)) == [10]


def test_a_record_that_was_held_is_written_by_the_next_start(
  run_dir, monkeypatch
):
  monkeypatch.setattr(evaluate_run, '_WAITS_SECONDS', ())
  with storage.exclusive(run_dir):
    evaluate(run_dir, [PIQA], [10])
  assert records.read_run_record(run_dir).scores_step is None
  evaluate(run_dir, [PIQA], [10])
  assert records.read_run_record(run_dir).scores_step == 10


def test_the_record_of_the_latest_step_stays(run_dir):
  evaluate(run_dir, [PIQA], [10])
  evaluate(run_dir, [dataclasses.replace(PIQA, value=0.125)], [5])
  record = records.read_run_record(run_dir)
  assert record.scores_step == 10
  assert record.scores == {'probe/piqa/accuracy': 0.5}


def test_scores_of_a_run_in_training_are_kept_beside_its_record(
  run_dir, monkeypatch
):
  monkeypatch.setattr(evaluate_run, '_WAITS_SECONDS', (0.0,))
  before = (run_dir / 'run.json').read_bytes()
  with storage.exclusive(run_dir):
    _, notes = evaluate(run_dir, [PIQA], [5])
  assert len(notes) == 1
  assert 'the training will take them over' in notes[0]
  assert (run_dir / 'run.json').read_bytes() == before
  assert values(run_dir) == {5: {'probe/piqa/accuracy': 0.5}}


def test_chosen_checkpoints(run_dir, tmp_path):
  assert evaluate_run.steps(run_dir) == (10,)
  assert evaluate_run.steps(run_dir, step=5) == (5,)
  assert evaluate_run.steps(run_dir, every=True) == (5, 10)
  with pytest.raises(errors.UserError, match='of step 7; it has .* 5, 10'):
    evaluate_run.steps(run_dir, step=7)
  with pytest.raises(errors.UserError, match=r'run\.json, found none'):
    evaluate_run.steps(tmp_path)
  for step in (5, 10):
    (run_dir / 'checkpoints' / str(step)).rmdir()
  with pytest.raises(errors.UserError, match='no checkpoint; train it'):
    evaluate_run.steps(run_dir)


@dataclasses.dataclass
class Stop:
  asked: bool = False

  def __call__(self):
    return self.asked


def snapshot(folder, step, said, stop_asked=lambda: False):
  """As the loop makes it; nothing here looks at arrays."""
  return downstream.Snapshot(
    params=None,
    step=step,
    record=records.read_run_record(folder),
    model_dir=folder,
    execution=execution.AUTOMATIC,
    mesh=None,
    say=said.append,
    stop_asked=stop_asked,
  )


def in_loop(tasks):
  return evaluate_run.in_loop(tasks, lambda at: fakes.Model(f'at {at.step}'))


def test_in_the_loop_a_failing_task_is_told_and_the_others_are_done(run_dir):
  def fail(model, report):
    raise RuntimeError('out of memory')

  failing, said = dataclasses.replace(PIQA, ask=fail), []
  with storage.exclusive(run_dir):  # as the training holds it
    in_loop([failing, ARC])(snapshot(run_dir, 5, said))
  assert said == [
    'downstream: piqa',
    'downstream: piqa failed: out of memory',
    'downstream: arc',
  ]
  assert values(run_dir) == {5: {'probe/arc/accuracy': 0.25}}
  assert kept_tasks.read(run_dir, 5)['piqa'].failure == 'out of memory'
  # What failed is done again, by the verb or by the loop.
  said.clear()
  in_loop([PIQA, ARC])(snapshot(run_dir, 5, said))
  assert said == ['downstream: piqa']
  assert evaluate(run_dir, [PIQA, ARC], [5])[0] == []


def test_in_the_loop_a_wish_to_stop_ends_a_task_in_its_midst(run_dir):
  stop, asked = Stop(), []

  def ask(model, report):
    asked.append(model.name)
    report('one of two', 0.5)
    stop.asked = True
    report('two of two', 1.0)

  slow = dataclasses.replace(PIQA, ask=ask)
  with pytest.raises(KeyboardInterrupt):
    in_loop([slow, ARC])(snapshot(run_dir, 5, [], stop))
  assert asked == ['at 5']
  assert values(run_dir) == {}
  stop.asked = False
  in_loop([PIQA, ARC])(snapshot(run_dir, 5, [], stop))
  assert len(values(run_dir)[5]) == 2


def test_in_the_loop_long_tasks_say_where_they_are(run_dir, monkeypatch):
  said = []
  in_loop([PIQA])(snapshot(run_dir, 5, said))
  monkeypatch.setattr(evaluate_run, '_SAYS_SECONDS', -1.0)
  in_loop([PIQA])(snapshot(run_dir, 10, said))
  assert said == ['downstream: piqa'] * 2 + [
    'downstream: piqa: begins',
    'downstream: piqa: asks',
  ]


def test_in_the_loop_a_model_that_cannot_be_built_does_not_end_the_run(run_dir):
  def broken(at):
    raise MemoryError

  said = []
  evaluate_run.in_loop([PIQA], broken)(snapshot(run_dir, 5, said))
  assert said[-1] == 'downstream: piqa failed: MemoryError'
