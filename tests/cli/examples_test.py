"""Every verb's example runs as it is printed, after a study."""

import importlib
import shlex

import pytest

from codelaw import errors
from codelaw.cli import gin_config
from codelaw.cli import main
from codelaw.cli import study as study_verb
from codelaw.evaluation import sandbox
from codelaw.studies import sweep

_EXAMPLES = {
  verb: importlib.import_module(f'codelaw.cli.{verb}').EXAMPLE
  for verb in main.VERBS
}
# Below, and in compile_test, because it takes a minute.
_ELSEWHERE = ('study', 'compile')
# What each leaves, in files, or shows.
_LEAVES = {
  'train': 'results/quickstart/next_run/run.json',
  'evaluate': 'results/quickstart/next_run/downstream/samples',
  'collect': 'generated/quickstart_runs.csv',
  'fit': 'generated/quickstart_fits/fit.json',
  'predict': 'generated/quickstart_predictions.csv',
  'allocate': 'generated/allocation.gin',
  'design': 'generated/quickstart_design/design.gin',
  'export': 'generated/hugging_face/config.json',
  'import': 'results/imported/run.json',
  'report': 'results/quickstart/report.html',
}
# Whose examples come before.
_AFTER = {
  'evaluate': ['train'],
  'export': ['train'],
  'import': ['train', 'export'],
  'judge': ['train', 'export', 'import'],
}


@pytest.mark.parametrize('verb', [v for v in main.VERBS if v not in _ELSEWHERE])
def test_the_example_runs_as_printed(verb, example_copy, capsys):
  if verb in ('export', 'import', 'judge'):
    pytest.importorskip('safetensors')
  if verb == 'evaluate':
    _skip_without_sandbox()
  for before in _AFTER.get(verb, []):
    assert main.main(shlex.split(_EXAMPLES[before])[1:]) == 0
  capsys.readouterr()
  file = _LEAVES.get(verb)
  if file:
    (example_copy / file).unlink(missing_ok=True)
  program, *arguments = shlex.split(_EXAMPLES[verb])
  assert program == 'codelaw'
  assert arguments[0] == verb
  assert main.main(arguments) == 0
  captured = capsys.readouterr()
  assert captured.out
  assert 'Traceback' not in captured.err
  assert not file or (example_copy / file).exists()
  if verb == 'cache':
    assert 'already there, nothing written' in captured.err


def _skip_without_sandbox():
  try:
    sandbox.kind()
  except errors.UserError as error:
    pytest.skip(str(error))


def test_the_example_of_study_builds():
  program, verb, *arguments = shlex.split(_EXAMPLES['study'])
  assert (program, verb) == ('codelaw', 'study')
  args = main.build_parser(verb).parse_args(arguments)
  args.gin_bindings = []
  plan = gin_config.load(args, sweep.StudyPlan, study_verb.PARTS)
  assert plan.name == 'quickstart'
  assert plan.study_dir == 'results/quickstart'
  assert len(sweep.planned_runs(plan)) >= 48


@pytest.mark.parametrize('verb', main.VERBS)
def test_help_shows_the_example_and_every_flag(verb, capsys):
  with pytest.raises(SystemExit) as caught:
    main.main([verb, '--help'])
  assert caught.value.code == 0
  shown = capsys.readouterr().out
  assert _EXAMPLES[verb] in shown
  for action in main.build_parser(verb)._actions:
    assert action.help
    for flag in action.option_strings:
      assert flag in shown


@pytest.mark.parametrize('arguments', [[], ['--help'], ['help'], ['-h']])
def test_codelaw_alone_lists_every_verb(arguments, capsys):
  assert main.main(arguments) == 0
  shown = capsys.readouterr().out
  for verb, does in main.VERBS.items():
    assert f'{verb} ' in shown
    assert does in shown
