"""A fake of `kubectl` on a cluster with JobSet's controller.

Formats and their sources: status and conditions of a JobSet, and how its
failure policy restarts it, from the controller (github.com/kubernetes-sigs/
jobset, pkg/constants and pkg/controllers); answers of apply, get and delete as
kubectl prints them; its errors of connections and rights likewise.

A pod runs the command of its container on this machine, `codelaw` in it being
what the cloud's behaviour says. Hosts that are taken away restart a JobSet
without counting where its policy says so.
"""

import argparse
import json
import os
import pathlib
import signal
import sys
import time

from tests.launch.fakes import cloud as cloud_lib

_RESOURCE = 'jobsets.jobset.x-k8s.io'


def main(words: list[str]) -> int:
  cloud = cloud_lib.Cloud(pathlib.Path(os.environ[cloud_lib.FOLDER]))
  parser = argparse.ArgumentParser(allow_abbrev=False)
  parser.add_argument('--context', required=True)
  parser.add_argument('--namespace', required=True)
  parser.add_argument('verb', choices=('apply', 'get', 'delete'))
  parser.add_argument('kind', nargs='?')
  parser.add_argument('name', nargs='?')
  parser.add_argument('--filename')
  parser.add_argument('--selector')
  parser.add_argument('--output')
  parser.add_argument('--wait', choices=('true', 'false'))
  for flag in ('ignore-not-found',):
    parser.add_argument(f'--{flag}', action='store_true')
  args = parser.parse_args(words)
  text = sys.stdin.read() if args.verb == 'apply' else ''
  with cloud.held():
    cloud.log(['kubectl', args.verb, args.name or ''])
    fault = cloud.fault('kubectl', args.verb)
    if not fault:
      return {'apply': _apply, 'get': _get, 'delete': _delete}[args.verb](
        cloud, args, text
      )
  return _fault(fault)


def _apply(cloud, args, text: str) -> int:
  assert args.filename == '-'
  manifest = json.loads(text)
  assert manifest['kind'] == 'JobSet'
  name = manifest['metadata']['name']
  if name in cloud.names():
    there = cloud.read(name)['shown']
    if there['spec'] != manifest['spec']:
      print(
        f'The JobSet "{name}" is invalid: spec.replicatedJobs: Invalid value:'
        ' field is immutable',
        file=sys.stderr,
      )
      return 1
    print(f'jobset.jobset.x-k8s.io/{name} unchanged')
    return 0
  manifest['metadata'] |= {
    'namespace': args.namespace,
    'creationTimestamp': _now(),
  }
  manifest['status'] = {'restarts': 0, 'replicatedJobsStatus': [_group(0)]}
  cloud.write(name, {'shown': manifest, 'polls': 0})
  print(f'jobset.jobset.x-k8s.io/{name} created')
  return 0


def _get(cloud, args, text: str) -> int:
  del text
  assert (args.kind, args.output) == (_RESOURCE, 'json')
  key, value = args.selector.split('=')
  for name in cloud.names():
    pass_time(cloud, name)
  shown = [cloud.read(name)['shown'] for name in cloud.names()]
  items = [i for i in shown if i['metadata']['labels'].get(key) == value]
  print(json.dumps({'apiVersion': 'v1', 'items': items, 'kind': 'List'}))
  return 0


def pass_time(cloud, name: str) -> None:
  """What the controller and the machines do in one moment."""
  resource = cloud.read(name)
  jobset = resource['shown']
  status, policy = jobset['status'], jobset['spec']['failurePolicy']
  if status.get('conditions'):
    return
  code = cloud.exit_code(name) if 'pid' in resource else None
  asked = cloud.folder / f'preempt-{name}'
  if 'pid' not in resource:
    resource['polls'] += 1
    if resource['polls'] >= cloud.behaviour.polls:
      resource['pid'] = _start(cloud, name, jobset)
      status['replicatedJobsStatus'] = [_group(1)]
  elif code == 0 and not asked.exists():
    _condition(
      status, 'Completed', 'AllJobsCompleted', 'completed successfully'
    )
  elif code is not None and not asked.exists():
    if status['restarts'] - resource.get('taken', 0) >= policy['maxRestarts']:
      _condition(
        *(status, 'Failed', 'ReachedMaxRestarts'),
        'failed due to reaching max number of restarts',
      )
    else:
      _restart(cloud, resource, status)
  elif asked.exists() or cloud.is_chance(cloud.behaviour.preempt, name):
    asked.unlink(missing_ok=True)
    kind = cloud.is_chance(0.5, f'{name} gently')
    cloud.stop(resource, signal.SIGTERM if kind else signal.SIGKILL)
    cloud.log(['preempted', name])
    actions = [rule['action'] for rule in policy.get('rules', [])]
    if 'RestartJobSetAndIgnoreMaxRestarts' in actions:
      resource['taken'] = resource.get('taken', 0) + 1
    _restart(cloud, resource, status)
  cloud.write(name, resource)


def _restart(cloud, resource, status) -> None:
  cloud.stop(resource, signal.SIGKILL)
  status['restarts'] += 1
  status['replicatedJobsStatus'] = [_group(0)]
  resource['polls'] = 0


def _condition(status, kind: str, reason: str, message: str) -> None:
  status['replicatedJobsStatus'] = [_group(0)]
  status['conditions'] = [
    {
      'lastTransitionTime': _now(),
      'message': f'jobset {message}',
      'reason': reason,
      'status': 'True',
      'type': kind,
    }
  ]


def _group(ready: int) -> dict:
  return {'active': ready, 'failed': 0, 'name': 'slice', 'ready': ready}


def _start(cloud, name: str, jobset) -> int:
  (job,) = jobset['spec']['replicatedJobs']
  template = job['template']['spec']
  assert template['parallelism'] == 1  # others are rehearsed elsewhere
  (container,) = template['template']['spec']['containers']
  for volume in container.get('volumeMounts', []):
    assert os.path.isdir(volume['mountPath'])
  program, *rest = container['command']
  assert program == 'codelaw'
  variables = {entry['name']: entry['value'] for entry in container['env']}
  return cloud.start(name, [*cloud.behaviour.train, *rest], **variables)


def _delete(cloud, args, text: str) -> int:
  del text
  assert args.kind == _RESOURCE
  if args.name in cloud.names():
    cloud.forget(args.name)
    print(f'jobset.jobset.x-k8s.io "{args.name}" deleted')
  elif not args.ignore_not_found:
    print(
      f'Error from server (NotFound): {_RESOURCE} "{args.name}" not found',
      file=sys.stderr,
    )
    return 1
  return 0


def _fault(kind: str) -> int:
  if kind == 'garbage':
    print('error: <nil>')
    return 0
  print(
    {
      'crash': 'Unable to connect to the server: dial tcp: lookup example on'
      ' 10.0.0.1:53: no such host',
      'login': 'error: You must be logged in to the server (Unauthorized)',
      'quota': 'Error from server (Forbidden): error when creating "STDIN":'
      ' jobsets.jobset.x-k8s.io is forbidden: exceeded quota: tpus',
      'kind': 'error: the server doesn\'t have a resource type "jobsets"',
    }[kind],
    file=sys.stderr,
  )
  return 1


def _now() -> str:
  return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())
