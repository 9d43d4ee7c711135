import dataclasses
import pathlib

import numpy as np
import pandas as pd
import pytest

import codelaw
from codelaw.cli import gin_config
from codelaw.cli import main
from codelaw.laws import fitting
from codelaw.laws import results
from codelaw.laws import selection
from codelaw.runs import collect
from codelaw.runs import folders
from codelaw.runs import table as run_table
from tests.laws import simulated
from tests.runs import run_folders

FAST = (
  '--gin.FitSettings.num_starts=64',
  '--gin.FitSettings.num_bootstraps=20',
)


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
  """Twelve single-source runs on code/java and eight mixtures, as folders."""
  folder = tmp_path_factory.mktemp('study') / 'runs'
  law, table = simulated.runs('transfer', 5, 5, noise=0.005)
  for row in table.to_dict('records'):
    shares = {s: row[f'share/{s}'] for s in simulated.SOURCES}
    if int(row['run_id'][-3:]) < 12:
      shares = {'code/java': 1.0}
    run_folders.write(
      folder / row['run_id'],
      row['run_id'],
      {s: int(1000 * share) for s, share in shares.items() if share > 0.001},
      {10: {'code/java': row[simulated.TARGET], 'macro': 1.0}},
    )
  return folder


def _varied(runs_csv):
  """The collected table with the sizes and tokens of the simulation."""
  _, sizes = simulated.runs('transfer', 5, 5, noise=0.005)
  table = pd.read_csv(runs_csv)
  for name in ('num_params', 'num_tokens'):
    table[name] = sizes[name]
  return table.drop(columns='train_flops')


def test_collect_fit_predict(runs, tmp_path, capsys):
  out = tmp_path / 'runs.csv'
  assert main.main(['collect', f'--runs={runs}', f'--out={out}']) == 0
  assert 'Fingerprint' in capsys.readouterr().out
  table = _varied(out)
  table.to_csv(out, index=False)
  code = main.main(
    ['fit', f'--runs={out}', '--law=transfer', f'--out={tmp_path}', *FAST]
  )
  shown = capsys.readouterr()
  assert code == 0, shown.err
  assert 'tau/markup' in shown.out
  assert '/64' in shown.out
  [fit] = results.read(tmp_path / 'fit.json')
  assert (fit.law, fit.target) == ('transfer', 'loss/code/java')
  code = main.main(
    [
      'predict',
      f'--fit={tmp_path}/fit.json',
      f'--points={out}',
      f'--out={tmp_path}/predicted.csv',
    ]
  )
  shown = capsys.readouterr()
  assert code == 0, shown.err
  predicted = pd.read_csv(tmp_path / 'predicted.csv')
  assert len(predicted) == 25
  low, high = (
    predicted[f'predicted_{end}/loss/code/java'] for end in ('low', 'high')
  )
  middle = predicted['predicted/loss/code/java']
  assert ((low <= middle) & (middle <= high)).mean() > 0.9


def test_predictions_have_intervals_and_doubts(tmp_path, capsys, make_fit):
  fits = [
    dataclasses.replace(
      make_fit(simulated.TARGET, simulated.ESTIMATES['transfer'], spread=0.01),
      group=group,
    )
    for group in 'ab'
  ]
  results.write(tmp_path / 'fit.json', fits)
  points = pd.DataFrame(
    {
      'num_params': 1e6,
      'num_tokens': 1e7,
      'share/code/java': [1.0, 0.5, 0.5],
      'share/rust': [0.0, 0.0, 0.5],
      'part': ['a', 'b', 'c'],
    }
  )
  points.to_csv(tmp_path / 'points.csv', index=False)
  command = ['predict', f'--fit={tmp_path}/fit.json', '--group_by=part']
  command += [f'--points={tmp_path}/points.csv', f'--out={tmp_path}/out.csv']
  assert main.main(command) == 0
  shown = capsys.readouterr()
  assert '1 of 3 points have no prediction of loss/code/java' in shown.err
  assert 'In 2 of 3 points the shares' in shown.err
  assert 'do not know share/rust' in shown.err
  assert '90% interval' in shown.out
  table = pd.read_csv(tmp_path / 'out.csv')
  value, low, high = (
    table[f'{name}/{simulated.TARGET}']
    for name in ('predicted', 'predicted_low', 'predicted_high')
  )
  assert (low[:2] < value[:2]).all()
  assert (value[:2] < high[:2]).all()
  assert value[2:].isna().all()
  assert f'{low[0]:.4f} to {high[0]:.4f}' in shown.out
  assert 'nan' not in shown.out


def test_laws_at_one_size_say_that_they_know_no_other(
  tmp_path, capsys, make_fit
):
  estimates = simulated.ESTIMATES['exponential']
  fit = make_fit(simulated.TARGET, estimates, law='exponential')
  results.write(tmp_path / 'fit.json', [fit])
  (tmp_path / 'points.csv').write_text(
    'num_params,share/code/java,share/code/go\n1e6,0.5,0.5\n'
  )
  command = ['predict', f'--fit={tmp_path}/fit.json']
  command += [f'--points={tmp_path}/points.csv', f'--out={tmp_path}/out.csv']
  assert main.main(command) == 0
  shown = capsys.readouterr()
  assert 'exponential knows neither size nor tokens' in shown.err
  assert 'nan' not in shown.out  # It has no bootstrap fits.
  table = pd.read_csv(tmp_path / 'out.csv')
  expected = 1.2 + 1.5 * np.exp(0.5 * 1.3)
  assert table[f'predicted/{simulated.TARGET}'][0] == pytest.approx(expected)


def test_fit_from_events_equals_fit_from_the_table(runs, tmp_path):
  collected = collect.collect(folders.find([str(runs)]))
  law, rows = selection.select('exponential', collected, simulated.TARGET)
  settings = fitting.FitSettings(num_starts=64, num_bootstraps=20)
  fit = fitting.fit(law, rows, simulated.TARGET, settings)
  for name in ('runs.csv', 'runs.parquet'):
    run_table.write(tmp_path / name, collected)
    again = run_table.read(tmp_path / name)
    _, rows = selection.select('exponential', again, simulated.TARGET)
    assert fitting.fit(law, rows, simulated.TARGET, settings) == fit


def test_single_source_runs_are_chosen_for_chinchilla(runs, tmp_path):
  out = tmp_path / 'runs.csv'
  main.main(['collect', f'--runs={runs}', f'--out={out}'])
  _varied(out).to_csv(out, index=False)
  command = [f'--runs={out}', '--law=chinchilla', f'--out={tmp_path}', *FAST]
  assert main.main(['fit', *command]) == 0
  [fit] = results.read(tmp_path / 'fit.json')
  assert fit.num_points == 12


def test_all_laws_are_ordered(tmp_path, capsys):
  _, table = simulated.runs('chinchilla', 5, 5, noise=0.005)
  table.to_csv(tmp_path / 'runs.csv', index=False)
  command = [f'--runs={tmp_path}/runs.csv', '--law=all', f'--out={tmp_path}']
  assert main.main(['fit', *command, *FAST]) == 0
  fits = results.read(tmp_path / 'fit.json')
  assert [fit.law for fit in fits] == ['chinchilla', 'kaplan']
  shown = capsys.readouterr().out
  found = fits[0].diagnostics
  for label, key in (
    ('relative error', 'mean_relative_error'),
    ('largest compute left out', 'extrapolation_mean_relative_error'),
    ('held out', 'held_out_mean_relative_error'),
  ):
    line = next(line for line in shown.splitlines() if label in line)
    assert f'{found[key]:.2%}' in line


def test_groups_columns_and_objective(tmp_path, capsys):
  """The command of the README: the drawn surfaces of arXiv:2512.13472."""
  reference = pathlib.Path(codelaw.__file__).parent / 'reference'
  code = main.main(
    [
      'fit',
      f'--runs={reference}/code_law_runs.csv',
      '--law=chinchilla',
      '--objective=least_squares',
      '--group_by=language',
      '--columns=num_params:params_billions,num_tokens:tokens_billions'
      ',loss:loss_nats_per_token',
      f'--out={tmp_path}',
      *FAST,
    ]
  )
  shown = capsys.readouterr()
  assert code == 0, shown.err
  fits = {fit.group: fit for fit in results.read(tmp_path / 'fit.json')}
  assert len(fits) == 7
  assert fits['Python'].objective_name == 'least_squares'
  assert fits['Python'].estimates['alpha'] == pytest.approx(0.2209, abs=1e-4)
  assert fits['Go'].estimates['A'] == pytest.approx(0.0292, abs=1e-4)


@pytest.mark.parametrize(
  ('file', 'expected'),
  [
    ('paper_a.gin', {'objective': 'least_squares'}),
    ('precise.gin', {'num_starts': 2048, 'num_bootstraps': 2000}),
  ],
)
def test_gin_files_build_settings(file, expected):
  args = main.build_parser('fit').parse_args(
    ['--runs=x', '--law=all', '--out=x', f'--gin_file=laws/{file}']
  )
  args.gin_bindings = []
  settings = gin_config.load(args, fitting.FitSettings)
  assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize(
  ('arguments', 'words'),
  [
    (['--target=loss/none'], 'no column loss/none'),
    (['--filter=num_params>1e99'], 'leaves no row'),
    (['--group_by=none'], '--group_by=none is no column'),
    (['--columns=nonsense'], 'WANTED:GIVEN'),
    (['--filter=num_params<3e5'], 'allows no fit'),
    (['--gin.FitSettings.objective="l1"'], 'objective must be one of'),
  ],
)
def test_mistakes_end_with_code_2(tmp_path, capsys, arguments, words):
  _, table = simulated.runs('chinchilla')
  table.to_csv(tmp_path / 'runs.csv', index=False)
  command = [f'--runs={tmp_path}/runs.csv', '--law=chinchilla']
  code = main.main(['fit', *command, f'--out={tmp_path}', *arguments])
  assert code == 2
  assert words in capsys.readouterr().err
  assert not (tmp_path / 'fit.json').exists()


@pytest.fixture
def two_groups(tmp_path):
  """Twice the same law, with noise of its own and a group column."""
  tables = [
    simulated.runs('chinchilla', 3, 3, noise=0.01, seed=seed)[1].assign(
      language=language
    )
    for seed, language in enumerate(['Go', 'Java'])
  ]
  table = pd.concat(tables, ignore_index=True)
  table['run_id'] = table['language'] + table['run_id']
  path = tmp_path / 'runs.csv'
  table.rename(columns={simulated.TARGET: 'loss'}).to_csv(path, index=False)
  return path


@pytest.mark.parametrize(
  ('flag', 'kind'), [('share', 'shared'), ('pool', 'partial')]
)
def test_parameters_in_common(two_groups, tmp_path, capsys, flag, kind):
  command = [f'--runs={two_groups}', '--law=chinchilla', f'--out={tmp_path}']
  flags = [f'--{flag}=alpha,beta', '--group_by=language']
  assert main.main(['fit', *command, *flags, *FAST]) == 0
  shown = capsys.readouterr()
  fits = results.read(tmp_path / 'fit.json')
  assert [fit.group for fit in fits] == ['Go', 'Java']
  assert fits[0].diagnostics['pooling'][kind] == ['alpha', 'beta']
  equal = fits[0].estimates['beta'] == fits[1].estimates['beta']
  assert equal == (flag == 'share')
  assert 'Java' in shown.out
  predict = [f'--fit={tmp_path}/fit.json', f'--points={two_groups}']
  out = f'--out={tmp_path}/predicted.csv'
  assert main.main(['predict', *predict, '--group_by=language', out]) == 0
  predicted = pd.read_csv(tmp_path / 'predicted.csv')
  error = predicted['predicted/loss'] / predicted['loss'] - 1
  assert error.abs().max() < 0.04  # Four times the noise.


@pytest.mark.parametrize(
  ('arguments', 'words'),
  [
    (['--law=all', '--share=beta'], 'one law for all targets'),
    (['--law=chinchilla', '--pool=gamma'], '--pool names gamma'),
    (
      ['--law=chinchilla', '--share=beta', '--filter=language=Go'],
      'at least two targets or groups; got loss Go',
    ),
  ],
)
def test_what_cannot_be_in_common(
  two_groups, tmp_path, capsys, arguments, words
):
  command = [f'--runs={two_groups}', f'--out={tmp_path}', *arguments]
  assert main.main(['fit', *command, '--group_by=language']) == 2
  assert words in capsys.readouterr().err


def test_collect_refuses_unused_gin_and_missing_folders(tmp_path, capsys):
  out = f'--out={tmp_path}/x.csv'
  assert main.main(['collect', '--runs=none/*', out]) == 2
  assert 'names no folder' in capsys.readouterr().err
  assert main.main(['collect', '--runs=.', out, '--gin.SEED=1']) == 2
  assert 'Nothing uses the gin binding SEED' in capsys.readouterr().err
