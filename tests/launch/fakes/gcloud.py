"""A fake of `gcloud compute tpus queued-resources`.

Formats and their sources:
  states: https://cloud.google.com/tpu/docs/queued-resources, and enum
    QueuedResourceState.State of the TPU API v2alpha1; fields of a listed
    resource: QueuedResource of the TPU API v2.
  ALREADY_EXISTS as gcloud prints it: github.com/skypilot-org/skypilot #129.
  quota, and that suspended resources use it up: github.com/marin-community/
    marin #87.
  INVALID_ARGUMENT, `Cloud TPU received a bad request`: answers of gcloud alpha
    that people keep in their repositories.

A machine runs the startup script that it was created with, on a file system
of its own: where the script says /opt/codelaw it has a folder of the machine,
in which codelaw is installed.
"""

import argparse
import json
import os
import pathlib
import shlex
import signal
import sys
import time

from tests.launch.fakes import cloud as cloud_lib

_COMMAND = 'gcloud.compute.tpus.queued-resources'
_RESERVED = ('WAITING_FOR_RESOURCES', 'PROVISIONING')


def main(words: list[str]) -> int:
  cloud = cloud_lib.Cloud(pathlib.Path(os.environ[cloud_lib.FOLDER]))
  if words[:3] != ['compute', 'tpus', 'queued-resources'] or len(words) < 4:
    return _error('gcloud', f"Invalid choice: '{words[0]}'.", 2)
  verb = words[3]
  parser = argparse.ArgumentParser(allow_abbrev=False)
  if verb != 'list':
    parser.add_argument('name')
  parser.add_argument('--project', required=True)
  parser.add_argument('--zone', required=True)
  for flag in {
    'create': (
      *('node-id', 'accelerator-type', 'runtime-version', 'labels'),
      *('metadata-from-file', 'service-account', 'valid-until-duration'),
    ),
    'list': ('format',),
    'delete': (),
  }[verb]:
    parser.add_argument(f'--{flag}')
  for flag in {'create': ('spot', 'reserved'), 'list': ()}.get(
    verb, ('force', 'quiet', 'async')
  ):
    parser.add_argument(f'--{flag}', action='store_true')
  args = parser.parse_args(words[4:])
  text = sys.stdin.read() if verb == 'create' else ''
  with cloud.held():
    cloud.log(['gcloud', verb, getattr(args, 'name', '')])
    fault = cloud.fault('gcloud', verb)
    if not fault:
      return {'create': _create, 'list': _list, 'delete': _delete}[verb](
        cloud, args, text
      )
    if fault == 'late':  # the server has taken it; the client never hears
      _create(cloud, args, text)
  return _fault(verb, 'hang' if fault == 'late' else fault, args)


def _create(cloud, args, text: str) -> int:
  place = f'projects/{args.project}/locations/{args.zone}'
  name = f'{place}/queuedResources/{args.name}'
  if args.name in cloud.names():
    return _error(
      f'{_COMMAND}.create',
      f"ALREADY_EXISTS: Resource '{name}' already exists\n- '@type':"
      f' type.googleapis.com/google.rpc.ResourceInfo\n  resourceName: {name}',
    )
  assert args.metadata_from_file == 'startup-script=/dev/stdin'
  labels = dict(label.split('=') for label in args.labels.split(','))
  node = {
    'acceleratorType': args.accelerator_type,
    'labels': labels,
    'metadata': {'startup-script': text},
    'runtimeVersion': args.runtime_version,
  }
  spec = {'node': node, 'nodeId': args.node_id, 'parent': place}
  resource = {
    'createTime': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()),
    'name': name,
    'state': {'state': 'WAITING_FOR_RESOURCES', 'stateInitiator': 'SERVICE'},
    'tpu': {'nodeSpec': [spec]},
  }
  if args.spot:
    resource['spot'] = {}
  cloud.write(args.name, {'shown': resource, 'polls': 0})
  print(f'Create request issued for: [{args.name}]', file=sys.stderr)
  print(f'Created queued resource [{args.name}].', file=sys.stderr)
  return 0


def _list(cloud, args, text: str) -> int:
  del text
  assert args.format == 'json'
  for name in cloud.names():
    _pass_time(cloud, name)
  print(json.dumps([cloud.read(name)['shown'] for name in cloud.names()]))
  return 0


def _pass_time(cloud, name: str) -> None:
  resource = cloud.read(name)
  state = resource['shown']['state']
  behaviour = cloud.behaviour
  if state['state'] == 'DELETING':
    cloud.forget(name)
    return
  if state['state'] in _RESERVED:
    resource['polls'] += 1
    state['state'] = 'PROVISIONING'
    if resource['polls'] >= behaviour.polls:
      state['state'] = 'ACTIVE'
      resource['pid'] = _boot(cloud, name, resource)
  elif state['state'] == 'ACTIVE':
    asked = cloud.folder / f'preempt-{name}'
    if asked.exists() or cloud.is_chance(behaviour.preempt, name):
      asked.unlink(missing_ok=True)
      kind = cloud.is_chance(0.5, f'{name} gently')
      cloud.stop(resource, signal.SIGTERM if kind else signal.SIGKILL)
      state['state'] = 'SUSPENDED'
      cloud.log(['preempted', name])
  cloud.write(name, resource)


def _boot(cloud, name: str, resource) -> int:
  """Starts the machine with its startup script."""
  node = resource['shown']['tpu']['nodeSpec'][0]['node']
  script = node['metadata']['startup-script']
  machine = cloud.folder / 'machines' / name
  root = machine / 'root'
  programs = root / 'env' / 'bin'
  programs.mkdir(parents=True, exist_ok=True)
  script = script.replace('ROOT=/opt/codelaw\n', f'ROOT={root}\n')
  assert str(root) in script
  values = dict(
    (line.split('=', 1)[0], ''.join(shlex.split(line.split('=', 1)[1])))
    for line in script.splitlines()
    if line.startswith(('PYTHON=', 'PACKAGE='))
  )
  (root / 'installed').write_text(f'{values["PYTHON"]} {values["PACKAGE"]}\n')
  train = shlex.join(cloud.behaviour.train)
  _program(programs / 'codelaw', f'exec {train} "$@"')
  host = machine / 'host'
  host.mkdir(exist_ok=True)
  _program(host / 'curl', 'echo 0')  # agent-worker-number
  _program(host / 'mountpoint', 'exit 0')
  _program(host / 'sleep', 'exec /bin/sleep 0.1')
  (machine / 'startup.sh').write_text(script)
  path = f'{host}:{os.environ["PATH"]}'
  return cloud.start(
    name, ['bash', str(machine / 'startup.sh')], PATH=path, HOME=str(machine)
  )


def _program(file: pathlib.Path, line: str) -> None:
  file.write_text(f'#!/bin/bash\n{line}\n')
  file.chmod(0o755)


def _delete(cloud, args, text: str) -> int:
  del text
  place = f'projects/{args.project}/locations/{args.zone}'
  if args.name not in cloud.names():
    return _error(
      f'{_COMMAND}.delete',
      f"NOT_FOUND: Resource '{place}/queuedResources/{args.name}' was not"
      ' found',
    )
  resource = cloud.read(args.name)
  state = resource['shown']['state']
  if state['state'] == 'DELETING':
    return _error(
      f'{_COMMAND}.delete',
      'FAILED_PRECONDITION: The queued resource is being deleted already.',
    )
  if not args.quiet:
    return _error(
      f'{_COMMAND}.delete',
      'This prompt could not be answered because you are not in an'
      ' interactive session.',
    )
  if state['state'] == 'ACTIVE' and not args.force:
    return _error(
      f'{_COMMAND}.delete',
      'FAILED_PRECONDITION: Cloud TPU received a bad request. Queued resource'
      ' has nodes; use force.',
    )
  if getattr(args, 'async'):
    state['state'] = 'DELETING'
    cloud.write(args.name, resource)
  else:
    cloud.forget(args.name)
    print(f'Deleted queued resource [{args.name}].', file=sys.stderr)
  return 0


def _fault(verb: str, kind: str, args) -> int:
  place = f'projects/{args.project}/locations/{args.zone}'
  if kind == 'hang':
    time.sleep(600)
  if kind == 'garbage':
    print('<html><head><title>502 Bad Gateway</title></head></html>')
    return 0
  if kind == 'crash':
    print(
      "ERROR: gcloud crashed (ConnectionError): HTTPSConnectionPool(host='tpu."
      "googleapis.com', port=443): Max retries exceeded (Caused by"
      " NewConnectionError('Failed to establish a new connection: [Errno -3]"
      " Temporary failure in name resolution'))\n\nIf you would like to report"
      ' this issue, please run the following command:\n  gcloud feedback\n\nTo'
      ' check gcloud for common problems, please run the following command:\n'
      '  gcloud info --run-diagnostics',
      file=sys.stderr,
    )
    return 1
  messages = {
    'quota': "RESOURCE_EXHAUSTED: Quota 'TPUV5sPreemptibleLitepodPerProjectPer"
    f"ZoneForTPUAPI' exhausted. Limit 16 in zone {args.zone}",
    'busy': 'UNAVAILABLE: The service is currently unavailable.',
    'login': 'There was a problem refreshing your current auth tokens:'
    ' Reauthentication failed. cannot prompt during non-interactive execution.'
    '\nPlease run:\n\n  $ gcloud auth login\n\nto obtain new credentials.',
    'rights': "PERMISSION_DENIED: Permission 'tpu.nodes.create' denied on"
    f" '{place}'",
    'chips': 'INVALID_ARGUMENT: Cloud TPU received a bad request. The requested'
    ' accelerator configuration for accelerator type, "v5litepod-1", could not'
    f' be found in the zonal accelerator configurations for "{args.zone}".',
  }
  return _error(f'{_COMMAND}.{verb}', messages[kind])


def _error(command: str, message: str, code: int = 1) -> int:
  print(f'ERROR: ({command}) {message}', file=sys.stderr)
  return code
