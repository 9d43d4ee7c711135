"""Programs in XLA's syntax, written out; real ones: compiled_program_test."""

import pytest

from codelaw.train import program_text

LOOPS = """
HloModule jit_step, is_scheduled=true, num_partitions=4

%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %sum = f32[] add(%a, %b)
}

%inner_body (p: (s32[], f32[8,128])) -> (s32[], f32[8,128]) {
  %p = (s32[]{:T(128)}, f32[8,128]{1,0:T(8,128)}) parameter(0)
  ROOT %copied = (s32[], f32[8,128]{1,0}) copy(%p)
}

%inner_condition (q: (s32[], f32[8,128])) -> pred[] {
  %q = (s32[], f32[8,128]{1,0}) parameter(0)
  %bound = s32[]{:T(128)} constant(7)
  %k = s32[] get-tuple-element(%q), index=0
  ROOT %less = pred[] compare(%k, %bound), direction=LT
}

%outer_body (r: (s32[], f32[8,128])) -> (s32[], f32[8,128]) {
  %r = (s32[], /*index=1*/f32[8,128]{1,0}) parameter(0)
  %from = s32[] constant(2)
  %from_copy = s32[] copy(%from)
  %x = f32[8,128]{1,0} get-tuple-element(%r), index=1
  %start = (s32[], f32[8,128]{1,0}) tuple(%from_copy, %x)
  ROOT %inner = (s32[], f32[8,128]{1,0}) while(%start), \
condition=%inner_condition, body=%inner_body
}

%outer_condition (s: (s32[], f32[8,128])) -> pred[] {
  %s = (s32[], f32[8,128]{1,0}) parameter(0)
  ROOT %always = pred[] constant(true)
}

ENTRY %main (x0: (s32[], f32[8,128])) -> (s32[], f32[8,128]) {
  %x0 = (s32[], f32[8,128]{1,0}) parameter(0)
  ROOT %outer = (s32[], f32[8,128]{1,0}) while(%x0), \
condition=%outer_condition, body=%outer_body, \
backend_config={"known_trip_count":{"n":"3"},"other":{}}
}
"""


def test_bodies_run_as_often_as_the_loops_around_them_turn():
  program = program_text.read(LOOPS)
  assert program.entry == 'main'
  assert program.num_partitions == 4
  assert program.executions == {
    'main': 1,
    'outer_body': 3,
    'inner_body': 3 * (7 - 2),
  }
  assert program.unknown_loops() == ()


def test_a_loop_of_unknown_length_is_named_and_counts_once():
  text = LOOPS.replace('"known_trip_count":{"n":"3"},', '')
  program = program_text.read(text)
  assert program.executions['outer_body'] == 1
  assert program.unknown_loops() == ('outer',)


def test_what_an_instruction_makes_and_takes():
  program = program_text.read(LOOPS)
  body = program.computations['outer_body']
  inner = body.instructions['inner']
  assert inner.opcode == 'while'
  assert inner.operands == ('start',)
  assert inner.is_root
  assert [array.dims for array in inner.results] == [(), (8, 128)]
  assert [user.name for user in body.users['x']] == ['start']


@pytest.mark.parametrize(
  ('array', 'num_bytes', 'padded', 'in_hbm'),
  [
    (program_text.Array('f32', (8, 128), '1,0:T(8,128)'), 4096, 4096, True),
    # The axis of 8 is filled up to 128 lanes.
    (program_text.Array('f32', (128, 8), '1,0:T(8,128)'), 4096, 65536, True),
    (program_text.Array('f32', (128, 8), '0,1:T(8,128)'), 4096, 4096, True),
    (
      program_text.Array('bf16', (3, 100), '1,0:T(8,128)(2,1)S(1)'),
      600,
      8 * 128 * 2,
      False,
    ),
    (program_text.Array('pred', (), ':T(512)'), 1, 1, True),
    (program_text.Array('s4', (16,), ''), 8, 8, True),
    (program_text.Array('token', (), ''), 0, 0, True),
  ],
)
def test_bytes_of_an_array(array, num_bytes, padded, in_hbm):
  assert array.num_bytes == num_bytes
  assert array.padded_bytes == padded
  assert array.in_hbm == in_hbm


def test_other_text_is_refused():
  with pytest.raises(ValueError, match='no ENTRY'):
    program_text.read('module @jit_step {}')
