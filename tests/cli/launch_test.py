import argparse
import dataclasses
import shlex
import subprocess
import types

import pytest

from codelaw import errors
from codelaw import records
from codelaw.cli import gin_config
from codelaw.cli import launch
from codelaw.cli import main
from codelaw.cli import train
from codelaw.evaluation import kept_tasks
from codelaw.launch import job as job_lib
from tests.launch import recording
from tests.studies import submitted

PODS = 'pods/sequential_94m_v5e_16.gin'
MACROS = {
  'queued_resources': {
    'PROJECT': 'my-project',
    'ZONE': 'us-west4-a',
    'PACKAGE': '/mnt/codelaw/code/codelaw.whl',
  },
  'jobset': {'CONTEXT': 'gke_p_l_c', 'IMAGE': 'my-image:1'},
  'xpk': {
    'PROJECT': 'my-project',
    'ZONE': 'us-west4-a',
    'CLUSTER': 'pods',
    'IMAGE': 'my-image:1',
    'STORAGE': 'bucket',
  },
}
ENGINES = sorted(MACROS)
RUN_DIR = '/mnt/codelaw/runs/a_run'
NAME = job_lib.name_of(RUN_DIR)


def arguments(engine, *more, **macros):
  values = {
    'BUCKET': 'gs://my-bucket/x',
    'MODEL_DIR': RUN_DIR,
    'SHARDS_DIR': '/mnt/codelaw/shards',
    **MACROS[engine],
    **macros,
  }
  return [
    'launch',
    f'--gin_file={PODS}',
    f'--gin_file=launch/{engine}.gin',
    *(f'--gin.{name}={value!r}' for name, value in values.items()),
    *more,
  ]


def shown(capsys, *arguments_):
  code = main.main(list(arguments_))
  captured = capsys.readouterr()
  return code, captured.out, captured.err


@pytest.mark.parametrize('engine', ENGINES)
def test_what_is_printed_is_what_is_run(engine, capsys, tmp_path, monkeypatch):
  """Command for command, with what each reads; but for looking before."""
  code, out, err = shown(
    capsys, *arguments(engine, '--topology=v5e:4x4', '--print')
  )
  assert (code, err) == (0, '')
  assert out.startswith(f'# {NAME}: v5e:4x4, 16 chips in 4 hosts\n')
  programs = recording.Programs(tmp_path)
  monkeypatch.setenv('PATH', programs.path())
  read = f'cat >>{tmp_path}/read; echo >>{tmp_path}/read'
  header = '   '.join(launch.xpk._COLUMNS)
  lists = {'gcloud': '[]', 'kubectl': '{"items": []}', 'xpk': header}
  for program, text in lists.items():
    programs.add(
      program,
      f'case " $* " in *" list "*|*" get "*) echo {shlex.quote(text)} ;;'
      f' *) {read} ;; esac',
    )
  subprocess.run(['bash', '-c', out], check=True)
  printed = programs.calls(), (tmp_path / 'read').read_text()
  (tmp_path / 'read').unlink()
  assert main.main(arguments(engine, '--topology=v5e:4x4')) == 0
  ran = programs.calls()
  looks = [call for call in ran if ' list ' in call or ' get ' in call]
  # Before it is handed in, so that it is handed in once, and afterwards.
  assert ran == [printed[0][0], looks[0], printed[0][1], looks[0]]
  assert (tmp_path / 'read').read_text() == printed[1]
  assert len(printed[0]) == 2


@pytest.mark.parametrize('engine', ENGINES)
def test_every_host_trains_the_run_of_the_gin_files(engine, tmp_path):
  given = load(engine)
  job, write = launch.prepare(given, 'v5e:4x4')
  program, verb, flag = job.command
  assert (program, verb) == ('codelaw', 'train')
  place = flag.removeprefix('--gin_file=')
  assert place.startswith(f'{RUN_DIR}/launch-')
  assert write.arguments == (
    *('gcloud', 'storage', 'cp', '-'),
    place.replace('/mnt/codelaw', 'gs://my-bucket/x'),
  )
  file = tmp_path / 'launch.gin'
  file.write_text(write.input)
  args = argparse.Namespace(
    gin_file=[str(file)], gin_search_paths=[], gin_bindings=[]
  )
  assert train.load(args) == (given.run,)
  assert given.run.execution.mesh.data == 8


def test_a_run_with_other_settings_is_another_job_of_that_name():
  given, other = load('jobset'), load('jobset', TRAIN_TOKENS=10**9)
  jobs = [launch.prepare(of, 'v5e:4x4')[0] for of in (given, given, other)]
  assert jobs[0] == jobs[1]
  assert jobs[0].name == jobs[2].name
  prints = [job_lib.fingerprint(job, given.engine) for job in jobs]
  assert prints[0] != prints[2]


# Every class of tasks with all that it may hold, and names that are no names
# of gin's.
_TASKS = r"""
Evaluation.tasks = [@a/CodeExecution(), @b/CodeExecution(), @a/Translation(),
                    @b/Translation(), @HarnessTasks()]
Evaluation.execution = @tasks/Execution()
Evaluation.every_steps = 100
tasks/Execution.mesh = @tasks/MeshShape()
tasks/MeshShape.data = 16
a/CodeExecution.name = 'mbpp+'
a/CodeExecution.problems = [
    '/mnt/a.jsonl', @a/HubProblems(), @b/HubProblems(), @ProblemFile()]
a/HubProblems.repository = 'x/y'
b/HubProblems.repository = 'x/z'
ProblemFile.path = '/mnt/b.jsonl'
ProblemFile.strip_prompt = True
a/CodeExecution.k = [1, 2]
a/CodeExecution.num_samples = 2
a/CodeExecution.temperature = 0.5
a/CodeExecution.limits = @a/Limits()
a/Limits.seconds = 3.5
b/CodeExecution.name = 'mbpp-'
b/CodeExecution.problems = @SyntheticProblems()
SyntheticProblems.max_lines = 3
a/Translation.test_set = @SyntheticParallel()
SyntheticParallel.language_names = ['python', 'go']
a/Translation.label = 'a'
a/Translation.pairing = @Pairing()
Pairing.directions = ['python-go']
Pairing.prompt = 'In {target}:\n"it\'s"\n'
b/Translation.test_set = @ParallelTestSet()
b/Translation.sampling = @Sampling()
Sampling.stop = ['\n\n', '%']
Sampling.max_new_tokens = 7
ParallelTestSet.paths = ['/mnt/c.parquet']
ParallelTestSet.columns = {'python': 'Python', 'go': 'Go'}
HarnessTasks.tasks = ['piqa', 'cb']
HarnessTasks.data_files = {'piqa': '/mnt/piqa.jsonl', 'cb': ''}
HarnessTasks.generation = {'until': ['\n'], 'do_sample': False}
HarnessTasks.limit = 5
"""


@pytest.mark.parametrize(
  'tasks',
  [
    *sorted(
      p.name for p in (gin_config.config_root() / 'evaluation').iterdir()
    ),
    _TASKS,
  ],
  ids=lambda tasks: tasks.split('.')[0].strip(),
)
def test_what_a_run_is_given_as_it_trains_goes_with_it(tasks, tmp_path):
  file = f'evaluation/{tasks}'
  if '\n' in tasks:
    file = tmp_path / 'tasks.gin'
    file.write_text(tasks)
  given = load(
    'queued_resources',
    f'--gin_file={file}',
    '--gin.TrainSettings.downstream=@Evaluation()',
  )
  asked = given.run.downstream.tasks
  job, write = launch.prepare(given, 'v5e:4x4')
  file = tmp_path / 'launch.gin'
  file.write_text(write.input)
  args = argparse.Namespace(
    gin_file=[str(file)], gin_search_paths=[], gin_bindings=[]
  )
  (read,) = train.load(args)
  assert read == given.run
  for one, other in zip(asked, read.downstream.tasks, strict=True):
    assert kept_tasks.fingerprint(one) == kept_tasks.fingerprint(other)
  assert given.run.execution != given.run.downstream.execution
  (command,) = given.engine.commands(job)
  assert "PACKAGE='codelaw[train,tpu,eval] @ " in command.input


def load(engine, *more, **macros):
  _, *rest = arguments(engine, *more, **macros)
  others, bindings = gin_config.split_bindings(rest)
  args = main.build_parser('launch').parse_args(others)
  args.gin_bindings = bindings
  return gin_config.load(
    args, launch.Launch, launch.PARTS, defaults=launch.DEFAULTS
  )


def test_where_the_folder_is_mounted_it_is_used(tmp_path, capsys):
  code, out, _ = shown(
    capsys,
    *arguments(
      'jobset',
      '--topology=v5e:4x4',
      '--print',
      FOLDER=str(tmp_path),
      MODEL_DIR=f'{tmp_path}/runs/a',
      SHARDS_DIR=f'{tmp_path}/shards',
    ),
  )
  assert code == 0
  write = out.split('kubectl')[0]
  subprocess.run(['bash', '-c', write], check=True)
  (file,) = (tmp_path / 'runs' / 'a').iterdir()
  text = file.read_text()
  assert text.startswith(f"TrainSettings.model_dir = '{tmp_path}/runs/a'\n")


@pytest.mark.parametrize(
  ('more', 'macros', 'message'),
  [
    ((), {}, '--topology must say'),
    (('--topology=v5e:3x3',), {}, 'topology of a job must be one of'),
    (('--topology=v5e:8x8',), {}, 'mesh of data=8'),
    (('--topology=v5e:4x4',), {'MODEL_DIR': 'runs'}, 'MODEL_DIR must be'),
    (('--topology=v5e:4x4',), {'SHARDS_DIR': '/s'}, 'SHARDS_DIR must lie'),
    (('--topology=v5e:4x4',), {'BUCKET': 'b'}, 'set BUCKET'),
    (('--topology=v5e:4x4',), {'CONTEXT': ''}, 'context must be a text'),
    (('--print', '--delete'), {}, 'not allowed with'),
  ],
)
def test_mistakes_are_said(more, macros, message, capsys):
  code, out, err = shown(capsys, *arguments('jobset', *more, **macros))
  assert (code, out) == (2, '')
  assert message in err
  assert len(err.splitlines()) == 1


def test_an_engine_must_be_named(capsys):
  code, _, err = shown(
    capsys,
    *('launch', f'--gin_file={PODS}', "--gin.MODEL_DIR='/a'"),
    "--gin.SHARDS_DIR='/b'",
  )
  assert code == 2
  assert 'ENGINE must be set' in err


def test_a_macro_of_the_engine_that_is_missing_is_named(capsys):
  given = [a for a in arguments('xpk') if not a.startswith('--gin.CLUSTER=')]
  code, _, err = shown(capsys, *given)
  assert code == 2
  assert 'CLUSTER must be set' in err


def test_what_starts_from_a_run_that_hosts_do_not_see_is_refused():
  given = load('jobset')
  plan = dataclasses.replace(
    given.run.plan, initial=records.InitialCheckpoint('/home/me/run')
  )
  run = dataclasses.replace(given.run, plan=plan)
  with pytest.raises(errors.UserError, match='InitialCheckpoint.model_dir'):
    launch.Launch(train.Chain((run,)), given.engine)


def test_a_chain_is_not_one_job():
  given = load('jobset')
  other = dataclasses.replace(given.run, model_dir='/mnt/codelaw/runs/b')
  with pytest.raises(errors.UserError, match='this chain has 2'):
    launch.Launch(train.Chain((given.run, other)), given.engine)


def test_status_and_delete(capsys, tmp_path, monkeypatch):
  programs = recording.Programs(tmp_path)
  monkeypatch.setenv('PATH', programs.path())
  folders = {
    'FOLDER': str(tmp_path),
    'MODEL_DIR': f'{tmp_path}/runs/a',
    'SHARDS_DIR': f'{tmp_path}/shards',
  }
  name = job_lib.name_of(f'{tmp_path}/runs/a')
  item = f'{{"metadata": {{"name": "{name}"}}}}'
  programs.add('kubectl', f'echo \'{{"items": [{item}]}}\'')
  status = arguments('jobset', '--status', **folders)
  assert shown(capsys, *status) == (
    0,
    f'{name}: waiting (pods are not ready) in gke_p_l_c/default\n'
    f'{tmp_path}/runs/a: the run has not begun\n',
    '',
  )
  programs.add('kubectl', """echo '{"items": []}'""")
  assert f'{name}: no such job\n' in shown(capsys, *status)[1]
  programs.calls()
  delete = arguments('jobset', '--delete', **folders)
  assert shown(capsys, *delete)[1] == f'{name}: removed\n'
  (call,) = programs.calls()
  assert f' delete jobsets.jobset.x-k8s.io {name} ' in call


@pytest.fixture
def bucket(tmp_path, monkeypatch):
  """Programs, with a gcloud that has no queued resources and one object."""
  programs = recording.Programs(tmp_path)
  monkeypatch.setenv('PATH', programs.path())

  def holds(script):
    programs.add(
      'gcloud', f'case "$1" in compute) echo [] ;; *) {script} ;; esac'
    )

  programs.holds = holds
  return programs


def test_the_record_of_a_run_is_read_from_the_bucket(bucket, capsys, tmp_path):
  plan = load('queued_resources').run.plan
  begun = types.SimpleNamespace(run_id='a_run', plan=plan)
  submitted.write_record(tmp_path, begun, 'failed', step=3)
  bucket.holds(f'cat {tmp_path}/a_run/run.json')
  _, out, _ = shown(capsys, *arguments('queued_resources', '--status'))
  assert out.splitlines()[1:] == [
    'gs://my-bucket/x/runs/a_run: failed at step 3 of 61,035, the loss is nan',
    'see: tensorboard --logdir=gs://my-bucket/x/runs/a_run',
  ]
  assert bucket.calls()[-1] == (
    'gcloud storage cat gs://my-bucket/x/runs/a_run/run.json'
  )


def test_a_bucket_without_it_and_one_that_refuses(bucket, capsys):
  status = arguments('queued_resources', '--status')
  bucket.holds('echo "The following URLs matched no objects" >&2; exit 1')
  assert 'the run has not begun' in shown(capsys, *status)[1]
  bucket.holds('echo "403 forbidden" >&2; exit 1')
  code, _, err = shown(capsys, *status)
  assert (code, '403 forbidden' in err) == (2, True)
