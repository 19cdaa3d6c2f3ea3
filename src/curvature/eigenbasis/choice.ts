/**
 * Which part of a rotated Gauss–Newton Hessian is worth its memory: cells to keep, and blocks of leaves.
 * The error of leaving a block out is its norm, which is known (energies.ts), so the best blocks are those with the
 * most energy for a byte. Cells at whose rows there is little are left out altogether: their diagonal blocks and the
 * basis vectors that only they use then cost nothing. How many is found by trying.
 */
import { sharedInt32 } from '../../core/shared-array.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import { cutTree } from '../../tree/cut-tree.js';
import { layersOfCells, type Cells } from './cells.js';

/**
 * Bytes of an index in the tree's order, of a leaf (its nodes, starts of lists and offsets), and of a block off the
 * diagonal besides its values (two entries and offsets, some far pairs).
 */
const INDEX_BYTES = 4;
const LEAF_BYTES = 60;
const BLOCK_BYTES = 24;

/** What a choice of cells costs in bytes besides the blocks of its leaves. */
export interface Costs {
  /** Bytes of what is stored whatever is chosen. */
  readonly fixed: number;
  /**
   * Bytes of the basis vectors that the kept cells use, and how many indices these vectors make, the rows of zeros
   * included.
   */
  readonly basis: (kept: Uint8Array) => { readonly bytes: number; readonly indices: number };
}

/** Leaves over the kept cells, and pairs of them. */
export interface Choice {
  readonly kept: Uint8Array;
  /** Over the kept cells by their number among these. */
  readonly cellTree: ClusterTree;
  /** All cells kept, ascending. */
  readonly keptCells: Int32Array;
  /** α·leaves + β for each chosen pair α < β of leaves, ascending. */
  readonly blocks: Float64Array;
  /** Predicted bytes of everything. */
  readonly bytes: number;
  /** Energy of all entries of H left out, both triangles. */
  readonly dropped: number;
}

/** Asked for: at most so many bytes, or at most so much dropped energy. */
export type Goal =
  { readonly kind: 'bytes'; readonly bytes: number } | { readonly kind: 'energy'; readonly energy: number };

/** Shares of the cells that are tried. */
const TRIALS = 24;
const RATIO = 0.9;

const number = new Float64Array(1);
const words = new Uint32Array(number.buffer);
const HIGH = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0;

/** Blocks by the leading bits of their energy for a byte: a coarse sort in one pass. */
class Bins {
  static readonly count = 2 ** 16;
  readonly #energy = new Float64Array(Bins.count);
  readonly #bytes = new Float64Array(Bins.count);

  clear(): this {
    this.#energy.fill(0);
    this.#bytes.fill(0);
    return this;
  }

  /** Exponent and the five leading bits of the mantissa. */
  static of(density: number): number {
    number[0] = density;
    return words[HIGH] >>> 15;
  }

  add(density: number, energy: number, bytes: number): void {
    const bin = Bins.of(density);
    this.#energy[bin] += energy;
    this.#bytes[bin] += bytes;
  }

  /** The first bin from the top that does not fit whole; −1 where all do. */
  firstBeyondBytes(room: number): number {
    let bytes = 0;
    for (let bin = Bins.count - 1; bin >= 0; bin--) {
      bytes += this.#bytes[bin];
      if (bytes > room) return bin;
    }
    return -1;
  }

  /** The last bin from the bottom that cannot be left out whole; −1 where all can. */
  firstWithinEnergy(allowed: number): number {
    let energy = 0;
    for (let bin = 0; bin < Bins.count; bin++) {
      energy += this.#energy[bin];
      if (energy > allowed && this.#bytes[bin] > 0) return bin;
    }
    return Bins.count;
  }

  bytesAbove(cut: number): number {
    let bytes = 0;
    for (let bin = Bins.count - 1; bin > cut; bin--) bytes += this.#bytes[bin];
    return bytes;
  }

  energyUpTo(bin: number): number {
    let energy = 0;
    for (let b = 0; b <= bin; b++) energy += this.#energy[b];
    return energy;
  }
}

/** Chooses cells and blocks for a goal of bytes or of error. */
export class BlockChooser {
  readonly #cells: Cells;
  readonly #energies: Float64Array;
  readonly #costs: Costs;
  readonly #leafSize: number;
  readonly #layerOf: Int32Array;
  /** Cells by falling energy of their rows for each index. */
  readonly #order: Int32Array;
  readonly #bins = new Bins();

  /** energies: see `cellEnergies`. */
  constructor(cells: Cells, energies: Float64Array, costs: Costs, leafSize: number) {
    this.#cells = cells;
    this.#energies = energies;
    this.#costs = costs;
    this.#leafSize = leafSize;
    this.#layerOf = layersOfCells(cells);
    const { count, sizes } = cells;
    const density = new Float64Array(count);
    for (let β = 0; β < count; β++) {
      let sum = 0;
      for (let at = β * count; at < (β + 1) * count; at++) sum += energies[at];
      density[β] = sum / sizes[β];
    }
    this.#order = Int32Array.from({ length: count }, (_, cell) => cell).sort(
      (a, b) => density[b] - density[a] || a - b,
    );
  }

  /**
   * The best choice that meets the goal, or, where none of those tried does, the one nearest to it (most bytes too
   * many, or most energy).
   */
  choose(goal: Goal): { choice: Choice; met: boolean } {
    const { count } = this.#cells;
    let best: { plan: LeafPlan; number: number; met: boolean } | undefined;
    const trials = new Set<number>([count]);
    for (let t = 1, share = RATIO; t < TRIALS; t++, share *= RATIO) trials.add(Math.max(1, Math.round(share * count)));
    for (let few = count >> 4; few > 0; few >>= 1) trials.add(few);
    for (const number of [...trials].sort((a, b) => b - a)) {
      const plan = this.#plan(number);
      const { met, value } = plan.value(goal);
      if (best === undefined || (met && !best.met) || (met === best.met && value < best.number))
        best = { plan, number: value, met };
    }
    return { choice: best!.plan.choice(goal), met: best!.met };
  }

  #plan(keepCount: number): LeafPlan {
    const { count, sizes } = this.#cells;
    const kept = new Uint8Array(count);
    for (let k = 0; k < keepCount; k++) kept[this.#order[k]] = 1;
    const keptCells = Int32Array.from({ length: count }, (_, cell) => cell).filter((cell) => kept[cell] === 1);
    let indices = 0;
    for (const cell of keptCells) indices += sizes[cell];
    const depth = Math.max(
      0,
      Math.min(Math.round(Math.log2(indices / this.#leafSize)), Math.floor(Math.log2(keepCount))),
    );
    const borders = new Uint8Array(keepCount);
    for (let k = 1; k < keepCount; k++)
      borders[k] = this.#layerOf[keptCells[k]] !== this.#layerOf[keptCells[k - 1]] ? 1 : 0;
    const order = sharedInt32(keepCount);
    for (let k = 0; k < keepCount; k++) order[k] = k;
    const cellTree = cutTree(order, 0, depth, borders);
    const basis = this.#costs.basis(kept);
    const bytes = this.#costs.fixed + basis.bytes + INDEX_BYTES * basis.indices;
    return new LeafPlan({ cells: this.#cells, energies: this.#energies, kept, keptCells, cellTree, bytes }, this.#bins);
  }
}

/** Leaves over some cells: what they cost and hold. */
/** Leaves over the kept cells, before blocks are chosen. */
interface PlannedLeaves {
  readonly cells: Cells;
  /** cells × cells. */
  readonly energies: Float64Array;
  /** 1 for each kept cell; their numbers in the order of the tree. */
  readonly kept: Uint8Array;
  readonly keptCells: Int32Array;
  readonly cellTree: ClusterTree;
  /** Bytes of what is stored besides blocks. */
  readonly bytes: number;
}

class LeafPlan {
  readonly #kept: Uint8Array;
  readonly #keptCells: Int32Array;
  readonly #cellTree: ClusterTree;
  readonly #leaves: number;
  readonly #sizes: Int32Array;
  /** leaves × leaves. */
  readonly #energies: Float64Array;
  /** Energy of the rows and columns of the cells left out, and bytes without blocks off the diagonal. */
  readonly #lost: number;
  readonly #base: number;
  readonly #bins: Bins;

  constructor({ cells, energies, kept, keptCells, cellTree, bytes }: PlannedLeaves, bins: Bins) {
    this.#bins = bins;
    this.#kept = kept;
    this.#keptCells = keptCells;
    this.#cellTree = cellTree;
    const leaves = 2 ** cellTree.depth;
    this.#leaves = leaves;
    const leafOf = new Int32Array(cells.count).fill(-1);
    this.#sizes = new Int32Array(leaves);
    for (let leaf = 0; leaf < leaves; leaf++) {
      for (let k = cellTree.begin[leaves - 1 + leaf]; k < cellTree.end[leaves - 1 + leaf]; k++) {
        leafOf[keptCells[k]] = leaf;
        this.#sizes[leaf] += cells.sizes[keptCells[k]];
      }
    }
    let lost = 0;
    const sums = new Float64Array(leaves * leaves);
    for (let β = 0, at = 0; β < cells.count; β++) {
      const column = leafOf[β] * leaves;
      for (let α = 0; α < cells.count; α++, at++) {
        if (column >= 0 && leafOf[α] >= 0) sums[column + leafOf[α]] += energies[at];
        else lost += energies[at];
      }
    }
    this.#energies = sums;
    this.#lost = lost;
    let diagonal = 0;
    for (let leaf = 0; leaf < leaves; leaf += 2) {
      const m = Math.max(this.#sizes[leaf], leaves === 1 ? 0 : this.#sizes[leaf + 1]);
      diagonal += leaves === 1 ? m * m : m * (m + 1);
    }
    this.#base = bytes + 8 * diagonal + LEAF_BYTES * leaves;
  }

  /**
   * Where the goal can be met: the dropped energy (goal in bytes) or the bytes (goal in energy); else how far from it
   * the best is.
   */
  value(goal: Goal): { met: boolean; value: number } {
    const { bytes, dropped } = this.#sweep(goal, null);
    if (goal.kind === 'bytes')
      return bytes <= goal.bytes ? { met: true, value: dropped } : { met: false, value: bytes };
    return dropped <= goal.energy ? { met: true, value: bytes } : { met: false, value: dropped };
  }

  choice(goal: Goal): Choice {
    const taken: number[] = [];
    const { bytes, dropped } = this.#sweep(goal, taken);
    return {
      kept: this.#kept,
      cellTree: this.#cellTree,
      keptCells: this.#keptCells,
      blocks: Float64Array.from(taken).sort(),
      bytes,
      dropped,
    };
  }

  /**
   * Takes blocks by falling energy for a byte while the goal in bytes allows, or until the goal in energy is met;
   * blocks of zeros never.
   */
  #sweep(goal: Goal, taken: number[] | null): { bytes: number; dropped: number } {
    const bins = this.#bins.clear();
    this.#eachBlock((_key, energy, bytes) => {
      bins.add(energy / bytes, 2 * energy, bytes);
    });
    // Whole bins from the top, then of one bin the best blocks.
    const { bytes: room, energy: allowed } =
      goal.kind === 'bytes'
        ? { bytes: goal.bytes - this.#base, energy: -1 }
        : { bytes: Infinity, energy: goal.energy - this.#lost };
    const cut = goal.kind === 'bytes' ? bins.firstBeyondBytes(room) : bins.firstWithinEnergy(allowed);
    let bytes = bins.bytesAbove(cut);
    let dropped = bins.energyUpTo(cut - 1);
    const partial: { key: number; energy: number; bytes: number }[] = [];
    this.#eachBlock((key, energy, size) => {
      const bin = Bins.of(energy / size);
      if (bin === cut) partial.push({ key, energy, bytes: size });
      else if (bin > cut && taken !== null) taken.push(key);
    });
    partial.sort((a, b) => b.energy / b.bytes - a.energy / a.bytes || a.key - b.key);
    // rest[k]: what is lost if the k best of them are taken; summed from the small end.
    const rest = new Float64Array(partial.length + 1);
    for (let k = partial.length - 1; k >= 0; k--) rest[k] = rest[k + 1] + 2 * partial[k].energy;
    let count = 0;
    while (
      count < partial.length &&
      (goal.kind === 'bytes' ? bytes + partial[count].bytes <= room : dropped + rest[count] > allowed)
    ) {
      bytes += partial[count].bytes;
      taken?.push(partial[count].key);
      count++;
    }
    dropped += rest[count];
    return { bytes: this.#base + bytes, dropped: this.#lost + dropped };
  }

  /** Blocks α < β that are not zero, by the key α·leaves + β. */
  #eachBlock(visit: (key: number, energy: number, bytes: number) => void): void {
    const leaves = this.#leaves;
    for (let β = 1; β < leaves; β++) {
      for (let α = 0; α < β; α++) {
        const energy = this.#energies[α + β * leaves];
        if (energy > 0) visit(α * leaves + β, energy, 8 * this.#sizes[α] * this.#sizes[β] + BLOCK_BYTES);
      }
    }
  }
}
