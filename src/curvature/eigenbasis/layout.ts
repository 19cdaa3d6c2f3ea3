/**
 * From a choice of cells and blocks to the basis that is kept, and the tree and lists of a hierarchical matrix over it.
 */
import { sharedFloat64, sharedInt32 } from '../../core/shared-array.js';
import { view, type Matrix } from '../../dense/matrix.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import { farCover } from '../../tree/far-cover.js';
import type { InteractionLists } from '../../tree/interaction-lists.js';
import { eachIndex, layersOfCells, type Cells } from './cells.js';
import type { Choice } from './choice.js';
import type { RotatedModel } from './model.js';
import type { BasisLayer } from './rotation.js';

/** Directions and units of each layer that kept cells use, ascending. */
export interface UsedVectors {
  readonly directions: Int32Array;
  readonly units: Int32Array;
}

/**
 * The vectors that kept cells use. All units of a layer with a complement are kept, because U_Γ makes the complement's
 * projector, and so are those of an identity.
 */
export function usedVectors({ layers, complement }: RotatedModel, cells: Cells, kept: Uint8Array): UsedVectors[] {
  return layers.map((layer, ℓ) => {
    const directions = new Uint8Array(layer.directions);
    const units = new Uint8Array(layer.units);
    for (let cell = cells.begin[ℓ]; cell < cells.begin[ℓ + 1]; cell++) {
      if (kept[cell] === 1) {
        eachIndex(cells, layer, ℓ, cell, (q, p) => {
          directions[q] = 1;
          units[p] = 1;
        });
      }
    }
    if (layer.outputVectors === null || (complement !== null && ℓ === layers.length - 1)) units.fill(1);
    return { directions: ones(directions), units: ones(units) };
  });
}

const ones = (marks: Uint8Array): Int32Array => Int32Array.from(marks.keys()).filter((i) => marks[i] === 1);

/** Bytes of the basis that those vectors make, and its rotated indices. */
export function basisCost({ layers }: RotatedModel, used: readonly UsedVectors[]): { bytes: number; indices: number } {
  let numbers = 0;
  let indices = 0;
  layers.forEach(({ layer, outputVectors }, ℓ) => {
    const { directions, units } = used[ℓ];
    numbers += layer.width * directions.length + (outputVectors === null ? 0 : layer.outputs * units.length);
    indices += directions.length * units.length;
  });
  return { bytes: 8 * numbers, indices };
}

/** The basis as the product reads it. */
export function keptBasis({ layers, complement }: RotatedModel, used: readonly UsedVectors[]): BasisLayer[] {
  let base = 0;
  return layers.map(({ layer, inputVectors, outputVectors }, ℓ) => {
    const { directions, units } = used[ℓ];
    const gram = complement !== null && ℓ === layers.length - 1 ? pickColumns(complement.inputGram, null) : null;
    const result: BasisLayer = {
      offset: layer.offset,
      width: layer.width,
      outputs: layer.outputs,
      base,
      inputVectors: pickColumns(inputVectors, directions),
      outputVectors: outputVectors && pickColumns(outputVectors, units),
      units: units.length,
      complement: gram,
    };
    base += directions.length * units.length;
    return result;
  });
}

/** A shared copy of some columns, or of all. */
function pickColumns({ data, offset, rows, cols, ld }: Matrix, columns: Int32Array | null): Matrix {
  const count = columns?.length ?? cols;
  const copy = sharedFloat64(rows * count);
  for (let j = 0; j < count; j++) {
    const from = offset + (columns === null ? j : columns[j]) * ld;
    copy.set(data.subarray(from, from + rows), j * rows);
  }
  return view(copy, 0, rows, count);
}

/** A tree over the rotated indices, and what stands at each position in the model's numbering. */
export interface RotatedTree {
  readonly tree: ClusterTree;
  readonly layerAt: Int32Array;
  readonly directionAt: Int32Array;
  readonly unitAt: Int32Array;
}

/**
 * The choice's leaves, its cells being written out; indices that the basis has and no kept cell holds are isolated in
 * front.
 */
export function rotatedTree(
  { layers }: RotatedModel,
  cells: Cells,
  { keptCells, cellTree }: Choice,
  used: readonly UsedVectors[],
): RotatedTree {
  const layerOf = layersOfCells(cells);
  const size = used.reduce((sum, { directions, units }) => sum + directions.length * units.length, 0);
  const order = sharedInt32(size);
  const [layerAt, directionAt, unitAt] = [sharedInt32(size), sharedInt32(size), sharedInt32(size)];
  const place = used.map(({ directions, units }, ℓ) => ({
    ofDirection: places(layers[ℓ].directions, directions),
    ofUnit: places(layers[ℓ].units, units),
    rows: directions.length,
  }));
  const base: number[] = [0];
  for (const { directions, units } of used) base.push(base[base.length - 1] + directions.length * units.length);
  let kept = 0;
  for (const cell of keptCells) kept += cells.sizes[cell];
  const cellBegin = new Int32Array(keptCells.length + 1);
  const taken = new Uint8Array(size);
  let next = size - kept;
  keptCells.forEach((cell, k) => {
    cellBegin[k] = next;
    const ℓ = layerOf[cell];
    const { ofDirection, ofUnit, rows } = place[ℓ];
    eachIndex(cells, layers[ℓ], ℓ, cell, (q, p) => {
      const index = base[ℓ] + ofDirection[q] + ofUnit[p] * rows;
      taken[index] = 1;
      order[next] = index;
      layerAt[next] = ℓ;
      directionAt[next] = q;
      unitAt[next++] = p;
    });
  });
  cellBegin[keptCells.length] = next;
  for (let index = 0, at = 0; index < size; index++) if (taken[index] === 0) order[at++] = index;
  const nodes = cellTree.begin.length;
  const begin = sharedInt32(nodes);
  const end = sharedInt32(nodes);
  for (let ν = 0; ν < nodes; ν++) {
    begin[ν] = cellBegin[cellTree.begin[ν]];
    end[ν] = cellBegin[cellTree.end[ν]];
  }
  return { tree: { size, depth: cellTree.depth, order, begin, end }, layerAt, directionAt, unitAt };
}

/** place[i]: number of i among `members`. */
function places(count: number, members: Int32Array): Int32Array {
  const place = new Int32Array(count).fill(-1);
  members.forEach((i, k) => {
    place[i] = k;
  });
  return place;
}

/** Near lists of the diagonal and the chosen blocks; all other pairs are far (and of rank zero). */
export function blockLists(
  { depth, size, begin, end }: ClusterTree,
  { blocks }: Pick<Choice, 'blocks'>,
): InteractionLists {
  const leaves = 2 ** depth;
  const nearBegin = sharedInt32(leaves + 1);
  for (let leaf = 0; leaf < leaves; leaf++) nearBegin[leaf + 1] = 1;
  for (const key of blocks) {
    nearBegin[Math.floor(key / leaves) + 1]++;
    nearBegin[(key % leaves) + 1]++;
  }
  for (let leaf = 0; leaf < leaves; leaf++) nearBegin[leaf + 1] += nearBegin[leaf];
  const near = sharedInt32(nearBegin[leaves]);
  const next = nearBegin.slice(0, leaves);
  let entries = 0;
  for (const key of blocks) {
    const [α, β] = [Math.floor(key / leaves), key % leaves];
    near[next[α]++] = β;
    near[next[β]++] = α;
    entries += 2 * (end[leaves - 1 + α] - begin[leaves - 1 + α]) * (end[leaves - 1 + β] - begin[leaves - 1 + β]);
  }
  for (let leaf = 0; leaf < leaves; leaf++) {
    near[next[leaf]] = leaf;
    near.subarray(nearBegin[leaf], nearBegin[leaf + 1]).sort();
  }
  return { nearBegin, near, far: farCover(depth, { nearBegin, near }), budgetUsed: entries / size / size };
}
