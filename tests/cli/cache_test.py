import shutil

import pytest

from codelaw.cli import main
from codelaw.corpora import documents
from codelaw.corpora import report


@pytest.fixture(scope='module')
def corpus_dir(tmp_path_factory):
  folder = tmp_path_factory.mktemp('corpus')
  reports = {}
  for source in ('code/python', 'markup'):
    writer = documents.SourceWriter(folder, source)
    splits = {}
    for split in report.SPLITS:
      texts = [
        '\n'.join(f'{source} value_{i * j} = {j} # {split}' for j in range(40))
        for i in range(30)
      ]
      items = [
        documents.document(
          documents.RawDocument(text, source, 'python', f'{i}.py'), split
        )
        for i, text in enumerate(texts)
      ]
      for item in items:
        writer.write(item)
      splits[split] = report.SplitReport(30, sum(i.bytes for i in items))
    reports[source] = report.SourceReport(
      splits, writer.close(), 60, {}, {}, {}
    )
  index = report.CorpusReport(reports, {}, 'plan', 'corpus', '0')
  report.write(folder, index)
  return folder


@pytest.fixture
def arguments(corpus_dir, tmp_path):
  return [
    'cache',
    '--gin_file=corpora/shards_quickstart.gin',
    '--gin.CachePlan.vocab_size=300',
    f'--corpus={corpus_dir}',
    f'--out={tmp_path / "shards"}',
  ]


def test_it_writes_shows_and_then_finds_the_shards(arguments, capsys):
  assert main.main(arguments) == 0
  shown, said = capsys.readouterr()
  assert 'vocabulary 300, sequences of 128 tokens' in shown
  assert f'shards: wrote {arguments[-1].removeprefix("--out=")}' in said
  assert all(len(line) <= 80 for line in shown.splitlines()[-12:])
  assert main.main([*arguments, '--verify']) == 0
  shown = capsys.readouterr().err
  assert 'already there, nothing written' in shown
  assert 'verify: 8 files, sha256 as written' in shown


def test_another_plan_ends_with_one_sentence(arguments, capsys):
  assert main.main(arguments) == 0
  capsys.readouterr()
  others = [*arguments, '--gin.CachePlan.sequence_length=64']
  assert main.main(others) == 2
  error = capsys.readouterr().err
  assert 'holds the shards of another plan' in error
  assert error.count('\n') == 1


def test_damage_ends_with_one_sentence(arguments, capsys, tmp_path):
  assert main.main(arguments) == 0
  shutil.rmtree(tmp_path / 'shards' / 'markup')
  assert main.main(arguments) == 2
  assert 'is missing though manifest.json lists it' in capsys.readouterr().err


def test_a_folder_without_corpus_ends_with_one_sentence(
  arguments, capsys, tmp_path
):
  assert main.main([*arguments, f'--corpus={tmp_path}']) == 2
  assert 'build one with `codelaw corpus build`' in capsys.readouterr().err
