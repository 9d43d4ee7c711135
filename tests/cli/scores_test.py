"""Laws of scores and the report of variants at the command line."""

import json

import numpy as np
import pandas as pd
import pytest

from codelaw.cli import main
from codelaw.laws import score_law
from tests.laws import simulated

FAST = (
  '--gin.FitSettings.num_starts=48',
  '--gin.FitSettings.num_bootstraps=12',
  '--gin.FitSettings.influence=False',
  '--gin.FitSettings.profile_intervals=False',
)
TASK = 'score/code/humaneval-java/pass@1'
GUESSED = 'score/reasoning/copa/accuracy'
LOSS = simulated.TARGET


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Runs with a score that follows the loss and one at chance; their laws."""
  folder = tmp_path_factory.mktemp('scores')
  _, table = simulated.runs('transfer', 5, 5, noise=0.003)
  rng = np.random.default_rng(0)
  middle = float(table[LOSS].median())
  parameters = np.array([0.0, 0.8, middle, 0.3])
  share = score_law.value(parameters, table[LOSS].to_numpy())
  share = rng.binomial(500, share) / 500
  table[TASK] = share
  table['score_standard_error/code/humaneval-java/pass@1'] = np.sqrt(
    share * (1 - share) / 500
  )
  table[GUESSED] = 0.5 + 0.01 * rng.standard_normal(len(table))
  table.to_csv(folder / 'runs.csv', index=False)
  run = ['fit', f'--runs={folder}/runs.csv', f'--out={folder}', *FAST]
  assert main.main([*run, '--law=transfer']) == 0
  assert main.main([*run, '--law=sigmoid', f'--from_loss={LOSS}']) == 0
  return folder


def test_scores_are_fitted_beside_losses(folder, capsys):
  (law,) = score_law.read(folder / 'score_fit.json')
  assert law.target == TASK
  assert law.estimates['width'] == pytest.approx(0.3, rel=0.25)
  assert len(json.loads((folder / 'fit.json').read_text())['fits']) == 1
  run = ['fit', f'--runs={folder}/runs.csv', f'--out={folder}/x', *FAST]
  run += ['--law=sigmoid', f'--from_loss={LOSS}']
  assert main.main([*run, '--floor=0', '--ceiling=0.8']) == 0
  shown = capsys.readouterr()
  assert 'fixed' in shown.out
  assert f'The law of {GUESSED} cannot be identified' in shown.err
  assert main.main([*run, f'--target={GUESSED}']) == 2
  assert 'cannot be identified' in capsys.readouterr().err


def test_scores_are_predicted_with_intervals(folder, capsys):
  command = [
    'predict',
    f'--fit={folder}/fit.json',
    f'--score_fit={folder}/score_fit.json',
    f'--points={folder}/runs.csv',
    f'--out={folder}/predicted.csv',
  ]
  assert main.main(command) == 0
  table = pd.read_csv(folder / 'predicted.csv')
  off = (table[f'predicted/{TASK}'] - table[TASK]).abs()
  assert off.max() < 0.1
  assert (table[f'predicted_low/{TASK}'] <= table[f'predicted/{TASK}']).all()
  assert main.main([*command, '--interval=run']) == 0
  wider = pd.read_csv(folder / 'predicted.csv')
  low = wider[f'predicted_low/{TASK}'] - table[f'predicted_low/{TASK}']
  assert low.mean() < 0
  assert 'pass@1' in capsys.readouterr().out


def test_an_allocation_is_for_a_score(folder, capsys):
  command = [
    'allocate',
    f'--fit={folder}/fit.json',
    f'--runs={folder}/runs.csv',
    '--num_params=3e6',
    '--num_tokens=3e7',
    '--gin.AllocationSettings.num_bootstraps=4',
  ]
  out = f'--out={folder}/score.gin'
  scores = f'--score_fit={folder}/score_fit.json'
  assert main.main([*command, scores, '--objective=score', out]) == 0
  shown = capsys.readouterr().out
  assert 'Predicted scores' in shown
  assert 'of the full score' in ' '.join(shown.split())
  text = (folder / 'score.gin').read_text()
  assert '--score_fit=' in text
  assert main.main([*command, f'--out={folder}/loss.gin']) == 0
  for_score, for_loss = (
    json.loads((folder / f'{name}.json').read_text())
    for name in ('score', 'loss')
  )
  for source, share in for_loss['sources'].items():
    assert for_score['sources'][source]['rate'] == pytest.approx(
      share['rate'], abs=1e-3
    )
  assert for_score['scores'][TASK]['score'] == for_score['objective']
  assert main.main([*command, '--objective=score', out]) == 2
  assert '--score_fit' in capsys.readouterr().err


@pytest.mark.parametrize(
  ('flags', 'words'),
  [
    (['--law=sigmoid'], 'needs --from_loss'),
    (['--law=sigmoid', '--from_loss=loss/x'], "got 'loss/x'"),
    (['--law=transfer', '--floor=0.1'], '--floor does not go with'),
    (
      ['--law=sigmoid', f'--from_loss={LOSS}', '--pool=alpha'],
      '--pool does not go with --law=sigmoid',
    ),
    (
      ['--law=sigmoid', f'--from_loss={LOSS}', '--target=score/x/y'],
      'no column score/x/y; its scores are score/code',
    ),
  ],
)
def test_mistakes_of_flags_are_one_sentence(folder, flags, words, capsys):
  command = ['fit', f'--runs={folder}/runs.csv', f'--out={folder}/no', *flags]
  assert main.main(command) == 2
  assert words in capsys.readouterr().err


def test_a_table_without_scores_says_where_they_come_from(tmp_path, capsys):
  _, table = simulated.runs('chinchilla', 3, 3)
  table.to_csv(tmp_path / 'runs.csv', index=False)
  command = ['fit', f'--runs={tmp_path}/runs.csv', f'--out={tmp_path}']
  command += ['--law=sigmoid', f'--from_loss={LOSS}']
  assert main.main(command) == 2
  assert '`codelaw evaluate`' in capsys.readouterr().err


def test_variants_are_compared_from_a_run_table(tmp_path, capsys):
  table = pd.DataFrame(
    {
      'run_id': ['text_only-seed0', 'text_only-seed1', 'mixed-seed0'],
      'step': 100,
      'acc': [49.0, 50.0, 53.0],
      'score/code/average/pass@1': [0.01, 0.02, 0.1],
      'score_standard_error/code/average/pass@1': [0.008, 0.011, 0.02],
    }
  )
  table.to_csv(tmp_path / 'runs.csv', index=False)
  command = [
    'report',
    '--gin_file=reports/variants.gin',
    f"--gin.RUNS='{tmp_path}/runs.csv'",
    f'--out={tmp_path}/page.html',
  ]
  wanted = "--gin.BASELINE='text_only'"
  rename = 'score/reasoning/average/accuracy:acc*0.01'
  rename = f"--gin.VariantReport.columns='{rename}'"
  assert main.main([*command, wanted, rename]) == 0, capsys.readouterr().err
  page = (tmp_path / 'page.html').read_text()
  assert '+7.1%' in page
  assert 'Relative changes against text_only' in page
  assert main.main([*command, "--gin.BASELINE='absent'"]) == 2
  assert 'the runs are of text_only, mixed' in capsys.readouterr().err
  assert main.main(command) == 2
  assert 'BASELINE must be set' in capsys.readouterr().err
