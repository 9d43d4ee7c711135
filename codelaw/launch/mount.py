"""A bucket that is a folder on every host of a job.

Definitions owned here:
  path in a pod: what plans and gin files name, below the mounted folder.
  path here: the same object for the launching machine, which need not mount
    the bucket: its URL then.
  consistency: hosts write parts of one checkpoint, and the first host puts them
    together, so none may keep for a while what it has seen of a folder.
    Checkpoints are finished by renaming a folder; a bucket with hierarchical
    namespace does that at once
    (https://cloud.google.com/storage/docs/cloud-storage-fuse/overview).
"""

from collections.abc import Mapping
import dataclasses
import os
import re
from typing import Any

from codelaw import errors
from codelaw import storage

# Options of gcsfuse 2 and later, as its configuration file names them
# (https://cloud.google.com/storage/docs/cloud-storage-fuse/config-file). Its
# own defaults keep metadata for 60 s, on some machines with TPUs for ever, and
# refuse to rename folders of buckets without hierarchical namespace.
_OPTIONS: Mapping[str, str] = {
  'metadata-cache:ttl-secs': '0',
  'metadata-cache:negative-ttl-secs': '0',
  'file-system:rename-dir-limit': '200000',
}
_BUCKET = re.compile(r'gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(/.*)?')


@dataclasses.dataclass(frozen=True)
class Mount:
  """A bucket, or a folder of one, mounted at the same place on every host.

  Attributes:
    bucket: `gs://BUCKET` or `gs://BUCKET/FOLDER`.
    folder: where it is mounted; an absolute path.
  """

  bucket: str
  folder: str = '/mnt/codelaw'

  def __post_init__(self):
    if not isinstance(self.bucket, str) or not _BUCKET.fullmatch(self.bucket):
      raise errors.UserError(
        'Mount.bucket must be like gs://my-bucket or gs://my-bucket/folder,'
        f' got {self.bucket!r}; set BUCKET.'
      )
    object.__setattr__(self, 'bucket', self.bucket.rstrip('/'))
    if (
      not isinstance(self.folder, str)
      or not re.fullmatch(r'(/[A-Za-z0-9._-]+)+', self.folder)
      or '..' in self.folder.split('/')
    ):
      raise errors.UserError(
        'Mount.folder must be an absolute path of letters, digits, and ._-,'
        f' like /mnt/codelaw; got {self.folder!r}.'
      )

  @property
  def bucket_name(self) -> str:
    """Of the bucket alone."""
    return self.bucket.removeprefix('gs://').partition('/')[0]

  @property
  def prefix(self) -> str:
    """The folder of the bucket that is mounted; '' for all of it."""
    return self.bucket.removeprefix('gs://').partition('/')[2]

  def here(self, path: storage.PathLike) -> str:
    """Where the launching machine finds `path` of a pod.

    A path outside the mounted folder stays as it is, and so does one inside if
    the folder exists here.

    >>> Mount('gs://bkt/x', '/mnt/absent').here('/mnt/absent/runs/a')
    'gs://bkt/x/runs/a'
    """
    text = os.fspath(path)
    if not self.holds(text) or os.path.isdir(self.folder):
      return text
    return self.bucket + text.rstrip('/').removeprefix(self.folder)

  def holds(self, path: storage.PathLike) -> bool:
    """Whether `path` lies below the mounted folder."""
    return f'{os.fspath(path).rstrip("/")}/'.startswith(f'{self.folder}/')

  @property
  def flags(self) -> tuple[str, ...]:
    """Of the program gcsfuse, before the names of bucket and folder."""
    options = {
      option.replace('file-system:', '').replace(':', '-'): value
      for option, value in _OPTIONS.items()
    }
    only = (f'--only-dir={self.prefix}',) if self.prefix else ()
    values = (f'--{name}={value}' for name, value in options.items())
    return ('--implicit-dirs', *values, *only)

  @property
  def options(self) -> str:
    """Mount options of GKE's driver (and of xpk), which runs gcsfuse."""
    values = (f'{name}:{value}' for name, value in _OPTIONS.items())
    only = (f'only-dir={self.prefix}',) if self.prefix else ()
    return ','.join(('implicit-dirs', *values, *only))


def check(owner: str, mount: Any) -> None:
  """Raises `UserError` unless `mount`, of a class `owner`, is a `Mount`."""
  if not isinstance(mount, Mount):
    raise errors.UserError(f'{owner}.mount must be @Mount(), got {mount!r}.')


def check_seen(mount: Mount | None, name: str, folder: str) -> None:
  """Raises `UserError` unless all hosts find `folder` at the same place.

  Args:
    mount: what they see; None where they see the same disks.
    name: of the setting, for the message.
    folder: that they all need.
  """
  if not folder.startswith('/'):
    raise errors.UserError(
      f'{name} must be an absolute path, because hosts have working'
      f' directories of their own; got {folder!r}.'
    )
  if mount is not None and not mount.holds(folder):
    raise errors.UserError(
      f'{name} must lie below {mount.folder}, where the hosts of a job see'
      f' {mount.bucket}; got {folder!r}.'
    )
