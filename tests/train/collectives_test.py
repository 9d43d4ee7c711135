"""Collectives in every form that XLA writes them."""

import pytest

from codelaw.train import collectives
from codelaw.train import program_text

HEAD = 'HloModule m, num_partitions=4\n\n'


def only(body, before=''):
  text = f'{HEAD}{before}\nENTRY %main () -> f32[] {{\n{body}\n}}\n'
  found = collectives.of_program(program_text.read(text))
  assert len(found) == 1
  return found[0]


GROUPS = 'replica_groups={{0,1},{2,3}}'
X = '  %x = f32[64]{0} parameter(0)\n'


@pytest.mark.parametrize(
  ('line', 'kind', 'size', 'sent'),
  [
    (f'f32[128]{{0}} all-gather(%x), {GROUPS}', 'all-gather', 512, 256),
    (
      f'(f32[64]{{0}}, f32[128]{{0}}) all-gather-start(%x), {GROUPS}',
      'all-gather',
      512,
      256,
    ),
    (f'f32[64]{{0}} all-reduce(%x), {GROUPS}', 'all-reduce', 256, 256),
    (f'f32[64]{{0}} all-reduce-start(%x), {GROUPS}', 'all-reduce', 256, 256),
    (
      f'(f32[64]{{0}}, bf16[64]{{0}}) all-reduce(%x, %x), {GROUPS}',
      'all-reduce',
      384,
      384,
    ),
    (f'f32[32]{{0}} reduce-scatter(%x), {GROUPS}', 'reduce-scatter', 256, 128),
    (f'f32[64]{{0}} all-to-all(%x), {GROUPS}', 'all-to-all', 256, 128),
    (
      '(f32[64]{0}, f32[64]{0}, u32[]{:S(2)}, u32[]{:S(2)})'
      ' collective-permute-start(%x), source_target_pairs={{0,1},{1,0}}',
      'collective-permute',
      256,
      256,
    ),
  ],
)
def test_kind_size_and_bytes_sent(line, kind, size, sent):
  found = only(f'{X}  ROOT %c = {line}, channel_id=1')
  assert (found.kind, found.size, found.sent_bytes) == (kind, size, sent)
  assert found.times == 1


def test_a_reduce_scatter_of_tpus_is_a_fusion():
  inside = (
    '%all-reduce-scatter.2 (p: f32[64]) -> f32[32] {\n'
    '  %p = f32[64]{0} parameter(0)\n'
    f'  %all-reduce.1 = f32[64]{{0}} all-reduce(%p), {GROUPS}, to_apply=%add\n'
    '  %k = s32[] constant(0)\n'
    '  ROOT %s = f32[32]{0} dynamic-slice(%all-reduce.1, %k),'
    ' dynamic_slice_sizes={32}\n}\n'
  )
  found = only(
    f'{X}  ROOT %f = f32[32]{{0}} fusion(%x), kind=kCustom,'
    ' calls=%all-reduce-scatter.2',
    inside,
  )
  assert (found.kind, found.sent_bytes) == ('reduce-scatter', 128)


def test_a_chain_of_fusions_is_one_collective():
  def piece(name):
    return (
      f'%{name} (p: f32[64]) -> f32[128] {{\n'
      '  %p = f32[64]{0} parameter(0)\n'
      f'  ROOT %gather.{name} = f32[128]{{0}} all-gather(%p), channel_id=9,'
      f' {GROUPS}, frontend_attributes={{chain_id="3"}},'
      ' backend_config={"async_collective_fusion_config":{}}\n}\n\n'
    )

  found = only(
    f'{X}  %f = f32[128]{{0}} fusion(%x), kind=kCustom, calls=%start\n'
    '  ROOT %g = f32[128]{0} fusion(%x), kind=kCustom, calls=%done',
    piece('start') + piece('done'),
  )
  assert (found.kind, found.size) == ('all-gather', 512)


def test_one_chip_needs_no_collective():
  text = (
    f'{HEAD}ENTRY %main () -> f32[] {{\n{X}  ROOT %c = f32[64]{{0}}'
    ' all-reduce(%x), replica_groups={{0},{1},{2},{3}}\n}\n'
  )
  assert collectives.of_program(program_text.read(text)) == ()


@pytest.mark.parametrize(
  ('text', 'groups'),
  [
    ('replica_groups={}', ((0, 1, 2, 3),)),
    ('replica_groups=[1,4]<=[4]', ((0, 1, 2, 3),)),
    ('replica_groups=[2,2]<=[4]', ((0, 1), (2, 3))),
    ("replica_groups=mesh['a'=2,'b'=2] {'b'}", ((0, 1), (2, 3))),
    ("replica_groups=mesh['a'=2,'b'=2] {'b','a'}", ((0, 2, 1, 3),)),
    ("replica_groups=mesh['a'=4] {'a':(2)2}", ((0, 1), (2, 3))),
    ("replica_groups=mesh['a'=4] {'a':(1)2}", ((0, 2), (1, 3))),
    (
      "replica_groups=mesh['a'=2,'b'=2], device_ids=([2,2]T(1,0)) {'b'}",
      ((0, 2), (1, 3)),
    ),
  ],
)
def test_groups_in_every_notation(text, groups):
  assert collectives.replica_groups(text, 4) == groups


def test_an_unknown_notation_is_no_group_of_all():
  with pytest.raises(ValueError, match='no replica groups'):
    collectives.replica_groups('replica_groups=other', 4)
