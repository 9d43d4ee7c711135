"""Folders of sandboxed programs: whose they are, and how they go.

A program may leave anything in its folder: trees deeper than a path can be,
folders that nobody may read, links to everywhere. Whatever is done to such a
folder goes from descriptor to descriptor and follows no link, so that nothing
outside is ever touched.
"""

import os
import stat

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def give(folder: str, user: int) -> None:
  """Makes a user own a folder and what lies in it.

  What he owns already is passed over, with what lies below it.
  """
  waiting = [os.open(folder, _FOLDER)]
  while waiting:
    descriptor = waiting.pop()
    os.fchown(descriptor, user, user)
    for name in os.listdir(descriptor):
      found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
      if found.st_uid == user:
        continue
      if stat.S_ISDIR(found.st_mode):
        waiting.append(os.open(name, _FOLDER, dir_fd=descriptor))
      else:
        os.chown(name, user, user, dir_fd=descriptor, follow_symlinks=False)
    os.close(descriptor)


def remove(folder: str) -> None:
  """Removes a folder, whatever a program has made of it.

  Folders inside folders are moved to the top before they are emptied, so the
  depth does not matter.
  """
  top = os.open(folder, _FOLDER)
  try:
    os.fchmod(top, 0o700)
    unique = os.urandom(16).hex()
    count = 0
    while waiting := os.listdir(top):
      for name in waiting:
        found = os.stat(name, dir_fd=top, follow_symlinks=False)
        if not stat.S_ISDIR(found.st_mode):
          os.unlink(name, dir_fd=top)
          continue
        os.chmod(name, 0o700, dir_fd=top)
        inner = os.open(name, _FOLDER, dir_fd=top)
        try:
          for below in os.listdir(inner):
            found = os.stat(below, dir_fd=inner, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode):
              os.unlink(below, dir_fd=inner)
              continue
            # To be moved it must be writable itself.
            os.chmod(below, 0o700, dir_fd=inner)
            count += 1
            moved = f'{unique} {count}'
            os.rename(below, moved, src_dir_fd=inner, dst_dir_fd=top)
        finally:
          os.close(inner)
        os.rmdir(name, dir_fd=top)
  finally:
    os.close(top)
  os.rmdir(folder)
