/**
 * Columns of K, or signed sums of a few of them, against those of its approximations: the measure behind every error
 * this library states. Norms, not their squares, are summed up, so that neither entries of 1e-200 nor of
 * 1e160 leave the range.
 */
import { sharedFloat64 } from '../../core/shared-array.js';
import { inLargePages } from '../../dense/large-pages.js';
import { view, type Matrix } from '../../dense/matrix.js';
import { norm } from '../../dense/norm.js';
import { gatherPortions, ownPortion } from '../../distributed/portion.js';
import { awaitTogether } from '../../distributed/together.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { defineTask } from '../../parallel/task.js';
import { independentTasks } from '../../parallel/task-graph.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { holding, type EntrySource } from '../../source/entry-source.js';
import { openHandle, sourceState, type SourceHandle } from '../../source/share-source.js';

/** Rows evaluated at a time. */
export const PANEL = 512;
/**
 * Vectors at a time: fewer where so many would take more bytes, but never fewer than the least. A product holds five
 * numbers for each.
 */
const MOST_AT_ONCE = 64;
const LEAST_AT_ONCE = 4;
const BYTES_AT_ONCE = 2 ** 25;

/** How many vectors of N numbers are multiplied and compared at a time. */
export const vectorsToCompare = (size: number): number =>
  Math.min(MOST_AT_ONCE, Math.max(LEAST_AT_ONCE, Math.floor(BYTES_AT_ONCE / (8 * size))));

/**
 * Vectors v_g = Σ_t c_t e_{j_t} of `size` columns each, those of vector g from g·size on; an index may stand there
 * more than once.
 */
export interface ColumnVectors {
  readonly columns: Int32Array;
  readonly coefficients: Float64Array;
  readonly size: number;
}

/** The unit vectors of columns. */
export const unitVectors = (columns: Int32Array): ColumnVectors => ({
  columns,
  coefficients: new Float64Array(columns.length).fill(1),
  size: 1,
});

interface ColumnState {
  readonly source: SourceHandle;
  readonly size: number;
  /** The rows that are compared, or undefined for all. */
  readonly only: Int32Array | undefined;
  /** Most vectors of a batch, and the columns of each. */
  readonly width: number;
  readonly group: number;
  /** K̃·v of each vector of the batch, size × vectors, of each approximation. */
  readonly approximations: readonly Float64Array[];
  /**
   * Norms of a batch, panel by panel: of each vector those of its columns of K, then those of (K − K̃)v; put together
   * in panel order.
   */
  readonly partial: Float64Array;
  /** Σ_v (unit·(K − K̃)v)_i² for each row i, of each approximation: added to. Empty where they are not wanted. */
  readonly rows: readonly Float64Array[];
  /** Σ (unit·K_ij)² over the columns j ≠ i of all vectors, for each row i: added to. Empty where it is not wanted. */
  readonly couplings: Float64Array;
  readonly unit: number;
}

/** Norms of K(panel, columns) and of (K − K̃)v(panel). */
export const sumColumns = defineTask<
  ColumnState,
  { readonly columns: Int32Array; readonly coefficients: Float64Array; readonly firstPanel: number }
>(import.meta.url, 'sumColumns', (state, context) => {
  const source = openHandle(state.source, context);
  const { size, only, width, group, approximations, partial, rows: rowSums, couplings, unit } = state;
  const height = only?.length ?? size;
  const scratch = new Float64Array(PANEL * width * group);
  const image = new Float64Array(PANEL);
  const difference = new Float64Array(PANEL);
  const rows = new Int32Array(PANEL);
  const norms = group + approximations.length;
  return (task, { columns, coefficients, firstPanel }) => {
    const panel = firstPanel + task;
    const vectors = columns.length / group;
    const first = panel * PANEL;
    const count = Math.min(PANEL, height - first);
    for (let i = 0; i < count; i++) rows[i] = only === undefined ? first + i : only[first + i];
    source.entries(rows.subarray(0, count), columns, view(scratch, 0, count, columns.length));
    for (let g = 0; g < vectors; g++) {
      const at = norms * (panel * vectors + g);
      image.fill(0, 0, count);
      for (let t = 0; t < group; t++) {
        const from = (g * group + t) * count;
        const c = coefficients[g * group + t];
        partial[at + t] = norm(view(scratch, from, count, 1));
        for (let i = 0; i < count; i++) image[i] += c * scratch[from + i];
        if (couplings.length === 0) continue;
        const j = columns[g * group + t];
        for (let i = 0; i < count; i++) if (rows[i] !== j) couplings[rows[i]] += (unit * scratch[from + i]) ** 2;
      }
      for (let k = 0; k < approximations.length; k++) {
        const values = approximations[k];
        for (let i = 0; i < count; i++) difference[i] = image[i] - values[rows[i] + g * size];
        partial[at + group + k] = norm(view(difference, 0, count, 1));
        if (rowSums.length === 0) continue;
        const sums = rowSums[k];
        for (let i = 0; i < count; i++) sums[rows[i]] += (unit * difference[i]) ** 2;
      }
    }
  };
});

/** What K̃·v is computed in: `values`, size × vectors of a batch, over shared memory. */
export interface VectorsToCompare {
  readonly values: Float64Array;
  readonly evaluate: (batch: ColumnVectors) => void;
}

/**
 * Products of an operator with batches of at most `width` such vectors. `units` (rows × width, zero before and after)
 * may serve several operators.
 */
export function comparing(operator: LinearOperator, units: Matrix): VectorsToCompare {
  const { data, rows } = units;
  const values = inLargePages(sharedFloat64(rows * units.cols));
  return {
    values,
    evaluate: ({ columns, coefficients, size }) => {
      const vectors = columns.length / size;
      columns.forEach((j, t) => {
        data[j + Math.floor(t / size) * rows] += coefficients[t];
      });
      operator.applyUnchecked(view(values, 0, rows, vectors), view(data, 0, rows, vectors), 1, 0);
      columns.forEach((j, t) => {
        data[j + Math.floor(t / size) * rows] = 0;
      });
    },
  };
}

/** Norms of columns, and of what approximations miss of the vectors. */
export interface ColumnNorms {
  /** ‖K e_j‖ for each column of the vectors, in their order. */
  readonly exact: Float64Array;
  /** ‖(K − K̃)v‖ for each vector, of each approximation. */
  readonly errors: readonly Float64Array[];
}

/** How norms of columns are computed. */
export interface NormsSetup {
  /** Vectors at a time. */
  readonly width: number;
  /** Squares of the differences' entries times `unit` are added to these, for each approximation (shared arrays). */
  readonly rows?: readonly Float64Array[] | undefined;
  /** Squares of K's entries times `unit`, but for the diagonal's, are added to this (shared), row by row. */
  readonly couplings?: Float64Array | undefined;
  /** Default: all rows are compared. Distinct (a shared array). */
  readonly only?: Int32Array | undefined;
  /** Default 1. */
  readonly unit?: number | undefined;
  /** The name under which progress is reported. */
  readonly phase: string;
}

/**
 * The norms of columns and of differences; K is evaluated once for all approximations. Throws AbortedError and what the
 * source throws.
 */
export async function columnNorms(
  source: EntrySource,
  vectors: ColumnVectors,
  approximations: readonly VectorsToCompare[],
  { width, rows = [], couplings = new Float64Array(0), only, unit = 1, phase }: NormsSetup,
  control: TeamControl,
): Promise<ColumnNorms> {
  const { team } = control;
  const { size: group } = vectors;
  const count = vectors.columns.length / group;
  const panels = Math.ceil((only?.length ?? source.size) / PANEL);
  // Each rank of several compares its panels of rows.
  const { communicator } = team;
  const own = only === undefined ? ownPortion(communicator, panels) : { first: 0, end: panels };
  const graph = independentTasks(own.end - own.first);
  const compared = (): Int32Array[] => {
    const end = Math.min(source.size, PANEL * own.end);
    const rows = only ?? Int32Array.from({ length: end - PANEL * own.first }, (_, r) => PANEL * own.first + r);
    return [rows, vectors.columns];
  };
  const held = await holding(source, compared, control);
  const { handle, modules, solo } = sourceState(held);
  const norms = group + approximations.length;
  const partial = sharedFloat64(norms * panels * width);
  const exact = new Float64Array(vectors.columns.length);
  const errors = approximations.map(() => new Float64Array(count));
  // Shared once for all batches: every worker opens the source once.
  const shared = await team.share<ColumnState>(
    {
      source: handle,
      size: source.size,
      only,
      width,
      group,
      approximations: approximations.map(({ values }) => values),
      partial,
      rows,
      couplings,
      unit,
    },
    { modules, solo },
  );
  try {
    for (let first = 0; first < count; first += width) {
      const end = Math.min(count, first + width);
      const batch: ColumnVectors = {
        columns: vectors.columns.slice(first * group, end * group),
        coefficients: vectors.coefficients.slice(first * group, end * group),
        size: group,
      };
      for (const { evaluate } of approximations) evaluate(batch);
      const args = { columns: batch.columns, coefficients: batch.coefficients, firstPanel: own.first };
      await awaitTogether(communicator, () =>
        team.run(phase, sumColumns, shared, graph, args, { signal: control.signal }),
      );
      const each = norms * (end - first);
      if (only === undefined)
        gatherPortions(communicator, partial, panels, { begin: 0, endOf: (panel) => each * (panel + 1) });
      const pieces = new Float64Array(panels);
      const together = (at: number): number => {
        for (let panel = 0; panel < panels; panel++) pieces[panel] = partial[norms * panel * (end - first) + at];
        return norm(view(pieces, 0, panels, 1));
      };
      for (let g = first; g < end; g++) {
        const at = norms * (g - first);
        for (let t = 0; t < group; t++) exact[g * group + t] = together(at + t);
        for (let k = 0; k < approximations.length; k++) errors[k][g] = together(at + group + k);
      }
      control.onProgress?.({ phase, done: end, total: count });
    }
    const endOf = (panel: number): number => Math.min(source.size, PANEL * (panel + 1));
    if (only === undefined)
      for (const sums of [...rows, couplings])
        if (sums.length > 0) gatherPortions(communicator, sums, panels, { begin: 0, endOf });
  } finally {
    team.release(shared);
  }
  return { exact, errors };
}
