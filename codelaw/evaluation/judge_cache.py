"""Replies of judges on disk, so that none is paid for twice.

A folder has one file per reply, named by a hash of all that was asked (model,
messages, temperature and the other fields of the request, not the address it
went to), and holding both: the files are the record of an evaluation, too.
Each is whole or absent, so that work may end at any moment.
"""

from collections.abc import Mapping
import dataclasses
import os
from typing import Any

from codelaw import errors
from codelaw import storage
from codelaw.evaluation import judge_http


class ReplyCache:
  """Replies by request; threads may share it."""

  def __init__(self, folder: storage.PathLike):
    self._folder = storage.path(folder)

  def get(self, body: Mapping[str, Any]) -> judge_http.Reply | None:
    """The reply to a request; None when there was none yet.

    Raises:
      UserError: when its file is damaged.
    """
    file = self._file(body)
    if not file.exists():
      return None
    content = storage.read_json(file)
    try:
      if storage.fingerprint(content['request']) != file.stem:
        raise ValueError('it answers another request')
      return judge_http.Reply(**content['reply'])
    except (KeyError, TypeError, ValueError) as error:
      raise errors.UserError(
        f'{os.fspath(file)} is no reply of a judge ({error}); delete it, and'
        ' that question is asked again.'
      ) from error

  def put(self, body: Mapping[str, Any], reply: judge_http.Reply) -> None:
    """Keeps a reply.

    Raises:
      UserError: when it cannot be written.
    """
    content = {'request': body, 'reply': dataclasses.asdict(reply)}
    storage.write_json(self._file(body), content)

  def _file(self, body: Mapping[str, Any]) -> Any:
    return self._folder / f'{storage.fingerprint(body)}.json'
