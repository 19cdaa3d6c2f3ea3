/** Compressions from products that follow each other multiply once, and give the same bits as if they had not. */
import { describe, expect, it } from 'vitest';
import { compressProducts } from '#hmatrix/hierarchical/from-products/compress.js';
import { KeptProducts } from '#hmatrix/hierarchical/from-products/kept-products.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';
import { buildClusterTree } from '#hmatrix/tree/build.js';
import { denseOf, normalPoints } from '../support.js';
import { sharedTeam } from '../teams.js';

describe('products_kept_for_the_next_compression', () => {
  it('give_the_same_bits_and_are_not_made_again', async () => {
    const team = await sharedTeam(2);
    // A matrix beyond the range of squares too: products are scaled.
    for (const [count, scale] of [
      [400, 1],
      [400, 1e-180],
      [90, 1],
    ]) {
      const source = kernelSource(normalPoints(2, count, 1), gaussian(0.4));
      const a = denseOf(source);
      for (let k = 0; k < a.data.length; k++) a.data[k] *= scale;
      let vectors = 0;
      const inner = denseOperator(a, true, { blas: team.blas });
      const operator: LinearOperator = {
        ...inner,
        applyUnchecked: (out, x, alpha, beta) => {
          vectors += x.cols;
          inner.applyUnchecked(out, x, alpha, beta);
        },
      };
      const tree = await buildClusterTree(source, 'geometric', { leafSize: 16 }, { team });
      const other = await buildClusterTree(source, 'lexicographic', { leafSize: 16 }, { team });
      const kept = new KeptProducts();
      const made = async (tolerance: number, using?: KeptProducts, { seed = 0, on = tree } = {}) => {
        const options = { format: 'hss', maxRank: 24, tolerance, seed } as const;
        const before = vectors;
        const matrix = await compressProducts(operator, on, options, { team }, using);
        return { values: matrix.data.values.slice(), products: vectors - before, report: matrix.report.products };
      };
      const first = await made(1e-2, kept);
      for (const tolerance of [1e-2, 1e-4, 0.3]) {
        const [own, again] = [await made(tolerance), await made(tolerance, kept)];
        expect(again.values).toEqual(own.values);
        expect(again.report.error).toEqual(own.report.error);
        expect([own.products, again.products, again.report.products]).toEqual([first.products, 0, 0]);
      }
      // Another seed or another tree has other products.
      expect((await made(1e-2, kept, { seed: 1 })).products).toBe(first.products);
      expect((await made(1e-2, kept, { on: other })).products).toBe(first.products);
    }
  });
});
