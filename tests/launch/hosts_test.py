"""What a job's pods are given is what JAX needs to make one run of them."""

import itertools

from jax._src.clusters import cloud_tpu_cluster
from jax._src.clusters import cluster
import pytest

from codelaw.launch import job as job_lib
from codelaw.launch import jobset
from tests.train import pods

GKE = jobset.JobSet(context='gke_p_z_c', image='image', mount=None)


def _names(manifest):
  """Of the pods, as JobSet's headless service resolves them."""
  name = manifest['metadata']['name']
  for group in manifest['spec']['replicatedJobs']:
    for job, pod in itertools.product(
      range(group['replicas']), range(group['template']['spec']['completions'])
    ):
      yield f'{name}-{group["name"]}-{job}-{pod}.{name}'


@pytest.mark.parametrize(
  ('topology', 'hosts'), [('v5e:4x4', 4), ('v5e:16x16', 64), ('v5e:2x2', 1)]
)
def test_pods_of_a_jobset_find_each_other(monkeypatch, topology, hosts):
  job = job_lib.Job(
    'run-12345678',
    ('codelaw', 'train', '--gin_file=/mnt/runs/run.gin'),
    topology,
    {'XLA_FLAGS': ''},
  )
  manifest = GKE.manifest(job)
  names = list(_names(manifest))
  assert len(set(names)) == len(names) == hosts
  (group,) = manifest['spec']['replicatedJobs']
  assert group['template']['spec']['completionMode'] == 'Indexed'
  assert group['template']['spec']['parallelism'] == hosts
  pod = group['template']['spec']['template']['spec']
  # JobSet sets it to the name of its headless service, unless it is set.
  assert 'subdomain' not in pod
  (container,) = pod['containers']
  # What makes GKE number the hosts and name them to each other.
  assert int(container['resources']['limits']['google.com/tpu']) > 0
  assert {
    'cloud.google.com/gke-tpu-accelerator',
    'cloud.google.com/gke-tpu-topology',
  } <= pod['nodeSelector'].keys()
  # Process 1 of a container: what stands between would keep SIGTERM from it.
  assert container['command'] == list(job.command)
  assert pod['terminationGracePeriodSeconds'] >= 120
  given = {entry['name']: entry['value'] for entry in container['env']}
  # Of GKE or JAX; ours would hide those.
  assert not [
    name for name in given if name.startswith(('TPU_', 'JAX_', 'MEG'))
  ]
  monkeypatch.setattr(cloud_tpu_cluster, 'running_in_cloud_tpu_vm', True)
  monkeypatch.setattr(cloud_tpu_cluster, 'get_metadata', lambda _: ('', 404))
  monkeypatch.setattr(
    cloud_tpu_cluster.socket, 'gethostbyname', lambda _: '10.0.0.1'
  )
  found = []
  for host in range(hosts):
    injected = pods.injected(host, hosts) | {
      'TPU_WORKER_HOSTNAMES': ','.join(names)
    }
    for name, value in (given | injected).items():
      monkeypatch.setenv(name, value)
    found.append(
      cluster.ClusterEnv.auto_detect_unset_distributed_params(
        *(None, None, None, None, None, 300)
      )[:3]
    )
  first = f'{names[0]}:{cloud_tpu_cluster.coordinator_port}'
  assert found == [(first, hosts, host) for host in range(hosts)]
