/**
 * Far pairs whose coupling is exactly zero: found before the layout, so that they take no memory.
 * Exact zeros are a matter of structure: weights of different units in a network's last layer, say, under squared
 * errors.
 */
import { view } from '../../dense/matrix.js';
import { defineTask } from '../../parallel/task.js';
import { openHandle, type SourceHandle } from '../../source/share-source.js';

/** What the search for zero couplings reads and writes. */
export interface ZeroCouplingState {
  readonly source: SourceHandle;
  readonly far: Int32Array;
  readonly maxRank: number;
  /** As found by skeletonization, maxRank slots a node. */
  readonly ranks: Int32Array;
  readonly skeletons: Int32Array;
  /** 1 for a pair whose coupling is not empty and holds zeros only. */
  readonly zero: Int32Array;
}

/** Side of the corner that is looked at first: nearly always that decides. */
const CORNER = 4;

/** Decides far pair `task`. */
export const findZeroCoupling = defineTask<ZeroCouplingState>(
  import.meta.url,
  'findZeroCoupling',
  ({ source: handle, far, maxRank, ranks, skeletons, zero }, context) => {
    const source = openHandle(handle, context);
    let scratch = new Float64Array(CORNER * CORNER);
    const isZero = (α: number, rows: number, β: number, cols: number): boolean => {
      if (scratch.length < rows * cols) scratch = new Float64Array(rows * cols);
      source.entries(
        skeletons.subarray(α * maxRank, α * maxRank + rows),
        skeletons.subarray(β * maxRank, β * maxRank + cols),
        view(scratch, 0, rows, cols),
      );
      for (let i = 0; i < rows * cols; i++) if (scratch[i] !== 0) return false;
      return true;
    };
    return (f) => {
      const α = far[2 * f];
      const β = far[2 * f + 1];
      const rows = ranks[α];
      const cols = ranks[β];
      if (
        rows > 0 &&
        cols > 0 &&
        isZero(α, Math.min(CORNER, rows), β, Math.min(CORNER, cols)) &&
        isZero(α, rows, β, cols)
      )
        zero[f] = 1;
    };
  },
);
