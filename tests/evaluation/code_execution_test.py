"""The task as a whole, with a model that answers what it is told to."""

import collections

import pytest

from codelaw import errors
from codelaw.evaluation import code_execution
from codelaw.evaluation import code_problems
from codelaw.evaluation import program_verdicts
from codelaw.evaluation import sandbox
from codelaw.evaluation import synthetic_problems
from codelaw.evaluation import task as task_lib
from codelaw.evaluation import toolchains
from tests.evaluation import code_rows

RIGHT, WRONG = (code_rows.COMPLETIONS['python'][k] for k in ('right', 'wrong'))


_BREAK = '\n'


class _Model:
  """Answers each prompt with its next answer; remembers what it was asked."""

  name = 'scripted'
  context_length = 1024

  def __init__(self, answers):
    self._answers = {prompt: iter(texts) for prompt, texts in answers.items()}
    self.asked = []

  def generate(self, prompts, sampling):
    self.asked.append((list(prompts), sampling))
    return [next(self._answers[prompt]) for prompt in prompts]


class _Set:
  """Problems in Python that differ in their names."""

  def __init__(self, num_problems, dataset='mine', language='python'):
    row = code_rows.MULTIPLE[language]
    self._rows = [
      row
      | {'name': f'p_{number}', 'prompt': f'{row["prompt"]}{_BREAK * number}'}
      for number in range(num_problems)
    ]
    self._dataset = dataset

  def problems(self, languages):
    return code_problems.from_rows(
      self._rows, 'here', self._dataset, languages=languages
    )


def _quiet(message, share):
  del message, share


def _evaluate(task, answers):
  model = _Model(answers)
  return task.evaluate(model, _quiet), model


def test_pass_at_k_of_scripted_samples():
  source = _Set(3)
  prompts = [p.prompt for p in source.problems(())]
  task = code_execution.CodeExecution(
    source, num_samples=3, k=(1, 2), temperature=0.5, top_p=0.9, seed=4
  )
  said = []
  model = _Model(
    {
      prompts[0]: [RIGHT, RIGHT, RIGHT],
      prompts[1]: [WRONG, RIGHT, WRONG],
      prompts[2]: [WRONG, WRONG, '    return ('],
    }
  )
  result = task.evaluate(model, lambda *args: said.append(args))
  first, second = result.scores
  assert first.name == 'code/mine-python/pass@1'
  # 1, 1/3, 0; and 1, 1 - C(2, 2) / C(3, 2), 0.
  assert first.value == pytest.approx((1 + 1 / 3) / 3, rel=1e-12)
  assert second.name == 'code/mine-python/pass@2'
  assert second.value == pytest.approx((1 + 2 / 3) / 3, rel=1e-12)
  assert first.standard_error == pytest.approx(0.29397, rel=1e-4)
  assert first.num_items == 3
  assert first.category == 'code'
  assert first.higher_is_better
  outcomes = [sample['outcome'] for sample in result.samples]
  assert outcomes == [
    *['passed'] * 3,
    *['failed', 'passed', 'failed'],
    *['failed', 'failed', 'compile error'],
  ]
  assert result.samples[3]['problem'] == 'p_1'
  assert result.samples[3]['completion'] == WRONG
  assert 'AssertionError' in result.samples[3]['detail']
  assert result.notes == ()
  ((prompts_asked, sampling),) = model.asked
  assert prompts_asked == [p for p in prompts for _ in range(3)]
  assert (sampling.temperature, sampling.top_p, sampling.seed) == (0.5, 0.9, 4)
  assert sampling.stop == tuple(code_rows.MULTIPLE['python']['stop_tokens'])
  # Four of nine were the same as another of their problem.
  assert said[-1] == ('5 of 5 programs', 1.0)


def test_equal_samples_run_once(monkeypatch):
  runs = collections.Counter()

  def judge(problem, completion, *_):
    runs[problem.problem_id, completion] += 1
    return program_verdicts.Verdict(program_verdicts.PASSED)

  monkeypatch.setattr(program_verdicts, 'judge', judge)
  source = _Set(2)
  task = code_execution.CodeExecution(source, num_samples=5, temperature=1.0)
  result, _ = _evaluate(
    task, {p.prompt: [RIGHT] * 5 for p in source.problems(())}
  )
  assert set(runs.values()) == {1}
  assert len(runs) == 2
  assert len(result.samples) == 10


def test_each_set_and_language_has_its_score():
  first, second = _Set(1, 'one'), _Set(2, 'two', 'javascript')
  if toolchains.available('javascript'):
    pytest.skip('no node here')
  task = code_execution.CodeExecution([first, second])
  right = code_rows.COMPLETIONS['javascript']['right']
  answers = {p.prompt: [RIGHT] for p in first.problems(())}
  answers |= {p.prompt: [right] for p in second.problems(())}
  result, model = _evaluate(task, answers)
  assert [(s.name, s.value, s.num_items) for s in result.scores] == [
    ('code/one-python/pass@1', 1.0, 1),
    ('code/two-javascript/pass@1', 1.0, 2),
  ]
  assert result.scores[0].standard_error is None
  assert len({sampling.stop for _, sampling in model.asked}) == 2


def test_a_language_without_toolchain_is_skipped_not_failed(monkeypatch):
  monkeypatch.setenv('PATH', '/nowhere')
  source = _Set(2, 'mine', 'rust')
  model = _Model({})
  result = code_execution.CodeExecution(source).evaluate(model, _quiet)
  assert result.scores == ()
  assert result.samples == ()
  assert result.notes == ('code/mine-rust skipped: no rustc on PATH.',)
  # Nothing was generated for it.
  assert model.asked == []


def test_what_a_reader_must_know_is_noted(monkeypatch):
  note = 'python: of a kind of its own.'
  tools = toolchains.toolchain('python')
  noted = toolchains.dataclasses.replace(tools, note=note)
  monkeypatch.setattr(toolchains, 'toolchain', lambda *_: noted)
  monkeypatch.setattr(sandbox, 'kind', lambda unsandboxed: 'none')
  monkeypatch.setattr(
    program_verdicts,
    'judge',
    lambda *_: program_verdicts.Verdict(program_verdicts.PASSED),
  )
  source = _Set(1)
  task = code_execution.CodeExecution(source, unsandboxed=True)
  result, _ = _evaluate(task, {p.prompt: [RIGHT] for p in source.problems(())})
  assert set(result.notes) == {note, 'Programs ran without a sandbox.'}


def test_no_sandbox_is_an_error_before_anything_is_spent(monkeypatch):
  def kind(unsandboxed):
    assert not unsandboxed
    raise errors.UserError('none works')

  monkeypatch.setattr(sandbox, 'kind', kind)
  task = code_execution.CodeExecution(_Set(1))
  with pytest.raises(errors.UserError, match='none works'):
    task.check()
  model = _Model({})
  with pytest.raises(errors.UserError, match='none works'):
    task.evaluate(model, _quiet)
  assert model.asked == []


def test_synthetic_problems_solved_by_their_solutions():
  source = synthetic_problems.SyntheticProblems(4, seed=2)
  task = code_execution.CodeExecution(source, languages=['python'])
  problems = source.problems(['python'])
  answers = {p.prompt: [p.solution] for p in problems[:3]}
  answers[problems[3].prompt] = ['\n    return None']
  result, _ = _evaluate(task, answers)
  (score,) = result.scores
  assert score.name == 'code/synthetic-python/pass@1'
  assert score.value == 0.75


def test_a_file_is_named_by_its_path(tmp_path):
  task = code_execution.CodeExecution(str(tmp_path / 'none.jsonl'))
  with pytest.raises(errors.UserError, match='no file of problems'):
    task.check()


def test_problems_that_cannot_be_judged_are_refused_at_once():
  class Broken:
    def problems(self, languages):
      row = code_rows.MULTIPLE['java'] | {'tests': 'assert(true);'}
      return code_problems.from_rows([row], 'here', languages=languages)

  with pytest.raises(errors.UserError, match='2 closing braces'):
    code_execution.CodeExecution(Broken()).check()


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'languages': ['lua']}, "'lua'"),
    ({'languages': 'python'}, 'list of languages'),
    ({'k': 1}, 'k must be a list'),
    ({'k': ()}, 'k must be a list'),
    ({'k': (1, 2)}, 'pass@2'),
    ({'num_samples': 2}, 'temperature 0'),
    ({'temperature': -1.0}, 'temperature'),
    ({'workers': -1}, 'workers'),
  ],
)
def test_refuses_what_cannot_be(changes, message):
  with pytest.raises(errors.UserError, match=message):
    code_execution.CodeExecution(_Set(1), **changes)


@pytest.mark.parametrize(
  ('problems', 'languages', 'message'),
  [
    ([_Set(1), _Set(1)], (), 'two sets called mine-python'),
    (_Set(1), ('go',), 'no problems in go'),
    ([7], (), 'references like @SyntheticProblems'),
  ],
)
def test_refuses_sets_that_do_not_fit(problems, languages, message):
  task = code_execution.CodeExecution(problems, languages)
  with pytest.raises(errors.UserError, match=message):
    task.check()


def test_it_is_a_task():
  task: task_lib.Task = code_execution.CodeExecution(_Set(1))
  assert task.name == 'code'
  assert hash(code_execution.CodeExecution('file', k=[1], languages=['go']))
