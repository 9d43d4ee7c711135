"""From a run to a folder of Hugging Face, and on from there."""

import json

import pytest

from codelaw import records
from codelaw.cli import main

pytest.importorskip('safetensors')


def run(*arguments):
  return main.main(list(arguments))


def test_a_run_goes_on_from_an_exported_and_imported_model(
  example_copy, capsys
):
  earlier = sorted((example_copy / 'results/quickstart/runs').iterdir())[0]
  assert run('export', f'--model_dir={earlier}', '--out=folder') == 0
  shown = capsys.readouterr().out
  assert f'{earlier.name} at step' in shown
  assert "from_pretrained('folder')" in shown
  card = (example_copy / 'folder/README.md').read_text()
  record = records.read_run_record(earlier)
  for source, tokens in record.realised_tokens.items():
    assert f'| {source} | {tokens:,} | ' in card
  assert '| macro' not in card
  assert run('import', '--hugging_face=folder', '--model_dir=imported') == 0
  start = capsys.readouterr().out
  assert 'known from codelaw.json' in start
  (example_copy / 'start.gin').write_text(start)
  go_on = [
    f'--gin_file={earlier}/operative_config.gin',
    '--gin_file=start.gin',
    "--gin.TrainSettings.model_dir='further'",
    '--gin.RunPlan.eval_sequences=0',
  ]
  assert run('train', *go_on) == 0
  further = records.read_run_record('further')
  assert further.status == 'finished'
  assert further.initial_step == record.step
  assert dict(further.inherited_tokens) == dict(record.realised_tokens)


@pytest.mark.parametrize(
  ('arguments', 'reason'),
  [
    (('export', '--model_dir=nowhere', '--out=o'), 'run.json'),
    (
      ('import', '--hugging_face=nowhere', '--model_dir=m'),
      'Expected a file at nowhere/config.json',
    ),
    (('export', '--model_dir=a', '--out=o', '--max_file_bytes=0'), 'at least'),
    (('export', '--model_dir=a', '--out=o', '--dtype=int8'), 'int8'),
  ],
)
def test_a_mistake_is_one_sentence(
  arguments, reason, tmp_path, monkeypatch, capsys
):
  monkeypatch.chdir(tmp_path)
  assert run(*arguments) == 2
  error = capsys.readouterr().err
  assert reason in error
  assert 'Traceback' not in error
  assert not list(tmp_path.iterdir())


def test_what_is_not_known_is_said(tmp_path, monkeypatch, capsys):
  from codelaw.interop import hugging_face
  from tests.interop import models_to_export

  monkeypatch.chdir(tmp_path)
  shape = models_to_export.shape('parallel_grouped')
  model = models_to_export.model(shape, tmp_path / 'shards')
  hugging_face.write('folder', model)
  (tmp_path / 'folder/codelaw.json').unlink()
  assert run('import', '--hugging_face=folder', '--model_dir=imported') == 0
  shown = capsys.readouterr().out
  assert 'at step 1.' in shown
  assert 'training is not known' in shown
  assert "ModelShape.family = 'parallel'" in shown
  assert 'ModelShape.num_kv_heads = 1' in shown
  record = json.loads((tmp_path / 'imported/run.json').read_text())
  assert record['realised_tokens'] == {}
  assert 'not known' in record['message']
