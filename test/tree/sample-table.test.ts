/** Distances among a sample, kept: those of the distance itself, by ranks. */
import { beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { view } from '#hmatrix/dense/matrix.js';
import { runAlone } from '#hmatrix/parallel/parts.js';
import type { Team } from '#hmatrix/parallel/team.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { DISTANCE_TABLE, type SearchedName } from '#hmatrix/tree/distances/table.js';
import type { Distance } from '#hmatrix/tree/distances/distance.js';
import { SampleTable } from '#hmatrix/tree/distances/sample-table.js';
import { sharedTeam } from '../teams.js';
import { normalPoints } from './sources.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(1);
});

/** A matrix of rank 8 with a zero on its diagonal, and a sample of its indices. */
function setUp(name: SearchedName, count: number): { distance: Distance; sample: Int32Array } {
  const points = normalPoints(500, 8, 1);
  points.coordinates.fill(0, 8 * 17, 8 * 18);
  const x = view(points.coordinates, 0, 8, 500);
  const k = view(new Float64Array(500 * 500), 0, 500, 500);
  team.blas.gemm('T', 'N', 1, x, x, 0, k);
  const stored = denseSource(k);
  // Without a descriptor: this thread's.
  const source: EntrySource = {
    size: 500,
    entries: (rows, cols, out) => stored.entries(rows, cols, out),
    diagonal: (out) => stored.diagonal(out),
  };
  const form = DISTANCE_TABLE[name];
  const context = { blas: team.blas, worker: 0, workers: 1, modules: () => ({}), runParts: runAlone };
  const sample = Int32Array.from({ length: 500 }, (_, i) => i);
  new RandomStream(3).shuffle(sample);
  // With the zero row.
  sample[sample.indexOf(17)] = sample[0];
  sample[0] = 17;
  return { distance: form.open(form.prepare(source).data, context), sample: sample.slice(0, count) };
}

/** Where numbers differ by more than `bound`, to those above one. */
const farApart = (a: Float64Array, b: Float64Array, bound: number): number[] =>
  Array.from(a.keys()).filter((k) => !(Math.abs(a[k] - b[k]) < bound * (1 + Math.abs(b[k]))));

describe.each(['angle', 'gram'] as const)('a table of %s distances', (name) => {
  it.each([2, 63, 64, 65, 300])('of %i members has the distances of the members', (count) => {
    const { distance, sample } = setUp(name, count);
    expect(distance.tabulated).toBe(true);
    const table = new SampleTable(distance);
    // Twice: the second sample takes the place of a larger one.
    table.take(setUp(name, 400).sample);
    const ranks = sample.slice();
    table.take(ranks);
    expect([...ranks].map((rank) => table.ids[rank])).toEqual([...sample]);
    expect([...table.ids]).toEqual([...sample].sort((a, b) => a - b));

    const block = (by: Distance, members: Int32Array): Float64Array => {
      const out = view(new Float64Array(count * count), 0, count, count);
      by.load(members, members);
      by.between(0, 0, out);
      return out.data as Float64Array;
    };
    const [kept, own] = [block(table, ranks), block(distance, sample)];
    expect(farApart(kept, own, 1e-13)).toEqual([]);
    const mean = new Float64Array(count);
    const other = new Float64Array(count);
    const half = count >> 1;
    table.fromMean(ranks.subarray(0, half), ranks, mean, 0);
    distance.fromMean(sample.subarray(0, half), sample, other, 0);
    expect(farApart(mean, other, 1e-12)).toEqual([]);
    table.toTwo(ranks[0], ranks[1], ranks, mean, 0);
    distance.toTwo(sample[0], sample[1], sample, other, 0);
    expect(farApart(mean, other, 1e-12)).toEqual([]);
  });

  it('evaluates each pair about once', () => {
    const { distance, sample } = setUp(name, 300);
    let evaluated = 0;
    const counting: Distance = {
      tabulated: true,
      sampleSize: distance.sampleSize,
      load: (rows, cols) => {
        distance.load(rows, cols);
      },
      between: (row, col, out) => {
        evaluated += out.rows * out.cols;
        distance.between(row, col, out);
      },
      toTwo: () => expect.unreachable(),
      fromMean: () => expect.unreachable(),
    };
    new SampleTable(counting).take(sample);
    expect(evaluated).toBeLessThan(0.65 * 300 * 300);
  });
});
