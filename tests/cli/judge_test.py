"""`codelaw judge` against a real server on this machine."""

import json
import signal
import sys
import threading
import types

import pytest

from codelaw import accounting
from codelaw import evaluation
from codelaw import records
from codelaw import scores
from codelaw.cli import main
from codelaw.evaluation import judge_client
from tests.evaluation import judge_server

KEY = 'sk-do-not-write-me-anywhere-42'
PROMPTS = [f'Prompt {n}?' for n in range(8)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """A working folder with prompts and two files of answers."""
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('no_proxy', '*')
  monkeypatch.setenv('JUDGE_KEY', KEY)
  monkeypatch.setattr(judge_client, 'Clock', judge_server.FastClock)
  # The model is better in six, worse in one, and the last two are equal.
  ours = ['good good'] * 5 + ['bad'] + ['good'] * 2
  theirs = ['good'] * 8
  for name, answers in (
    ('prompts', theirs),
    ('ours', ours),
    ('theirs', theirs),
  ):
    (tmp_path / f'{name}.jsonl').write_text(
      ''.join(
        json.dumps({'prompt': prompt, 'answer': answer}) + '\n'
        for prompt, answer in zip(PROMPTS, answers, strict=True)
      )
    )
  return tmp_path


FILES = ('--answers=ours.jsonl', '--baseline_answers=theirs.jsonl')


def judge(server, *flags, systems=FILES):
  url = server if isinstance(server, str) else server.url
  return main.main(
    [
      *('judge', *systems, '--prompts=prompts.jsonl', f'--endpoint={url}'),
      *('--judge_model=judge-1', '--api_key_variable=JUDGE_KEY', '--out=out'),
      *flags,
    ]
  )


def right(number, body):
  return judge_server.right(body)


def test_two_files_of_answers(folder, capsys):
  with judge_server.serve(right) as server:
    assert judge(server, '--price_in=1', '--price_out=1') == 0
    # Of the two prompts with equal answers, both orders are one question.
    assert len(server.got) == 14
    for got in server.got:
      assert got.headers['Authorization'] == f'Bearer {KEY}'
  shown = capsys.readouterr()
  assert (
    '8 prompts in both orders: 14 different questions, 0 of them' in shown.out
  )
  assert 'win rate                     62.5%    37.5% to 87.5%' in shown.out
  assert '5 wins, 2 ties, 1 losses' in shown.out
  found = json.loads((folder / 'out/judge.json').read_text())
  comparison = found['comparison']
  assert comparison['rates']['win_rate']['value'] == 5 / 8
  assert comparison['rates']['order_agreement']['value'] == 1
  assert (found['model'], found['baseline']) == ('ours', 'theirs')
  assert found['prompt_tokens'] == 14 * 30
  assert found['cost'] == 14 * 37 / 1e6
  rows = (folder / 'out/verdicts.jsonl').read_text().splitlines()
  assert [json.loads(row)['outcome'] for row in rows] == [
    *['win'] * 5,
    *['loss', 'tie', 'tie'],
  ]
  # Again: nothing is sent, and the result is the same.
  with judge_server.serve(right) as server:
    assert judge(server) == 0
    assert server.got == []
  assert '14 of them settled before' in capsys.readouterr().out
  again = json.loads((folder / 'out/judge.json').read_text())
  assert again['comparison'] == comparison


def test_the_key_is_nowhere(folder, capsys):
  def script(number, body):
    if number == 0:
      return judge_server.fail(500, f'you sent {KEY}')
    if number == 1:
      return judge_server.Send(body=KEY.encode())
    return judge_server.say(f'With key {KEY}:\nA')

  with judge_server.serve(script) as server:
    assert judge(server) == 0
  refused = judge_server.fail(401, f'Incorrect API key provided: {KEY}')
  with judge_server.serve(lambda number, body: refused) as server:
    assert judge(server, '--out=elsewhere') == 2
  shown = capsys.readouterr()
  texts = [shown.out, shown.err]
  texts += [
    file.read_text(errors='replace')
    for file in folder.rglob('*')
    if file.is_file()
  ]
  assert len(texts) > 14
  assert any('[API key]' in text for text in texts)
  for text in texts:
    assert KEY not in text
    assert KEY[3:20] not in text


def test_ctrl_c_and_on(folder, capsys):
  thread = threading.main_thread().ident

  def script(number, body):
    if number == 5:
      signal.pthread_kill(thread, signal.SIGINT)
    return judge_server.right(body)

  with judge_server.serve(script) as server:
    assert judge(server, '--gin.JudgeSettings.num_threads=2') == 130
    assert 6 <= len(server.got) < 14
    assert not (folder / 'out/judge.json').exists()
    server.script = right
    assert judge(server) == 0
    assert len(server.got) == 14
    asked = {json.dumps(got.body) for got in server.got}
    assert len(asked) == 14
  assert 'stopped' in capsys.readouterr().err


def test_an_estimate_sends_nothing(folder, capsys):
  with judge_server.serve(right) as server:
    prices = ('--price_in=2', '--price_out=8')
    assert judge(server, *prices, '--estimate_only', '--num_prompts=3') == 0
    assert '3 prompts in both orders: 6 different' in capsys.readouterr().out
    assert judge(server, '--estimate_only', '--num_prompts=3') == 0
    assert 'Cost: unknown' in capsys.readouterr().out
    assert judge(server, *prices, '--max_cost=0.01') == 2
    assert 'nothing was sent' in capsys.readouterr().err
    assert server.got == []
  assert not (folder / 'out/judge.json').exists()


def test_instructions_of_ones_own_and_settings_by_gin(folder):
  (folder / 'mine.txt').write_text('{prompt} A={first} B={second}')
  with judge_server.serve(lambda n, body: judge_server.say('tie')) as server:
    assert (
      judge(
        server,
        '--instructions=mine.txt',
        '--gin.JudgeSettings.extra_fields={"seed": 7}',
        '--gin.RequestPolicy.requests_per_minute=600',
        '--num_prompts=1',
      )
      == 0
    )
    bodies = [got.body for got in server.got]
  assert all(body['seed'] == 7 for body in bodies)
  assert sorted(body['messages'][0]['content'] for body in bodies) == [
    'Prompt 0? A=good B=good good',
    'Prompt 0? A=good good B=good',
  ]


def _run(folder, run_id, steps):
  plan = records.RunPlan(
    model=accounting.ModelShape(256, 16, 2, 2, 8, 32),
    schedule=records.Schedule(
      stages=(records.Stage('main', records.MixtureRates({'commits': 1.0})),)
    ),
    optimizer=records.OptimizerSettings(peak_learning_rate=0.01),
    shards_dir='shards',
    num_tokens=5120,
    sequence_length=64,
    batch_size=8,
    seed=0,
  )
  records.write_run_record(
    folder,
    records.RunRecord(
      run_id=run_id,
      plan=plan,
      status='finished',
      step=plan.num_steps,
      num_params=1,
      num_params_no_embed=1,
      params_by_group={'all': 1},
      train_flops=1.0,
      flops_convention='6ND',
      planned_tokens={'commits': 5120},
      realised_tokens={'commits': 5120},
      stage_end_steps={'main': plan.num_steps},
      manifest_fingerprint='a',
      tokenizer_fingerprint='b',
      code_revision='c',
      package_versions={'jax': '0'},
      hardware={'device': 'cpu'},
      wall_seconds=1.0,
    ),
  )
  for step in steps:
    (folder / 'checkpoints' / str(step)).mkdir(parents=True)


@pytest.fixture
def runs(folder, monkeypatch):
  """Two runs; later checkpoints say `good` more often."""
  _run(folder / 'a', 'mixed', (5, 10))
  _run(folder / 'b', 'text_only', (7,))
  loaded = []

  def load(model_dir, step):
    loaded.append((model_dir, step))
    generate = lambda prompts, sampling: ['good ' * step] * len(prompts)
    return types.SimpleNamespace(generate=generate)

  fake = types.SimpleNamespace(load=load)
  name = 'codelaw.evaluation.run_language_model'
  monkeypatch.setitem(sys.modules, name, fake)
  monkeypatch.setattr(evaluation, 'run_language_model', fake, raising=False)
  return loaded


RUNS = ('--model_dir=a', '--baseline=b')


def test_two_checkpoints(folder, runs, capsys):
  with judge_server.serve(right) as server:
    assert judge(server, systems=RUNS) == 0
    assert judge(server, '--step=5', '--out=five', systems=RUNS) == 0
    # Answers are there already, also for the baseline.
    assert runs == [('a', 10), ('b', 7), ('a', 5)]
    both = ('--model_dir=a', '--baseline=a', '--baseline_step=5')
    assert judge(server, '--out=own', systems=both) == 0
    assert len(runs) == 3
  found = {
    step: {score.name: score.value for score in of_step}
    for step, of_step in scores.read('a').items()
  }
  assert found[10]['judge/text_only/win_rate'] == 1
  assert found[5]['judge/text_only/win_rate'] == 0
  assert found[10]['judge/mixed-step_5/win_rate'] == 1
  assert len(list((folder / 'a/downstream/answers').iterdir())) == 2
  assert scores.read('b') == {}
  assert 'mixed is better' in capsys.readouterr().out


def test_an_estimate_generates_nothing(folder, runs, capsys):
  with judge_server.serve(right) as server:
    assert judge(server, '--estimate_only', systems=RUNS) == 0
    assert server.got == []
  assert runs == []
  shown = capsys.readouterr().out
  assert 'as long as they may become' in shown
  assert '16 different questions' in shown
  assert not (folder / 'a/downstream').exists()


@pytest.mark.parametrize(
  ('systems', 'flags', 'said'),
  [
    (FILES[:1], (), '--baseline'),
    ((*FILES, '--model_dir=a'), (), 'not allowed with'),
    (FILES, ('--step=3',), 'needs its run'),
    (FILES, ('--num_prompts=0',), '--num_prompts'),
    (FILES, ('--endpoint=nowhere',), 'endpoint must be'),
    (FILES, ('--max_cost=1',), '--price_in'),
    (FILES, ('--prompts=absent.jsonl',), 'absent.jsonl'),
    (FILES, ('--instructions=absent.txt',), 'absent.txt'),
    (FILES, ('--instructions=prompts.jsonl',), '{first}'),
    (FILES, ('--gin.JudgeSettings.num_ask=2',), 'num_ask'),
    (FILES, ('--gin.JudgeSettings.num_asks=0',), 'num_asks'),
    (('--model_dir=a', '--baseline=a'), (), 'the model and the baseline'),
    (('--model_dir=none', '--baseline=a'), (), 'none/run.json'),
  ],
)
def test_mistakes(folder, runs, capsys, systems, flags, said):
  assert judge('http://127.0.0.1:1/v1', *flags, systems=systems) == 2
  shown = capsys.readouterr()
  assert said in shown.err
  assert shown.err.count('\n') == 1
  assert 'Traceback' not in shown.err


def test_a_key_given_instead_of_its_variable_is_not_shown(folder, capsys):
  flag = f'--api_key_variable={KEY}'
  assert judge('http://127.0.0.1:1/v1', flag) == 2
  shown = capsys.readouterr()
  assert 'must name an environment variable' in shown.err
  assert KEY not in shown.err + shown.out
