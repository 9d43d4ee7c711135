import dataclasses

import pytest

from codelaw import errors
from codelaw.launch import mount as mount_lib

MOUNT = mount_lib.Mount('gs://my-bucket/a/b', '/mnt/codelaw-absent')


def test_a_path_is_found_in_the_bucket_where_it_is_not_mounted():
  assert MOUNT.here('/mnt/codelaw-absent/runs/x/') == (
    'gs://my-bucket/a/b/runs/x'
  )
  assert MOUNT.here('/mnt/codelaw-absent') == 'gs://my-bucket/a/b'
  assert MOUNT.here('/mnt/codelaw-absent-too/x') == '/mnt/codelaw-absent-too/x'
  assert MOUNT.here('runs/x') == 'runs/x'


def test_and_in_the_folder_where_it_is(tmp_path):
  mount = dataclasses.replace(MOUNT, folder=str(tmp_path).replace(' ', '_'))
  assert mount.here(tmp_path / 'runs') == str(tmp_path / 'runs')


@pytest.mark.parametrize('bucket', ['my-bucket', 's3://b', 'gs://', 'gs://A/b'])
def test_other_buckets_are_refused(bucket):
  with pytest.raises(errors.UserError, match='set BUCKET'):
    mount_lib.Mount(bucket)


@pytest.mark.parametrize('folder', ['mnt', '/', '/a/', '/a b', '/a/../b', ''])
def test_other_folders_are_refused(folder):
  with pytest.raises(errors.UserError, match='absolute path'):
    mount_lib.Mount('gs://my-bucket', folder)


def test_the_mount_is_consistent_and_can_rename_folders():
  assert MOUNT.flags == (
    '--implicit-dirs',
    '--metadata-cache-ttl-secs=0',
    '--metadata-cache-negative-ttl-secs=0',
    '--rename-dir-limit=200000',
    '--only-dir=a/b',
  )
  assert MOUNT.options == (
    'implicit-dirs,metadata-cache:ttl-secs:0,metadata-cache:negative-ttl-secs:0'
    ',file-system:rename-dir-limit:200000,only-dir=a/b'
  )
  whole = mount_lib.Mount('gs://my-bucket/')
  assert (whole.bucket, whole.bucket_name, whole.prefix) == (
    *('gs://my-bucket', 'my-bucket'),
    '',
  )
  assert 'only-dir' not in whole.options + ''.join(whole.flags)


def test_what_hosts_do_not_see_is_refused():
  mount_lib.check_seen(None, 'MODEL_DIR', '/nfs/runs')
  mount_lib.check_seen(MOUNT, 'MODEL_DIR', '/mnt/codelaw-absent/runs')
  for mount in (None, MOUNT):
    with pytest.raises(errors.UserError, match='MODEL_DIR must be an absolute'):
      mount_lib.check_seen(mount, 'MODEL_DIR', 'runs')
  with pytest.raises(errors.UserError, match='MODEL_DIR must lie below'):
    mount_lib.check_seen(MOUNT, 'MODEL_DIR', '/nfs/runs')
