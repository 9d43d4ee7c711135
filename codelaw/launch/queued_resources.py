"""Cloud TPU VMs through queued resources, by gcloud.

Sources: states and flags, https://cloud.google.com/tpu/docs/queued-resources;
fields of a listed resource, the QueuedResource of the TPU API v2
(https://cloud.google.com/tpu/docs/reference/rest/v2/projects.locations.
queuedResources); both as in Google Cloud SDK 528. Startup scripts:
https://cloud.google.com/tpu/docs/run-startup-script. What was not seen on a
real TPU VM: that its image has gcloud, and Python with pip.
"""

from collections.abc import Mapping
import dataclasses
import os
import pathlib
import shlex
from typing import Any

from codelaw import errors
from codelaw.launch import job as job_lib
from codelaw.launch import mount as mount_lib
from codelaw.launch import programs

CAPACITIES = ('on_demand', 'spot', 'reserved')
_STATES: Mapping[str, job_lib.State] = {
  'CREATING': 'waiting',
  'ACCEPTED': 'waiting',
  'WAITING_FOR_RESOURCES': 'waiting',
  'PROVISIONING': 'waiting',
  'ACTIVE': 'running',
  'FAILED': 'failed',
  'SUSPENDING': 'preempted',
  'SUSPENDED': 'preempted',
  # It goes by itself: a job that let its chips go, or was removed.
  'DELETING': 'waiting',
}
_DELETING = 'DELETING'
_LABEL = 'codelaw-job'
_SCRIPT = pathlib.Path(__file__).with_name('startup.sh')
_ROOT = '/opt/codelaw'  # of what the script leaves on a machine
_UV = '0.13.9'  # its commands were tried with this version
_PAUSE_SECONDS = 15


@dataclasses.dataclass(frozen=True)
class QueuedResources:
  """A queued resource per job; a startup script does all the rest.

  The script comes with the machines, so it also runs where the machines start
  anew. Attributes of the mounted folder are paths in it.

  Attributes:
    project: of Google Cloud.
    zone: with v5e chips, like `us-west4-a`.
    mount: the bucket with corpora, runs and the package.
    package: codelaw, as pip takes it: a wheel in the mounted folder, or
      `git+https://...@REVISION`.
    constraints: file of the versions of all packages, in the mounted folder.
    service_account: that the machines act as; '' takes the project's default.
    capacity: one of `CAPACITIES`.
    runtime_version: image of the machines.
    python: version that uv brings.
    gcsfuse: gs:// URL of gcsfuse's Debian package, for images without it.
    max_restarts: of the command on machines that go on.
    release: whether the slice is freed when the command has ended, which needs
      the right to delete it (roles/tpu.admin).
    network: '' takes the project's default.
    subnetwork: '' takes the network's.
    valid_until: how long the request may wait, like `6h`; '' for ever.
  """

  project: str
  zone: str
  mount: mount_lib.Mount
  package: str
  constraints: str
  service_account: str = ''
  capacity: str = 'on_demand'
  runtime_version: str = 'v2-alpha-tpuv5-lite'
  python: str = '3.12'
  gcsfuse: str = ''
  max_restarts: int = 3
  release: bool = True
  network: str = ''
  subnetwork: str = ''
  valid_until: str = ''

  def __post_init__(self):
    for name in ('project', 'zone', 'package', 'constraints'):
      if not isinstance(getattr(self, name), str) or not getattr(self, name):
        raise errors.UserError(
          f'QueuedResources.{name} must be a text, got {getattr(self, name)!r}.'
        )
    mount_lib.check('QueuedResources', self.mount)
    if self.capacity not in CAPACITIES:
      raise errors.UserError(
        f'QueuedResources.capacity must be one of {", ".join(CAPACITIES)}; got'
        f' {self.capacity!r}.'
      )
    if not isinstance(self.max_restarts, int) or self.max_restarts < 0:
      raise errors.UserError(
        'QueuedResources.max_restarts must be a whole number of at least 0, got'
        f' {self.max_restarts!r}.'
      )
    is_url = self.package.startswith('git+')
    for name in ('constraints',) if is_url else ('constraints', 'package'):
      if not self.mount.holds(getattr(self, name)):
        raise errors.UserError(
          f'QueuedResources.{name} must lie below {self.mount.folder}, where'
          f' the machines see {self.mount.bucket}'
          + (', or be git+URL' if name == 'package' else '')
          + f'; got {getattr(self, name)!r}.'
        )

  def commands(self, job: job_lib.Job) -> tuple[job_lib.Command, ...]:
    """One `create`, which reads the startup script from its input."""
    optional = {
      'service-account': self.service_account,
      'network': self.network,
      'subnetwork': self.subnetwork,
      'valid-until-duration': self.valid_until,
    }
    create = job_lib.Command(
      self._gcloud(
        'create',
        job.name,
        f'--node-id={job.name}',
        f'--accelerator-type={job.slice.accelerator_type}',
        f'--runtime-version={self.runtime_version}',
        *([] if self.capacity == 'on_demand' else [f'--{self.capacity}']),
        *(f'--{flag}={value}' for flag, value in optional.items() if value),
        f'--labels={_LABEL}={job_lib.fingerprint(job, self)}',
        '--metadata-from-file=startup-script=/dev/stdin',
      ),
      input=self._script(job),
    )
    return (create,)

  def jobs(self) -> Mapping[str, job_lib.Found]:
    """Queued resources of the zone that codelaw has made; see `Engine`."""
    command = job_lib.Command(self._gcloud('list', '--format=json'))
    found = {}
    for resource in programs.read(command):
      labels = _labels(resource)
      if _LABEL in labels:
        name = os.path.basename(resource['name'])
        found[name] = self._found(resource, labels[_LABEL])
    return found

  def remove(self, name: str, wait: bool = True) -> None:
    """Deletes the queued resource and its machines; see `Engine`."""
    if name in self.jobs():
      command = job_lib.Command(
        self._gcloud(
          'delete', name, '--force', '--quiet', *([] if wait else ['--async'])
        )
      )
      programs.run(command, programs.CHANGE_SECONDS)

  def _found(self, resource: Any, fingerprint: str) -> job_lib.Found:
    state = resource.get('state', {})
    word = state.get('state', 'STATE_UNSPECIFIED')
    why = state.get('failedData', {}).get('error', {}).get('message', '')
    return job_lib.Found(
      state=_STATES.get(word, 'waiting'),
      where=self.zone,
      message=f'{word}: {why}' if why else word,
      fingerprint=fingerprint,
      is_leaving=word == _DELETING,
    )

  def _gcloud(self, verb: str, *rest: str) -> tuple[str, ...]:
    names = [word for word in rest[:1] if not word.startswith('-')]
    return (
      *('gcloud', 'compute', 'tpus', 'queued-resources', verb, *names),
      f'--project={self.project}',
      f'--zone={self.zone}',
      *rest[len(names) :],
    )

  def _script(self, job: job_lib.Job) -> str:
    """The startup script with what it is about before it."""
    package = self.package
    if not package.startswith('git+'):
      package = f'file://{package}'
    extras = ','.join(('train', 'tpu', *job.extras))
    values: Mapping[str, str | int] = {
      'NAME': job.name,
      'PROJECT': self.project,
      'ZONE': self.zone,
      'ROOT': _ROOT,
      'BUCKET': self.mount.bucket_name,
      'FOLDER': self.mount.folder,
      'GCSFUSE': self.gcsfuse,
      'UV': _UV,
      'PYTHON': self.python,
      'PACKAGE': f'codelaw[{extras}] @ {package}',
      'CONSTRAINTS': self.constraints,
      'MAX_RESTARTS': self.max_restarts,
      'PAUSE_SECONDS': _PAUSE_SECONDS,
      'RELEASE': 'yes' if self.release else 'no',
      'LOGS': f'{self.mount.folder}/logs/{job.name}',
    }
    lists = {
      'MOUNT_FLAGS': self.mount.flags,
      'COMMAND': job.command,
      'ENVIRONMENT': [f'{k}={v}' for k, v in sorted(job.environment.items())],
    }
    lines = [f'{name}={shlex.quote(str(v))}' for name, v in values.items()]
    lines += [f'{name}=({shlex.join(v)})' for name, v in lists.items()]
    return '\n'.join(['#!/bin/bash', *lines, '', _SCRIPT.read_text()])


def _labels(resource: Any) -> Mapping[str, str]:
  """Labels of a resource's node; codelaw makes one node for each."""
  nodes = resource.get('tpu', {}).get('nodeSpec', [])
  return nodes[0].get('node', {}).get('labels', {}) if nodes else {}
