"""A model trained on generated programs solves held-out ones, more with more.

Through the command line, as the README says it, in about twenty minutes on two
cores.
"""

import pytest

from codelaw import scores
from codelaw.cli import main

PASSED = 'code/synthetic-python/pass@20'


def _run(*arguments):
  assert main.main([str(argument) for argument in arguments]) == 0


def _train_and_evaluate(name, num_tokens):
  _run(
    'train',
    '--gin_file=runs/synthetic_python.gin',
    f'--gin.TRAIN_TOKENS={num_tokens}',
    f"--gin.MODEL_DIR='runs/{name}'",
    "--gin.SHARDS_DIR='shards'",
  )
  _run(
    'evaluate',
    f'--model_dir=runs/{name}',
    '--gin_file=evaluation/short_programs.gin',
  )
  (last,) = scores.read(f'runs/{name}').values()
  return {score.name: score for score in last}[PASSED]


@pytest.mark.slow
def test_more_training_solves_more_held_out_problems(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  _run(
    *('corpus', 'build', '--gin_file=corpora/synthetic_all.gin'),
    '--gin.NUM_PROBLEMS=20_000',
    "--gin.SyntheticPrograms.languages=['python']",
    "--gin.SyntheticPrograms.kinds=['programs']",
    '--out=corpus',
  )
  _run(
    *('cache', '--corpus=corpus', '--out=shards'),
    '--gin.CachePlan.vocab_size=1024',
    '--gin.CachePlan.sequence_length=512',
  )
  little = _train_and_evaluate('little', 1_000_000)
  more = _train_and_evaluate('more', 4_000_000)
  assert little.num_items == more.num_items == 40
  assert more.value > little.value
  assert more.value >= 2 / 40  # no stroke of luck with one problem
  _run('collect', '--runs=runs', '--out=runs.csv')
  _run(
    *('report', '--gin_file=reports/variants.gin'),
    "--gin.RUNS='runs.csv'",
    "--gin.BASELINE='little'",
    '--out=variants.html',
  )
  page = (tmp_path / 'variants.html').read_text()
  assert 'code, pass@20: more scores highest' in page
  assert f'{more.value:.4g}' in page
