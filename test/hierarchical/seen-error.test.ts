/**
 * What a compression sees of its error on whole columns, and the rounds that follow where that misses the tolerance.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { sharedInt32 } from '#hmatrix/core/shared-array.js';
import type { Matrix } from '#hmatrix/dense/matrix.js';
import { selfCommunicator } from '#hmatrix/distributed/self.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import type { CompressOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import { columnsError } from '#hmatrix/hierarchical/measure/columns-error.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import type { OwnRowsOperator } from '#hmatrix/operator/linear-operator.js';
import { RowShare } from '#hmatrix/operator/row-share.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { matern52 } from '#hmatrix/source/kernels/named.js';
import { denseOf, gaussianSource, normalPoints, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(1);
});

/** Pairs of indices. */
type Pairs = readonly (readonly [number, number])[];

/** A dense matrix over the rows of one rank, which has all of them, in one leaf. */
function onAllRows(dense: Matrix): OwnRowsOperator {
  const size = dense.rows;
  const order = sharedInt32(size);
  for (let i = 0; i < size; i++) order[i] = i;
  const dealt = { order, bounds: Int32Array.of(0, size), leaves: Int32Array.of(0, 1), ends: Int32Array.of(size) };
  return Object.assign(denseOperator(dense, true), { rowShare: new RowShare(dealt, selfCommunicator()) });
}

/** A smooth kernel matrix, in which some pairs far from each other have something in common that no other has. */
function spiked(size: number, pairs: Pairs, spike: number): EntrySource {
  const smooth = kernelSource(normalPoints(size, 2, 3), matern52(1), { blas: team.blas });
  const partners = new Map<number, number>(pairs.flatMap(([i, j]) => [[i, j] as const, [j, i] as const]));
  return {
    size,
    points: smooth.points,
    diagonal: (out) => smooth.diagonal(out),
    entries: (rows, cols, out) => {
      smooth.entries(rows, cols, out);
      for (let j = 0; j < cols.length; j++) {
        const partner = partners.get(cols[j]);
        const i = partner === undefined ? -1 : rows.indexOf(partner);
        if (i >= 0) out.data[out.offset + i + j * out.ld] += spike;
      }
    },
  };
}

describe('rounds of a compression', () => {
  const OPTIONS: CompressOptions = { tolerance: 1e-5, leafSize: 32, maxRank: 512, seed: 1 };

  it.each(['hss', 'hodlr', 'fmm'] as const)(
    '%s keeps its tolerance where single entries hold the error',
    async (format) => {
      const random = new RandomStream(5);
      const pairs: Pairs = Array.from({ length: 4 }, () => [random.integer(1000), random.integer(1000)] as const);
      const source = spiked(1000, pairs, 0.1);
      const matrix = await compress(source, { ...OPTIONS, format }, { team });
      const error = relativeError(matrix.toDense(), denseOf(source));
      expect(error).toBeLessThanOrEqual(1e-5);
      expect(matrix.report.met).toBe(true);
      expect(matrix.report.seen / error).toBeCloseTo(1, 1);
      expect(matrix.report.limits).toEqual([]);
      // The spikes alone are far more than the tolerance.
      expect((0.1 * Math.sqrt(8)) / matrix.report.norm).toBeGreaterThan(1e-4);
    },
  );

  it('does not go on where the rank limit decides', async () => {
    const source = spiked(1000, [[3, 900]], 0.1);
    let rounds = 0;
    const control = {
      team,
      onProgress: ({ phase, done }: { readonly phase: string; readonly done: number }): void => {
        if (phase === 'compare columns' && done === 1000) rounds++;
      },
    };
    const limited = await compress(source, { ...OPTIONS, maxRank: 4 }, control);
    expect(limited.report.met).toBe(false);
    expect(limited.report.limits.some(({ limit }) => limit === 'maxRank')).toBe(true);
    expect(rounds).toBe(1);
  });

  it('ends where rows do not help', async () => {
    // Entries that are never twice the same, once they were checked.
    let checked = false;
    const random = new RandomStream(9);
    const smooth = gaussianSource(400, 2, 1, team.blas);
    const noisy: EntrySource = {
      size: 400,
      points: smooth.points,
      diagonal: (out) => smooth.diagonal(out),
      entries: (rows, cols, out) => {
        smooth.entries(rows, cols, out);
        const noise = checked ? 0.01 * random.normal() : 0;
        for (let j = 0; j < cols.length; j++)
          for (let i = 0; i < rows.length; i++)
            if (rows[i] !== cols[j])
              out.data[out.offset + i + j * out.ld] += noise * Math.cos(rows[i]) * Math.cos(cols[j]);
      },
    };
    const matrix = await compress(
      noisy,
      { ...OPTIONS, leafSize: 16 },
      { team, onProgress: ({ phase }) => (checked ||= phase === 'estimate norm') },
    );
    expect(matrix.report.met).toBe(false);
    expect(matrix.report.seen).toBeGreaterThan(1e-5);
    expect(matrix.report.limits.map(({ limit }) => limit)).toContain('rows');
  });
});

describe('columnsError', () => {
  it('finds an error in two columns of a few thousand by its rows, and names them', async () => {
    const size = 2048;
    const source = gaussianSource(size, 2, 1, team.blas);
    const dense = denseOf(source);
    const norm = Math.hypot(
      ...Array.from({ length: size }, (_, j) => Math.hypot(...dense.data.subarray(j * size, (j + 1) * size))),
    );
    // One column, and with it its row, is wrong, in every hundredth entry.
    const bad = 77;
    for (let i = 0; i < size; i += 7) {
      dense.data[i + bad * size] += 1;
      if (i !== bad) dense.data[bad + i * size] += 1;
    }
    const error = relativeError(dense, denseOf(source));
    const seen = await columnsError(source, onAllRows(dense), { seed: 0, norm, unit: 1 }, { team });
    expect(seen.worst[0]).toBe(bad);
    expect(seen.relative).toBeGreaterThan(0.7 * error);
    expect(seen.relative).toBeLessThan(1.5 * error);
  });

  it('is exact up to 1024, and nothing for a matrix against itself', async () => {
    const source = gaussianSource(500, 2, 1, team.blas);
    const dense = denseOf(source);
    const setup = { seed: 0, norm: 1, unit: 1 };
    const none = await columnsError(denseSource(dense), onAllRows(dense), setup, { team });
    expect(none.relative).toBeLessThan(1e-15);
    dense.data[3 + 40 * 500] += 2;
    dense.data[40 + 3 * 500] += 2;
    const seen = await columnsError(source, onAllRows(dense), setup, { team });
    expect(seen.relative).toBeCloseTo(relativeError(dense, denseOf(source)), 12);
    expect([...seen.worst.subarray(0, 2)].sort((a, b) => a - b)).toEqual([3, 40]);
  });
});
