"""A fake of `xpk workload`.

Formats and their source: xpk 1.16 (github.com/AI-Hypercomputer/xpk): the table
of `workload list` shows Kueue's workloads, with the last condition of each, and
comes between lines that begin with [XPK]; errors are on standard output.
"""

import argparse
import os
import pathlib
import shlex
import signal
import time

from tests.launch.fakes import cloud as cloud_lib

_COLUMNS = (
  *('Jobset Name', 'Created Time', 'Priority', 'TPU/GPU VMs Needed'),
  *('TPU/GPU VMs Running/Ran', 'TPU/GPU VMs Done', 'Status'),
  *('Status Message', 'Status Time'),
)
_ENDED = 'Finished'


def main(words: list[str]) -> int:
  cloud = cloud_lib.Cloud(pathlib.Path(os.environ[cloud_lib.FOLDER]))
  kind, verb = words[:2]
  assert kind == 'workload'
  parser = argparse.ArgumentParser(allow_abbrev=False)
  for flag in ('project', 'zone', 'cluster'):
    parser.add_argument(f'--{flag}', required=True)
  for flag in {
    'create': (
      *('workload', 'tpu-type', 'docker-image', 'command', 'storage'),
      *('max-restarts', 'restart-on-exit-codes', 'priority'),
      'termination-grace-period-seconds',
    ),
    'delete': ('workload',),
  }.get(verb, ()):
    parser.add_argument(f'--{flag}')
  parser.add_argument('--env', action='append', default=[])
  parser.add_argument('--force', action='store_true')
  args = parser.parse_args(words[2:])
  print('[XPK] Starting xpk v1.16.0', flush=True)
  with cloud.held():
    cloud.log(['xpk', verb, getattr(args, 'workload', '')])
    fault = cloud.fault('xpk', verb)
    if not fault:
      code = {'create': _create, 'list': _list, 'delete': _delete}[verb](
        cloud, args
      )
      return _end(code)
  return _fault(fault)


def _end(code: int) -> int:
  if code:
    print(f'[XPK] XPK failed, error code {code}')
  else:
    print('[XPK] Exiting XPK cleanly')
  return code


def _create(cloud, args) -> int:
  if args.workload in cloud.names():
    print(
      f'[XPK] {args.workload} already exist, XPK will not create this workload.'
      ' Please pick a new workload name'
    )
    return 1
  shown = {
    'Jobset Name': args.workload,
    'Created Time': _now(),
    'Priority': args.priority,
    'TPU/GPU VMs Needed': '1',
    'TPU/GPU VMs Running/Ran': '<none>',
    'TPU/GPU VMs Done': '<none>',
  }
  resource = {
    'shown': shown,
    'polls': 0,
    'restarts': 0,
    'command': args.command,
    'max_restarts': int(args.max_restarts),
    'restarted': args.restart_on_exit_codes.split(','),
    'env': dict(entry.split('=', 1) for entry in args.env),
  }
  _say(
    resource, 'QuotaReserved', "couldn't assign flavors to pod set slice-job"
  )
  cloud.write(args.workload, resource)
  return 0


def _say(resource, status: str, message: str, running: str = '<none>') -> None:
  resource['shown'] |= {
    'TPU/GPU VMs Running/Ran': running,
    'Status': status,
    'Status Message': message,
    'Status Time': _now(),
  }


def _list(cloud, args) -> int:
  del args
  for name in cloud.names():
    _pass_time(cloud, name)
  rows = [cloud.read(name)['shown'] for name in cloud.names()]
  cells = [_COLUMNS, *([row[c] for c in _COLUMNS] for row in rows)]
  widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
  print('[XPK] Task: `List Jobs` is implemented by `kubectl get workloads`')
  for row in cells:
    line = '   '.join(
      cell.ljust(width) for cell, width in zip(row, widths, strict=True)
    )
    print(line.rstrip())
  print('[XPK] See your workloads in Cloud Console')
  return 0


def _pass_time(cloud, name: str) -> None:
  resource = cloud.read(name)
  if resource['shown']['Status'] == _ENDED:
    return
  code = cloud.exit_code(name) if 'pid' in resource else None
  asked = cloud.folder / f'preempt-{name}'
  if 'pid' not in resource:
    resource['polls'] += 1
    if resource['polls'] >= cloud.behaviour.polls:
      _say(resource, 'Admitted', 'The workload is admitted', '1')
      shell, program, *rest = shlex.split(resource['command'])
      assert (shell, program) == ('exec', 'codelaw')
      resource['pid'] = cloud.start(
        name, [*cloud.behaviour.train, *rest], **resource['env']
      )
  elif code == 0 and not asked.exists():
    _say(resource, _ENDED, 'jobset completed successfully', '1')
  elif code is not None and not asked.exists():
    may = resource['restarts'] < resource['max_restarts']
    if may and str(code) in resource['restarted']:
      cloud.stop(resource, signal.SIGKILL)
      resource['restarts'] += 1
    else:
      _say(
        *(resource, _ENDED),
        'jobset failed due to reaching max number of restarts',
        '1',
      )
  elif asked.exists() or cloud.is_chance(cloud.behaviour.preempt, name):
    asked.unlink(missing_ok=True)
    kind = cloud.is_chance(0.5, f'{name} gently')
    cloud.stop(resource, signal.SIGTERM if kind else signal.SIGKILL)
    cloud.log(['preempted', name])
    resource['polls'] = 0
    _say(resource, 'Evicted', 'Exceeded the PodsReady timeout ns/jobset', '1')
  cloud.write(name, resource)


def _delete(cloud, args) -> int:
  assert args.force  # it asks otherwise
  if args.workload not in cloud.names():
    print(f'[XPK] There are no workloads {args.workload} to delete.')
    return 0
  cloud.forget(args.workload)
  return 0


def _fault(kind: str) -> int:
  if kind == 'garbage':
    print('Traceback (most recent call last):')
    return 0
  messages = {
    'crash': 'Unable to connect to the server: dial tcp: no such host',
    'login': 'ERROR: (gcloud.container.clusters.list) You do not currently have'
    ' an active account selected.',
  }
  print(f'[XPK] {messages[kind]}')
  return _end(1)


def _now() -> str:
  return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())
