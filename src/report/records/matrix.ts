/**
 * Charts of a hierarchical matrix itself: its blocks, ranks and memory; and, where they are asked for, singular values
 * of its blocks and the density of its eigenvalues.
 */
import { throwIfAborted, type RunControl } from '../../core/context.js';
import { FactorizationError } from '../../core/errors.js';
import { levelOf } from '../../core/indices.js';
import { defaultBlas } from '../../dense/default-blas.js';
import { zeros } from '../../dense/matrix.js';
import { blockErrors } from '../../hierarchical/matrix/block-errors.js';
import { blockStructure } from '../../hierarchical/matrix/block-structure.js';
import type { HierarchicalMatrix } from '../../hierarchical/matrix/hierarchical-matrix.js';
import { spectralDensity } from '../../krylov/spectral-density.js';
import type { EntrySource } from '../../source/entry-source.js';
import { plainPower, type Chart, type Curve, type CurveChart } from '../charts/chart.js';
import { blocksChart, partsChart, rankChart } from './measures.js';

/** What is computed for pictures of a matrix. */
export interface MatrixPictures {
  /** The matrix that was compressed: the error of each block is then told. */
  readonly source?: EntrySource | undefined;
  /** Whether one block of each level is shown by its singular values. Default false. */
  readonly singularValues?: boolean | undefined;
  /** Whether the density of the eigenvalues is estimated, by some 1,600 products. Default false. */
  readonly spectrum?: boolean | undefined;
  /** Default 0. Seeds the columns that are compared, and the probes of the density. */
  readonly seed?: number | undefined;
}

/** Rows and columns of a block whose singular values are computed, at most. */
const MOST_SIDE = 1024;

/** Of each level the far pair of the largest rank, among those that are not too large. */
function chosenPairs({
  data,
}: HierarchicalMatrix): { readonly level: number; readonly α: number; readonly β: number }[] {
  const { tree, lists, skeletons } = data;
  const rank = (ν: number): number => skeletons.begin[ν + 1] - skeletons.begin[ν];
  const chosen = new Map<number, { level: number; α: number; β: number }>();
  for (let f = 0; 2 * f < lists.far.length; f++) {
    const [α, β] = [lists.far[2 * f], lists.far[2 * f + 1]];
    const side = Math.max(tree.end[α] - tree.begin[α], tree.end[β] - tree.begin[β]);
    const before = chosen.get(levelOf(α));
    const larger = before === undefined || Math.min(rank(α), rank(β)) > Math.min(rank(before.α), rank(before.β));
    if (side <= MOST_SIDE && larger) chosen.set(levelOf(α), { level: levelOf(α), α, β });
  }
  return [...chosen.values()].sort((a, b) => a.level - b.level);
}

/** The singular values of K̃(α, β), by its products with the columns of β. */
function singularValues(matrix: HierarchicalMatrix, α: number, β: number): Float64Array {
  const { tree } = matrix.data;
  const [rows, cols] = [
    tree.order.subarray(tree.begin[α], tree.end[α]),
    tree.order.subarray(tree.begin[β], tree.end[β]),
  ];
  const units = zeros(matrix.size, cols.length);
  cols.forEach((j, t) => {
    units.data[j + t * matrix.size] = 1;
  });
  const { data } = matrix.apply(units);
  const block = zeros(rows.length, cols.length);
  for (let t = 0; t < cols.length; t++)
    rows.forEach((i, s) => {
      block.data[s + t * rows.length] = data[i + t * matrix.size];
    });
  const values = new Float64Array(Math.min(rows.length, cols.length));
  const info = defaultBlas().gesdd(block, values, null, null);
  if (info !== 0)
    throw new FactorizationError(`The singular values of a block did not converge (info ${info}).`, { info });
  return values;
}

async function singularChart(matrix: HierarchicalMatrix, { signal }: RunControl): Promise<Chart[]> {
  const curves: Curve[] = [];
  for (const { level, α, β } of chosenPairs(matrix)) {
    await new Promise(setImmediate);
    throwIfAborted(signal);
    const values = singularValues(matrix, α, β);
    const { begin } = matrix.data.skeletons;
    const rank = Math.min(begin[α + 1] - begin[α], begin[β + 1] - begin[β]);
    // Beyond the rank there is rounding alone.
    const points = Array.from(values.subarray(0, rank), (y, k) => ({ x: k + 1, y }));
    if (points.length > 0) curves.push({ name: `level ${level}`, points });
  }
  if (curves.length === 0) return [];
  return [
    {
      kind: 'curves',
      id: 'singular-values',
      title: 'Singular values of blocks',
      alt:
        `The singular values of one block of each of ${curves.length} levels, the one of the largest rank: ` +
        curves.map(({ name, points }) => `${name} has ${points.length}`).join(', '),
      caption: `Of each level the block of the largest rank, of those with at most ${MOST_SIDE} rows.`,
      x: { label: 'number', whole: true },
      y: { label: 'singular value', scale: 'log' },
      curves,
    },
  ];
}

async function densityChart(matrix: HierarchicalMatrix, seed: number, control: RunControl): Promise<CurveChart> {
  const { grid, density, width } = await spectralDensity(matrix, { seed }, control);
  const points = Array.from(grid, (x, k) => ({
    x,
    y: density.value[k],
    low: density.lower[k],
    high: density.upper[k],
  }));
  return {
    kind: 'curves',
    id: 'spectrum',
    title: 'Density of the eigenvalues',
    alt: `The density of the eigenvalues between ${plainPower(grid[0])} and ${plainPower(grid[grid.length - 1])}.`,
    caption: `Smoothed over a width of ${plainPower(width)}; the band is a 95 % interval at each point (seed ${seed}).`,
    x: { label: 'eigenvalue' },
    y: { label: 'share of the eigenvalues per unit', fromZero: true },
    curves: [{ name: 'density', shape: 'line', points }],
  };
}

/** The charts of a matrix, and of what its `factors` take in bytes. Throws what its products and the source throw. */
export async function matrixCharts(
  matrix: HierarchicalMatrix,
  options: MatrixPictures,
  control: RunControl,
  factors = 0,
): Promise<Chart[]> {
  const { source, spectrum = false, seed = 0 } = options;
  const { bytes, share, ...parts } = matrix.memory();
  const errors = source === undefined ? undefined : await blockErrors(matrix, source, { seed }, control);
  const ranks = matrix.ranks();
  return [
    blocksChart({ ...blockStructure(matrix), errors }),
    ...(ranks.length === 0 ? [] : [rankChart(ranks)]),
    partsChart(parts, { bytes, share }, factors),
    ...(options.singularValues === true ? await singularChart(matrix, control) : []),
    ...(spectrum ? [await densityChart(matrix, seed, control)] : []),
  ];
}
