import os
import shutil

import pytest

from codelaw import errors
from codelaw.corpora import documents
from codelaw.corpora import git_history
from codelaw.corpora import reading
from tests.corpora import collected
from tests.corpora import stand_ins

pytestmark = pytest.mark.skipif(
  shutil.which('git') is None, reason='there is no git'
)


def _read(*roots, **settings):
  reader = git_history.GitHistory([str(root) for root in roots], **settings)
  return list(collected.items(reader))


def _reasons(items):
  return [
    (item.reason, item.damaged)
    for item in items
    if isinstance(item, reading.Skipped)
  ]


def _texts(items):
  return [i.text for i in items if isinstance(i, documents.RawDocument)]


def test_a_commit_is_its_message_and_diff(tmp_path):
  root = tmp_path / 'repo'
  first = stand_ins.commit(root, {'a.py': 'x = 1\n'}, 'First\n\nBody\n')
  second = stand_ins.commit(root, {'a.py': 'x = 1\ny = é'}, 'Second')
  found = _read(root, license='MIT')
  assert [item.origin for item in found] == [f'repo@{second}', f'repo@{first}']
  assert found[0].text == (
    'Second\n\ndiff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n'
    '@@ -1 +1,2 @@\n x = 1\n+y = é\n\\ No newline at end of file\n'
  )
  assert found[1].text == (
    'First\n\nBody\n\ndiff --git a/a.py b/a.py\nnew file mode 100644\n'
    '--- /dev/null\n+++ b/a.py\n@@ -0,0 +1 @@\n+x = 1\n'
  )
  assert {(item.source, item.language, item.license) for item in found} == {
    ('commits', 'diff', 'MIT')
  }
  # A bare repository gives the same.
  stand_ins.git(tmp_path, 'clone', '-q', '--bare', 'repo', 'repo.git')
  assert _read(tmp_path / 'repo.git', license='MIT') == found


def test_no_content_is_taken_for_a_line_of_git(tmp_path):
  root = tmp_path / 'repo'
  hostile = (
    'diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n\ncodelaw-end\n'
    f'{"0" * 40}\n\x1b[31m\x0c\u2028\n-- a\n++ b\n'
  )
  stand_ins.commit(root, {'a.txt': hostile}, f'Start\n\n{hostile}')
  stand_ins.commit(root, {'a.txt': hostile * 2, 'b.txt': '1\n'}, 'More')
  more, start = _texts(_read(root))
  head, _, diff = start.partition('\n\ndiff --git a/a.txt b/a.txt\n')
  assert head == f'Start\n\n{hostile}'.strip()
  added = [line[1:] for line in diff.split('\n')[4:-1]]
  assert '\n'.join(added) + '\n' == hostile
  assert more.count('\ndiff --git ') == 2


def test_names_renames_and_files_without_content(tmp_path):
  root = tmp_path / 'repo'
  lines = ''.join(f'line {i}\n' for i in range(20))
  odd = {'two\nlines.py': 'x\n', 'tab\t"é.py': 'y\n', 'spa ce.py': 'z\n'}
  stand_ins.commit(
    root, {'old.py': lines, 'run': '#!/bin/sh\n', **odd}, 'Start'
  )
  (root / 'old.py').rename(root / 'new.py')
  (root / 'run').chmod(0o755)
  (root / 'spa ce.py').unlink()
  stand_ins.commit(
    root,
    {
      'new.py': lines + 'more\n',
      'image.bin': bytes(range(256)),
      'latin.py': '# caf\xe9\n'.encode('latin-1'),
      'mac.py': 'a\rb\n',
      'crlf.py': 'a\r\nb\r\n',
      'empty.py': '',
    },
    'Change',
  )
  change, start = _texts(_read(root))
  assert 'rename from old.py\nrename to new.py\n' in change
  assert 'old mode 100644\nnew mode 100755\n' in change
  assert '+a\n+b\n' in change
  assert 'diff --git a/empty.py b/empty.py\nnew file mode 100644\n' in change
  for name in ('latin.py', 'mac.py'):
    assert (
      f'diff --git a/{name} b/{name}\nnew file mode 100644\n'
      'Binary files differ\n'
    ) in change
  assert 'Binary files /dev/null and b/image.bin differ\n' in change
  assert '+++ "b/two\\nlines.py"\n' in start
  # With a wish for languages only theirs remain.
  change, start = _texts(_read(root, languages=['python']))
  assert 'image.bin' not in change
  assert 'rename to new.py' in change
  for part in ('two\\nlines', 'tab\\t\\"é', 'spa ce', 'old.py'):
    assert part in start


def test_commits_without_a_wanted_change_are_counted(tmp_path):
  root = tmp_path / 'repo'
  stand_ins.commit(root, {'a.py': 'x\n', 'a.md': 'x\n'}, 'Both')
  stand_ins.commit(root, {'a.md': 'y\n'}, 'Text')
  stand_ins.commit(root, {}, 'Nothing')
  stand_ins.commit(root, {f'{i}.py': '' for i in range(4)}, 'Many')
  found = _read(root, languages=['python'], max_changed_files=3)
  assert _reasons(found) == [
    ('too many changed files', False),
    ('no change', False),
    ('no change of interest', False),
  ]
  (text,) = _texts(found)
  assert 'a.py' in text
  assert 'a.md' not in text


def test_long_commits_are_cut_between_files_or_left_out(tmp_path):
  root = tmp_path / 'repo'
  long = ''.join(f'line {i}\n' for i in range(30_000))
  stand_ins.commit(root, {'a.py': 'x\n', 'b.py': long, 'c.py': 'y\n'}, 'Start')
  stand_ins.commit(root, {'b.py': 'z' * 300_000}, 'One')
  limits = {'max_document_bytes': 1000}
  found = _read(root, **limits)
  assert _reasons(found) == [
    ('too large', False),
    ('last files cut off', False),
  ]
  (text,) = _texts(found)
  assert text.endswith('+++ b/a.py\n@@ -0,0 +1 @@\n+x\n')
  found = _read(root, oversized='leave_out', **limits)
  assert _reasons(found) == [('too large', False)] * 2


def test_merges_are_counted_or_compared_with_their_first_parent(tmp_path):
  root = tmp_path / 'repo'
  stand_ins.commit(root, {'a': '1\n'}, 'Start')
  stand_ins.git(root, 'checkout', '-q', '-b', 'side')
  stand_ins.commit(root, {'b': '2\n'}, 'Side')
  stand_ins.git(root, 'checkout', '-q', 'main')
  stand_ins.commit(root, {'c': '3\n'}, 'Main')
  stand_ins.git(root, 'merge', '-q', 'side', '-m', 'Merge')
  found = _read(root)
  assert _reasons(found) == [('merge', False)]
  assert len(_texts(found)) == 3
  (merge,) = (
    text
    for text in _texts(_read(root, merges='first_parent'))
    if text.startswith('Merge')
  )
  assert '+++ b/b' in merge
  assert '+++ b/c' not in merge
  assert len(_read(root, refs=['side'])) == 2
  assert len(_read(root, refs=[])) == 4


def test_messages_of_other_encodings(tmp_path):
  root = tmp_path / 'repo'
  stand_ins.commit(root, {'a': '1\n'}, 'caf\xe9'.encode('latin-1'))
  stand_ins.git(root, 'config', 'i18n.commitEncoding', 'cp1251')
  stand_ins.commit(root, {'a': '2\n'}, 'где'.encode('cp1251'))
  russian, french = _texts(_read(root))
  assert russian.startswith('где\n')
  assert french.startswith('café\n')


def test_nothing_that_a_repository_names_is_run(tmp_path):
  root = tmp_path / 'repo'
  stand_ins.commit(
    root, {'a.x': '1\n', '.gitattributes': '*.x diff=evil filter=evil\n'}, '1'
  )
  stand_ins.commit(root, {'a.x': '2\n'}, '2')
  expected = _read(root)
  script = tmp_path / 'script'
  script.write_text(f'#!/bin/sh\ntouch {tmp_path}/ran\n')
  script.chmod(0o755)
  for name in (
    'diff.external',
    'diff.evil.command',
    'diff.evil.textconv',
    'filter.evil.smudge',
    'core.pager',
    'core.fsmonitor',
    'core.sshCommand',
    'core.gitProxy',
    'gpg.program',
    'credential.helper',
    'interactive.diffFilter',
  ):
    stand_ins.git(root, 'config', name, str(script))
  for name, value in {
    'log.showSignature': 'true',
    'core.hooksPath': str(tmp_path),
    'core.worktree': '/nowhere',
    'diff.noprefix': 'true',
    'diff.renames': 'false',
    'diff.suppressBlankEmpty': 'true',
    'diff.context': '9',
    'diff.orderFile': str(script),
    'color.ui': 'always',
    'core.quotePath': 'true',
  }.items():
    stand_ins.git(root, 'config', name, value)
  attributes = root / '.git/info/attributes'
  attributes.write_text('*.x diff=evil\n')
  assert _read(root) == expected
  assert len(_texts(expected)) == 2
  assert not (tmp_path / 'ran').exists()


def test_a_promised_object_is_not_fetched(tmp_path):
  root = tmp_path / 'repo'
  stand_ins.commit(root, {'a': '1\n'}, 'One')
  stand_ins.commit(root, {'a': '2\n'}, 'Two')
  script = tmp_path / 'upload-pack'
  script.write_text(f'#!/bin/sh\ntouch {tmp_path}/ran\n')
  script.chmod(0o755)
  for name, value in {
    'core.repositoryFormatVersion': '1',
    'extensions.partialClone': 'origin',
    'remote.origin.url': str(root),
    'remote.origin.promisor': 'true',
    'remote.origin.uploadpack': str(script),
    'protocol.file.allow': 'always',
  }.items():
    stand_ins.git(root, 'config', name, value)
  _remove_object(root, 'HEAD:a')
  found = _read(root)
  assert _reasons(found) == [('git cannot read it', True)]
  assert len(_texts(found)) == 1
  assert not (tmp_path / 'ran').exists()


def _remove_object(root, name):
  id_ = stand_ins.git(root, 'rev-parse', name).decode().strip()
  path = root / '.git/objects' / id_[:2] / id_[2:]
  path.chmod(0o644)
  path.unlink()


def test_a_damaged_object_spoils_its_commits_alone(tmp_path):
  root = tmp_path / 'repo'
  for place in range(6):
    stand_ins.commit(root, {'a': f'{place}\n'}, f'Commit {place}')
  _remove_object(root, 'HEAD~2:a')
  found = _read(root)
  # One commit makes that content, the next one changes it.
  assert _reasons(found) == [('git cannot read it', True)] * 2
  assert [text[:8] for text in _texts(found)] == [
    *('Commit 5', 'Commit 2', 'Commit 1', 'Commit 0')
  ]


def test_a_broken_history_gives_what_comes_after_the_break(tmp_path):
  root = tmp_path / 'repo'
  for place in range(6):
    stand_ins.commit(root, {'a': f'{place}\n'}, f'Commit {place}')
  _remove_object(root, 'HEAD~3')
  found = _read(root)
  assert ('its history is broken', True) in _reasons(found)
  assert [text[:8] for text in _texts(found)][:2] == ['Commit 5', 'Commit 4']
  assert found[-1].origin == 'repo'


def test_shallow_clones_lack_the_parent_of_their_last_commit(tmp_path):
  root = tmp_path / 'repo'
  for place in range(4):
    stand_ins.commit(root, {'a': f'{place}\n'}, f'Commit {place}')
  stand_ins.git(
    tmp_path, 'clone', '-q', '--depth=2', f'file://{root}', 'shallow'
  )
  found = _read(tmp_path / 'shallow')
  assert _reasons(found) == [('its parent is not in a shallow clone', False)]
  assert [text[:8] for text in _texts(found)] == ['Commit 3']


def test_submodules_and_work_trees_are_read_through_their_files(tmp_path):
  root = tmp_path / 'repo'
  stand_ins.commit(root, {'a': '1\n'}, 'One')
  stand_ins.git(root, 'worktree', 'add', '-q', str(tmp_path / 'tree'))
  tree, repository = _read(tmp_path / 'tree'), _read(root)
  assert _texts(tree) == _texts(repository)
  other = tmp_path / 'other'
  stand_ins.commit(other, {'b': '1\n'}, 'Other')
  stand_ins.git(
    root, '-c', 'protocol.file.allow=always', 'submodule', 'add', str(other)
  )
  stand_ins.commit(root, {}, 'Add a module')
  assert '+Subproject commit' in _texts(_read(root))[0]
  (inner,) = _read(root / 'other')
  assert inner.text.startswith('Other\n')


def test_repositories_without_commits_and_broken_ones_are_named(tmp_path):
  (tmp_path / 'empty').mkdir()
  stand_ins.git(tmp_path / 'empty', 'init', '-q')
  broken = tmp_path / 'broken'
  stand_ins.commit(broken, {'a': '1\n'}, 'One')
  (broken / '.git/config').write_text('[core]\nrepositoryformatversion = 99\n')
  found = _read(tmp_path / 'empty', broken)
  assert [(item.origin, item.reason, item.damaged) for item in found] == [
    ('empty', 'no commits', False),
    ('broken', 'git cannot open the repository', True),
  ]


def test_repositories_of_another_owner_are_read(tmp_path):
  if os.getuid():
    pytest.skip('only root can give a folder away')
  root = tmp_path / 'repo'
  stand_ins.commit(root, {'a': '1\n'}, 'One')
  for path in (root, root / '.git'):
    os.chown(path, 12345, 12345)
  assert len(_texts(_read(root))) == 1


def test_parts_are_ranges_that_can_be_read_alone(tmp_path, monkeypatch):
  monkeypatch.setattr(git_history, '_COMMITS_PER_PART', 2)
  root = tmp_path / 'repo'
  for place in range(5):
    stand_ins.commit(root, {'a': f'{place}\n'}, f'Commit {place}')
  reader = git_history.GitHistory([str(root)])
  parts = list(reader.parts(1))
  read = [list(reader.read(part, lambda _: False)) for part in parts[::-1]]
  assert [len(part) for part in read] == [1, 2, 2]
  assert [item for part in read[::-1] for item in part] == _read(root)
  assert not list(reader.read(parts[0], lambda _: True))


@pytest.mark.parametrize(
  ('settings', 'message'),
  [
    ({'repositories': 'repo'}, 'list of folders'),
    ({'refs': ['--all']}, 'must be a list of branches'),
    ({'refs': 'HEAD'}, 'must be a list of branches'),
    ({'languages': ['klingon']}, 'klingon'),
    ({'merges': 'all'}, 'leave_out, first_parent'),
    ({'oversized': 'keep'}, 'cut, leave_out'),
    ({'max_changed_files': 0}, 'above 0'),
  ],
)
def test_mistakes_are_explained(settings, message):
  with pytest.raises(errors.UserError, match=message):
    git_history.GitHistory(**{'repositories': ['repo'], **settings})


def test_what_is_no_repository_or_no_ref_is_explained(tmp_path, monkeypatch):
  with pytest.raises(errors.UserError, match='not a git repository'):
    _read(tmp_path)
  stand_ins.commit(tmp_path / 'repo', {'a': '1\n'}, 'One')
  with pytest.raises(errors.UserError, match='names gone, which .*repo'):
    _read(tmp_path / 'repo', refs=['gone'])
  monkeypatch.setenv('PATH', str(tmp_path))
  with pytest.raises(errors.UserError, match='needs the program git'):
    _read(tmp_path / 'repo')
