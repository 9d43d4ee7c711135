"""A bucket that is a folder on every host of a job.

Definitions owned here:
  path in a pod: what plans and gin files name, below the mounted folder.
  path here: the same object for the launching machine, which need not mount
    the bucket: its URL then.
"""

import dataclasses
import os
import re

from codelaw import errors
from codelaw import storage

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
