"""The tuple classes that MultiPL-E's Java problems import.

Those programs say `import org.javatuples.*` and use `Pair` and its longer
kin. The classes are written here from their names and methods, so that no
library has to be installed: immutable, compared by their values.
"""

_NAMES = (
  'Unit',
  'Pair',
  'Triplet',
  'Quartet',
  'Quintet',
  'Sextet',
  'Septet',
  'Octet',
  'Ennead',
  'Decade',
)
_PACKAGE = 'org.javatuples'


def sources(program: str) -> dict[str, str]:
  """The files of the package, by path; none for a program without it."""
  if _PACKAGE not in program:
    return {}
  return {
    f'org/javatuples/{name}.java': _source(name, size)
    for size, name in enumerate(_NAMES, 1)
  }


def _source(name: str, size: int) -> str:
  letters = [chr(ord('A') + place) for place in range(size)]
  types = f'<{", ".join(letters)}>'
  fields = [f'value{place}' for place in range(size)]
  parameters = ', '.join(
    f'{letter} {field}' for letter, field in zip(letters, fields, strict=True)
  )
  values = ', '.join(fields)
  lines = [
    f'package {_PACKAGE};',
    '',
    'import java.util.Arrays;',
    'import java.util.Iterator;',
    'import java.util.List;',
    '',
    f'public final class {name}{types} implements Iterable<Object> {{',
  ]
  for letter, field in zip(letters, fields, strict=True):
    lines += [f'  private final {letter} {field};']
  lines += [f'  public {name}({parameters}) {{']
  lines += [f'    this.{field} = {field};' for field in fields]
  lines += [
    '  }',
    f'  public static {types} {name}{types} with({parameters}) {{',
    f'    return new {name}{types}({values});',
    '  }',
  ]
  for place, letter in enumerate(letters):
    argument = f'new{letter}'
    changed = [*fields]
    changed[place] = argument
    of = f'<{", ".join([*letters[:place], "X", *letters[place + 1 :]])}>'
    lines += [
      f'  public {letter} getValue{place}() {{ return value{place}; }}',
      f'  public <X> {name}{of} setAt{place}(X {argument}) {{',
      f'    return new {name}{of}({", ".join(changed)});',
      '  }',
    ]
  return '\n'.join(
    [
      *lines,
      f'  public int getSize() {{ return {size}; }}',
      '  public Object getValue(int place) { return toList().get(place); }',
      '  public List<Object> toList() {',
      f'    return Arrays.asList(new Object[] {{ {values} }});',
      '  }',
      '  public boolean contains(Object value) {',
      '    return toList().contains(value);',
      '  }',
      '  @Override public Iterator<Object> iterator() {',
      '    return toList().iterator();',
      '  }',
      '  @Override public boolean equals(Object other) {',
      f'    return other instanceof {name}',
      f'        && toList().equals((({name}<{", ".join("?" * size)}>) other)'
      '.toList());',
      '  }',
      '  @Override public int hashCode() { return toList().hashCode(); }',
      '  @Override public String toString() { return toList().toString(); }',
      '}',
      '',
    ]
  )
