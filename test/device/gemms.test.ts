/** Which products cuBLAS multiplies, by which calls, and which are left to our own kernels. */
import { describe, expect, it } from 'vitest';
import { BlockRowsBuilder } from '#hmatrix/device/block-rows.js';
import {
  chooseAllGemms,
  chooseGemms,
  GEMM_LEAST,
  largeTargets,
  productsOfRows,
  type GemmCall,
  type OpenCublas,
} from '#hmatrix/device/cuda/gemms.js';
import type { ProductTarget } from '#hmatrix/device/work/products.js';
import { block, products, targetAt } from './gemm-targets.js';

const formsOf = ({ calls }: { readonly calls: readonly GemmCall[] }): string[] => calls.map(({ form }) => form);

describe('chooseGemms', () => {
  const withGroups = () => ({ hasGroups: true });
  const never = () => {
    throw new Error('cuBLAS was opened.');
  };

  it('leaves_small_products_to_our_own_kernels_and_opens_nothing_for_them', () => {
    const few = [0, 1, 2].map((i) => targetAt([i * 10_000, i * 10_000, i * 10_000], 64, 64, 128));
    for (const targets of [few, [targetAt([0, 0, 0], 63, 4096, 4096)], [targetAt([0, 0, 0], 4096, 4096, 127)]]) {
      const work = products(targets);
      expect(chooseGemms(work, GEMM_LEAST, never)).toEqual({ calls: [], rest: work });
    }
    const empty = products([{ ...targetAt([0, 0, 0], 512, 512, 512), terms: [] }]);
    expect(chooseGemms(empty, GEMM_LEAST, never).rest).toBe(empty);
  });

  it('takes_one_product_or_many_of_a_shape_from_so_many_flops_on', () => {
    // 2·512·512·256 flops are 2²⁷.
    expect(formsOf(chooseGemms(products([targetAt([0, 0, 0], 512, 512, 256)]), GEMM_LEAST, withGroups))).toEqual([
      'one',
    ]);
    expect(chooseGemms(products([targetAt([0, 0, 0], 512, 512, 255)]), GEMM_LEAST, never).calls).toEqual([]);
    const many = (places: (i: number) => readonly number[]): ProductTarget[] =>
      Array.from({ length: 128 }, (_, i) => targetAt(places(i), 64, 64, 128));
    const regular = chooseGemms(products(many((i) => [5, 20_000 * i, 7 + 9000 * i])), GEMM_LEAST, withGroups);
    expect(regular.calls).toMatchObject([
      { form: 'strided', counts: [128], strides: [0, 20_000, 9000], flops: 2 ** 27, swapped: false },
    ]);
    expect(regular.rest.targets).toEqual([]);
    const listed = chooseGemms(products(many((i) => [i * i * 10_000, 20_000 * i, 9000 * i])), GEMM_LEAST, withGroups);
    expect(formsOf(listed)).toEqual(['batched']);
    // Backwards is no stride.
    const backwards = chooseGemms(products(many((i) => [0, 20_000 * i, 9000 * (200 - i)])), GEMM_LEAST, withGroups);
    expect(formsOf(backwards)).toEqual(['batched']);
    expect(chooseGemms(products(many(() => [0, 0, 0]).slice(1)), GEMM_LEAST, never).calls).toEqual([]);
  });

  it('groups_large_products_of_many_shapes_where_the_library_can', () => {
    const targets = Array.from({ length: 128 }, (_, i) => targetAt([0, 0, 1e6 * i], 64 + i, 80, 128));
    const small = targetAt([0, 0, 0], 8, 8, 8);
    const grouped = chooseGemms(products([...targets, small]), GEMM_LEAST, withGroups);
    expect(formsOf(grouped)).toEqual(['grouped']);
    expect(grouped.calls[0].counts).toEqual(targets.map(() => 1));
    expect(grouped.rest.targets).toEqual([small]);
    const work = products([...targets, small]);
    expect(chooseGemms(work, GEMM_LEAST, () => ({ hasGroups: false })).rest).toBe(work);
    expect(chooseGemms(work, GEMM_LEAST, () => undefined)).toEqual({ calls: [], rest: work });
  });

  it('goes_through_the_terms_of_a_sum_and_strips_of_a_triangle', () => {
    const target = targetAt([0, 0, 0], 1024, 1024, 128);
    const terms = [0, 1].map((t) => ({ ...target.terms[0], a: block(t * 2 ** 20, 1024) }));
    const sums = chooseGemms(products([{ ...target, terms }], 1, 0.5), GEMM_LEAST, withGroups);
    expect(sums.calls.map(({ goesOn, offsets }) => [goesOn, offsets[0][0]])).toEqual([
      [false, 0],
      [true, 2 ** 20],
    ]);
    const triangle = { ...targetAt([3, 5, 7], 1200, 1100, 1000), lower: true };
    const { calls, rest } = chooseGemms(products([triangle]), GEMM_LEAST, withGroups);
    expect(calls.map(({ shapes: [{ m, n }], offsets }) => [m, n, ...offsets[0]])).toEqual([
      [1200, 512, 3, 5, 7],
      [688, 512, 3 + 512, 5 + 512 * 1000, 7 + 512 + 512 * 1200],
    ]);
    expect(rest.targets).toMatchObject([
      { c: { offset: 7 + 1024 + 1024 * 1200 }, rows: 176, columns: 76, lower: true, terms: [{ depth: 1000 }] },
    ]);
  });

  it('takes_all_large_targets_of_block_rows_or_none', () => {
    // Leaves in a row, each beside itself and its neighbors: the first and the last are of other shapes.
    const [leaves, size] = [8, 256];
    const builder = new BlockRowsBuilder(true, -1);
    let offset = 0;
    for (let leaf = 0; leaf < leaves; leaf++) {
      const near = [leaf, leaf - 1, leaf + 1].filter((one) => one >= 0 && one < leaves);
      const terms = near.map((one) => {
        offset += size * size;
        return { offset, ld: size, transposed: one < leaf, source: one * size, terms: size };
      });
      builder.add((leaves + leaf) * size, size, terms);
    }
    builder.add(0, 300, [], new Int32Array(300).fill(-1));
    builder.add(0, 300, [{ offset: 0, ld: 300, transposed: false, source: 0, terms: 300 }], new Int32Array(300));
    const rows = builder.build();
    expect(largeTargets(rows, GEMM_LEAST)).toEqual([...Array<boolean>(leaves).fill(true), false, false]);
    const large = Array.from({ length: leaves }, (_, b) => b);
    const callsFor = (width: number, open: OpenCublas = withGroups): readonly GemmCall[] =>
      chooseAllGemms(productsOfRows(rows, large, width), GEMM_LEAST, open);
    // Of 22 blocks, with 512 vectors 2²⁶ flops each, which is worth four calls.
    expect(callsFor(512).map(({ form, counts, swapped, goesOn }) => [form, ...counts, swapped, goesOn])).toEqual([
      ['batched', 8, true, false],
      ['one', 1, true, true],
      ['strided', 7, true, true],
      ['strided', 6, true, true],
    ]);
    expect(callsFor(512)[0].shapes).toEqual([
      { m: 512, n: 256, k: 256, transposed: [false, true], ld: [512, 256, 512] },
    ]);
    expect(callsFor(63, never)).toEqual([]);
    expect(callsFor(64)).toEqual([]);
    expect(callsFor(512, () => undefined)).toEqual([]);
  });

  it('groups_targets_of_block_rows_that_are_of_many_shapes', () => {
    const builder = new BlockRowsBuilder(false);
    for (let b = 0; b < 20; b++)
      builder.add(1000 + 300 * b, 200 + b, [{ offset: 0, ld: 300, transposed: false, source: 0, terms: 250 }]);
    const work = productsOfRows(
      builder.build(),
      Array.from({ length: 20 }, (_, b) => b),
      512,
    );
    expect(chooseAllGemms(work, GEMM_LEAST, withGroups).map(({ form, counts }) => [form, counts.length])).toEqual([
      ['grouped', 20],
    ]);
    expect(chooseAllGemms(work, GEMM_LEAST, () => ({ hasGroups: false }))).toEqual([]);
  });
});
