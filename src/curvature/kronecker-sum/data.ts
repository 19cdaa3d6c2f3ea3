/**
 * A Kronecker sum over rotated vectors, flat: what products read, workers hold and files keep.
 *
 *   H̃ = Σ over pairs of layers Σ_j S_j ⊗ M_j, and its transpose off the layers' diagonal blocks,
 *     + blockdiag(diag(d_ℓ) ⊗ diag(e_ℓ)) + δI
 *
 * A rotated vector holds for each layer the matrix Z, directions × units; H̃ takes it to S_j·Z·M_jᵀ. A panel holds the
 * rows rowBegin … of S_j of all g modes of a group, one mode's rows below the other's, (g·rows) × columns; within a
 * layer it begins at the diagonal. The M_j of a group stand side by side, row units × (g·column units), mode j and unit
 * p′ in column j + g·p′; where they are diagonal, p on the diagonal of mode j at j + g·p.
 */
import { sharedFloats, type FloatArray, type Precision } from '../../core/floats.js';
import { sharedFloat64, sharedInt32 } from '../../core/shared-array.js';
import { view, type Matrix } from '../../dense/matrix.js';
import type { RotatedTables } from '../eigenbasis/energies.js';
import type { SumChoice } from './choice.js';
import type { ModeGroup, SumGrid, SumPair } from './grid.js';

/** A layer's part of a rotated vector: directions × units from `base` on. */
export interface SumLayer {
  readonly base: number;
  readonly directions: number;
  readonly units: number;
}

/** Words of a group in `groups`: its pair, and its modes. */
export const GROUP = { words: 2, pair: 0, modes: 1 } as const;
/** Words of a panel in `panels`. */
export const PANEL = { words: 5, group: 0, rowBegin: 1, rows: 2, columnBegin: 3, columns: 4 } as const;

/** diag(d) ⊗ diag(e) of a layer: d by directions, e by units. */
export interface DiagonalTerm {
  readonly inputs: Float64Array;
  readonly units: Float64Array;
}

/** See the head of this file; structured-cloneable. */
export interface KroneckerSumData {
  /** Numbers of a rotated vector. */
  readonly size: number;
  readonly layers: readonly SumLayer[];
  readonly pairs: readonly SumPair[];
  readonly groups: Int32Array;
  readonly panels: Int32Array;
  /** Where the M_j of each group begin in `mixing`, and the numbers of each panel in `values`. */
  readonly mixingBegin: Float64Array;
  readonly valuesBegin: Float64Array;
  readonly mixing: FloatArray;
  readonly values: FloatArray;
  /** By layer diag(d) ⊗ diag(e), or null. */
  readonly terms: readonly (DiagonalTerm | null)[];
  readonly shift: number;
}

/** A panel with its group, read out of the flat arrays. */
export interface Panel {
  readonly group: number;
  readonly modes: number;
  readonly pair: SumPair;
  readonly rowBegin: number;
  readonly rows: number;
  readonly columnBegin: number;
  readonly columns: number;
  /** First number of its values, and of its group's M_j. */
  readonly values: number;
  readonly mixing: number;
}

/** Panel number `index`. */
export function panelAt(data: KroneckerSumData, index: number): Panel {
  const { panels, groups, pairs, mixingBegin, valuesBegin } = data;
  const at = PANEL.words * index;
  const group = panels[at + PANEL.group];
  return {
    group,
    modes: groups[GROUP.words * group + GROUP.modes],
    pair: pairs[groups[GROUP.words * group + GROUP.pair]],
    rowBegin: panels[at + PANEL.rowBegin],
    rows: panels[at + PANEL.rows],
    columnBegin: panels[at + PANEL.columnBegin],
    columns: panels[at + PANEL.columns],
    values: valuesBegin[index],
    mixing: mixingBegin[group],
  };
}

/** tr diag(d)·tr diag(e). */
export const traceOf = ({ inputs, units }: DiagonalTerm): number =>
  inputs.reduce((sum, d) => sum + d, 0) * units.reduce((sum, e) => sum + e, 0);

/** What a layer has on its diagonal besides panels: its term, and δI. */
export function diagonalTerms({ layers, terms, shift }: KroneckerSumData, ℓ: number): DiagonalTerm[] {
  const { directions, units } = layers[ℓ];
  const out: DiagonalTerm[] = [];
  const term = terms[ℓ];
  if (term !== null) out.push(term);
  if (shift > 0) out.push({ inputs: new Float64Array(directions).fill(shift), units: new Float64Array(units).fill(1) });
  return out;
}

/** How many panels there are. */
export const panelCount = ({ panels }: KroneckerSumData): number => panels.length / PANEL.words;

/** Flops of a panel's products with one vector. */
export function panelFlops({ layers }: KroneckerSumData, { pair, modes, rows, columns }: Panel): number {
  const { row, column, diagonal } = pair;
  const beyond = row === column ? columns - rows : columns;
  const units = layers[column].units;
  const mixed = diagonal ? units : layers[row].units * units;
  return 2 * rows * modes * (units * (columns + beyond) + 2 * mixed);
}

/** A layout of a choice: the data, its numbers zero yet, and the group of the grid that each of its groups is. */
export interface SumLayout {
  readonly data: KroneckerSumData;
  readonly kept: readonly ModeGroup[];
  /** First panel of each group, and the count. */
  readonly panelBegin: Int32Array;
}

/** Lays the chosen panels out, pair by pair, group by group, by blocks of rows. */
export function layOutSum(
  { layers }: Pick<RotatedTables, 'layers'>,
  { pairs, groups, blocks }: SumGrid,
  { ends, directions }: SumChoice,
  units: readonly number[],
  dtype: Precision,
): SumLayout {
  const kept = groups
    .map((group, g) => ({ group, ends: ends[g] }))
    .filter((one): one is { group: ModeGroup; ends: Int32Array } => one.ends !== null)
    .sort((a, b) => a.group.pair - b.group.pair || a.group.first - b.group.first);
  const words: number[] = [];
  const groupWords = sharedInt32(GROUP.words * kept.length);
  const mixingBegin = sharedFloat64(kept.length);
  const panelBegin = new Int32Array(kept.length + 1);
  const starts: number[] = [];
  let mixing = 0;
  let values = 0;
  kept.forEach(({ group, ends: end }, g) => {
    const { row, column } = pairs[group.pair];
    groupWords[GROUP.words * g + GROUP.pair] = group.pair;
    groupWords[GROUP.words * g + GROUP.modes] = group.count;
    mixingBegin[g] = mixing;
    mixing += group.mixing;
    for (let a = 0; a < end.length; a++) {
      const first = row === column ? a : 0;
      if (end[a] <= first) continue;
      const rows = blocks[row][a + 1] - blocks[row][a];
      const columnBegin = blocks[column][first];
      const columns = blocks[column][end[a]] - columnBegin;
      words.push(g, blocks[row][a], rows, columnBegin, columns);
      starts.push(values);
      values += group.count * rows * columns;
    }
    panelBegin[g + 1] = words.length / PANEL.words;
  });
  const panels = sharedInt32(words.length);
  panels.set(words);
  const valuesBegin = sharedFloat64(starts.length);
  valuesBegin.set(starts);
  let size = 0;
  const placed = layers.map((_, ℓ): SumLayer => {
    const base = size;
    size += directions[ℓ] * units[ℓ];
    return { base, directions: directions[ℓ], units: units[ℓ] };
  });
  return {
    data: {
      size,
      layers: placed,
      pairs,
      groups: groupWords,
      panels,
      mixingBegin,
      valuesBegin,
      mixing: sharedFloats(mixing, dtype),
      values: sharedFloats(values, dtype),
      terms: placed.map(() => null),
      shift: 0,
    },
    kept: kept.map(({ group }) => group),
    panelBegin,
  };
}

/** Numbers of S_j or M_j from `offset` on as a matrix of float64: where they lie, or a copy. */
export function wideView(numbers: FloatArray, offset: number, rows: number, cols: number, ld = rows): Matrix {
  if (numbers instanceof Float64Array) return view(numbers, offset, rows, cols, ld);
  return view(
    Float64Array.from(numbers.subarray(offset, offset + Math.max(0, (cols - 1) * ld + rows))),
    0,
    rows,
    cols,
    ld,
  );
}
