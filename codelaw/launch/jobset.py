"""JobSets on GKE, by kubectl.

Sources: the JobSet API v1alpha2 (https://jobset.sigs.k8s.io/docs/reference/
jobset.v1alpha2, release 0.12) and its failure policies (https://jobset.sigs.
k8s.io/docs/tasks/failure_policy); TPUs in GKE (https://cloud.google.com/
kubernetes-engine/docs/how-to/tpus): selectors, the resource google.com/tpu, and
the variables by which JAX's processes find each other, which GKE sets; buckets
as volumes (https://cloud.google.com/kubernetes-engine/docs/how-to/
cloud-storage-fuse-csi-driver-ephemeral).
"""

from collections.abc import Mapping
import dataclasses
import json
import re
from typing import Any

from codelaw import errors
from codelaw.launch import job as job_lib
from codelaw.launch import mount as mount_lib
from codelaw.launch import programs

_RESOURCE = 'jobsets.jobset.x-k8s.io'
_MANAGED_BY = 'app.kubernetes.io/managed-by'
_FINGERPRINT = 'codelaw/job'
_NODE_POOL = 'cloud.google.com/gke-nodepool'
_SPOT = 'cloud.google.com/gke-spot'
_TPU = 'google.com/tpu'
_ACCELERATOR = 'tpu-v5-lite-podslice'
_GROUP = 'slice'
_GROUPS = 'replicatedJobsStatus'
_VOLUME = 'bucket'
_GRACE_SECONDS = 300  # for a checkpoint; spot machines give less
_NAMES = re.compile(r'[a-z0-9]([-a-z0-9]*[a-z0-9])?')


@dataclasses.dataclass(frozen=True)
class JobSet:
  """A JobSet per job, with one pod per host of the slice.

  Attributes:
    context: of kubectl: `gke_PROJECT_LOCATION_CLUSTER`.
    image: container image with codelaw, see tools/container/Dockerfile.
    mount: the bucket with corpora and runs, or None where the image or the
      cluster brings a common disk.
    service_account: of Kubernetes, with the right to the bucket.
    namespace: of the jobs.
    max_restarts: of all hosts, when one has failed. Hosts that were taken away
      do not count.
    spot: whether machines are Spot VMs.
    node_selector: further labels of nodes, such as a reservation's.
    queue: of Kueue, which starts jobs when their slice is free; '' for none.
  """

  context: str
  image: str
  mount: mount_lib.Mount | None
  service_account: str = 'default'
  namespace: str = 'default'
  max_restarts: int = 10
  spot: bool = False
  node_selector: Mapping[str, str] = dataclasses.field(default_factory=dict)
  queue: str = ''

  def __post_init__(self):
    for name in ('context', 'image'):
      if not isinstance(getattr(self, name), str) or not getattr(self, name):
        raise errors.UserError(
          f'JobSet.{name} must be a text, got {getattr(self, name)!r}.'
        )
    for name in ('service_account', 'namespace'):
      if not _NAMES.fullmatch(str(getattr(self, name))):
        raise errors.UserError(
          f'JobSet.{name} must be a name of Kubernetes, in lower case; got'
          f' {getattr(self, name)!r}.'
        )
    if self.mount is not None:
      mount_lib.check('JobSet', self.mount)
    if not isinstance(self.max_restarts, int) or self.max_restarts < 0:
      raise errors.UserError(
        'JobSet.max_restarts must be a whole number of at least 0, got'
        f' {self.max_restarts!r}.'
      )

  def commands(self, job: job_lib.Job) -> tuple[job_lib.Command, ...]:
    """One `apply`, which reads the manifest from its input."""
    apply = job_lib.Command(
      self._kubectl('apply', '--filename=-'),
      input=json.dumps(self.manifest(job), indent=2) + '\n',
    )
    return (apply,)

  def jobs(self) -> Mapping[str, job_lib.Found]:
    """JobSets of the namespace that codelaw has made; see `Engine`."""
    command = job_lib.Command(
      self._kubectl(
        'get', _RESOURCE, f'--selector={_MANAGED_BY}=codelaw', '--output=json'
      )
    )
    return {
      item['metadata']['name']: self._found(item)
      for item in programs.read(command)['items']
    }

  def remove(self, name: str, wait: bool = True) -> None:
    """Deletes the JobSet with its pods; see `Engine`."""
    command = job_lib.Command(
      self._kubectl(
        *('delete', _RESOURCE, name, '--ignore-not-found'),
        f'--wait={str(wait).lower()}',
      )
    )
    programs.run(command, programs.CHANGE_SECONDS)

  def _kubectl(self, *rest: str) -> tuple[str, ...]:
    return (
      'kubectl',
      f'--context={self.context}',
      f'--namespace={self.namespace}',
      *rest,
    )

  def _found(self, item: Any) -> job_lib.Found:
    status = item.get('status', {})
    holds = {
      condition['type']: condition.get('message', '')
      for condition in status.get('conditions', [])
      if condition.get('status') == 'True'
    }
    state: job_lib.State = 'waiting'
    message = 'pods are not ready'
    if 'Completed' in holds:
      state, message = 'finished', holds['Completed']
    elif 'Failed' in holds:
      state, message = 'failed', holds['Failed']
    elif 'Suspended' in holds:
      message = holds['Suspended']
    elif any(group.get('ready') for group in status.get(_GROUPS, [])):
      state, message = 'running', 'pods are ready'
    if status.get('restarts'):
      message += f', {status["restarts"]} restarts'
    metadata = item['metadata']
    return job_lib.Found(
      state=state,
      where=f'{self.context}/{self.namespace}',
      message=message,
      fingerprint=metadata.get('annotations', {}).get(_FINGERPRINT, ''),
      is_leaving='deletionTimestamp' in metadata,
    )

  def manifest(self, job: job_lib.Job) -> Mapping[str, Any]:
    """The JobSet of a job, as Kubernetes takes it."""
    on = job.slice
    labels = {_MANAGED_BY: 'codelaw'}
    if self.queue:
      labels['kueue.x-k8s.io/queue-name'] = self.queue
    annotations = {_FINGERPRINT: job_lib.fingerprint(job, self)}
    if on.num_hosts > 1:
      # All hosts of one slice, which is a node pool, and no other job there.
      annotations['alpha.jobset.sigs.k8s.io/exclusive-topology'] = _NODE_POOL
    return {
      'apiVersion': 'jobset.x-k8s.io/v1alpha2',
      'kind': 'JobSet',
      'metadata': {
        'name': job.name,
        'labels': labels,
        'annotations': annotations,
      },
      'spec': {
        'failurePolicy': {
          'maxRestarts': self.max_restarts,
          # What `podFailurePolicy` below has found: a host was taken away.
          'rules': [
            {
              'name': 'taken',
              'action': 'RestartJobSetAndIgnoreMaxRestarts',
              'onJobFailureReasons': ['PodFailurePolicy'],
            }
          ],
        },
        'replicatedJobs': [
          {
            'name': _GROUP,
            'replicas': 1,
            'template': {
              'spec': {
                'parallelism': on.num_hosts,
                'completions': on.num_hosts,
                'completionMode': 'Indexed',
                'backoffLimit': 0,
                'podFailurePolicy': {
                  'rules': [
                    {
                      'action': 'FailJob',
                      'onPodConditions': [
                        {'type': 'DisruptionTarget', 'status': 'True'}
                      ],
                    },
                    # All hosts stop with the one that is taken away, and
                    # Kubernetes may see another one end before it.
                    {
                      'action': 'FailJob',
                      'onExitCodes': {
                        'operator': 'In',
                        'values': [errors.STOPPED_EXIT_CODE],
                      },
                    },
                  ]
                },
                'template': self._pod(job),
              }
            },
          }
        ],
      },
    }

  def _pod(self, job: job_lib.Job) -> Mapping[str, Any]:
    """Template of the pod of one host."""
    on = job.slice
    tpus = {_TPU: str(on.chips_per_host)}
    tolerated = [_TPU, _SPOT] if self.spot else [_TPU]
    container: dict[str, Any] = {
      'name': 'codelaw',
      'image': self.image,
      'command': list(job.command),
      'env': [
        {'name': name, 'value': value}
        for name, value in sorted(job.environment.items())
      ],
      'resources': {'requests': tpus, 'limits': tpus},
    }
    spec: dict[str, Any] = {
      'restartPolicy': 'Never',
      'serviceAccountName': self.service_account,
      'terminationGracePeriodSeconds': _GRACE_SECONDS,
      'nodeSelector': {
        'cloud.google.com/gke-tpu-accelerator': _ACCELERATOR,
        'cloud.google.com/gke-tpu-topology': on.topology,
        **({_SPOT: 'true'} if self.spot else {}),
        **self.node_selector,
      },
      'tolerations': [
        {'key': key, 'operator': 'Exists', 'effect': 'NoSchedule'}
        for key in tolerated
      ],
      'containers': [container],
    }
    if self.mount is None:
      return {'spec': spec}
    container['volumeMounts'] = [
      {'name': _VOLUME, 'mountPath': self.mount.folder}
    ]
    spec['volumes'] = [
      {
        'name': _VOLUME,
        'csi': {
          'driver': 'gcsfuse.csi.storage.gke.io',
          'volumeAttributes': {
            'bucketName': self.mount.bucket_name,
            'mountOptions': self.mount.options,
          },
        },
      }
    ]
    return {
      'metadata': {'annotations': {'gke-gcsfuse/volumes': 'true'}},
      'spec': spec,
    }
