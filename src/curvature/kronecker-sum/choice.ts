/**
 * Which blocks of which modes a Kronecker sum keeps: energy against numbers, over all pairs of layers at once.
 *
 *   max Σ_kept (energy − t·bytes),   t the price of a byte
 *
 * A *panel* is what a group of modes keeps of a block of rows: the columns from the first (within a layer from the
 * diagonal) to some end, where the sum above is largest. A group costs its M_j, a block of directions its vectors in
 * the basis; they are kept where what they carry is worth it. Parts that are kept are orthogonal to those that are not,
 * so what is dropped is the error, exactly. The price is found by bisection, for so many bytes or so much energy.
 */
import type { Goal } from '../eigenbasis/choice.js';
import type { SumGrid } from './grid.js';

/** Bytes of a panel besides its numbers (data.ts). */
const PANEL_BYTES = 28;
/** Bytes of a group besides its numbers. */
const GROUP_BYTES = 16;

/** What a layer's part of the basis costs. */
export interface LayerCosts {
  /** Numbers of a direction: the layer's width. */
  readonly width: number;
  /** Numbers of the layer's U_Γ, where any of its blocks is kept. */
  readonly outputVectors: number;
}

/** What things cost in bytes. */
export interface SumCosts {
  readonly layers: readonly LayerCosts[];
  /** What is stored whatever is kept. */
  readonly fixed: number;
  /** A number of S_j or M_j. */
  readonly width: number;
}

/** What is kept. */
export interface SumChoice {
  /** By group of the grid: null, or for each block of rows the end of its columns (0: none kept). */
  readonly ends: readonly (Int32Array | null)[];
  /** By layer: directions kept. */
  readonly directions: readonly number[];
  readonly bytes: number;
  /** Energy of G that is not kept. */
  readonly dropped: number;
  /** The price of a byte. */
  readonly price: number;
}

const BISECTIONS = 48;
const ROUNDS = 4;

/** Blocks of directions by layer that may be kept. */
type Limits = readonly number[];

/** Chooses among the first `seen` groups of a grid. */
export class SumChooser {
  readonly #grid: SumGrid;
  readonly #layers: readonly LayerCosts[];
  readonly #fixed: number;
  readonly #width: number;
  readonly #seen: number;
  readonly #unseen: number;

  constructor(grid: SumGrid, { layers, fixed, width }: SumCosts, seen: number) {
    this.#grid = grid;
    this.#layers = layers;
    this.#fixed = fixed;
    this.#width = width;
    this.#seen = seen;
    let unseen = 0;
    for (let g = grid.groups.length - 1; g >= seen; g--) {
      const { row, column } = grid.pairs[grid.groups[g].pair];
      unseen += row === column ? grid.groups[g].energy : 2 * grid.groups[g].energy;
    }
    this.#unseen = unseen;
  }

  /**
   * Within the bytes the least dropped energy, or within the energy the least bytes; `met` is false where nothing that
   * was tried keeps to the goal.
   */
  choose(goal: Goal): { choice: SumChoice; met: boolean } {
    const nothing = this.#measured(new Array<null>(this.#grid.groups.length).fill(null), Number.POSITIVE_INFINITY);
    const meets = ({ bytes, dropped }: SumChoice): boolean =>
      goal.kind === 'bytes' ? bytes <= goal.bytes : dropped <= goal.energy;
    const worth = ({ bytes, dropped }: SumChoice): number => (goal.kind === 'bytes' ? dropped : bytes);
    let best = this.#at(0);
    let met = meets(best);
    const consider = (choice: SumChoice): boolean => {
      const good = meets(choice);
      if (good && (!met || worth(choice) < worth(best))) {
        best = choice;
        met = true;
      }
      return good;
    };
    const free = consider(nothing);
    if (goal.kind === 'bytes' ? met && best !== nothing : free) return { choice: best, met };
    // More and less: what the last price that keeps too much, or enough, keeps, and what the one above it does.
    let [more, less] = [best, nothing];
    let [low, high] = this.#prices();
    for (let k = 0; k < BISECTIONS && low < high; k++) {
      const price = Math.sqrt(low * high);
      const choice = this.#at(price);
      // A higher price keeps less.
      if (consider(choice) === (goal.kind === 'bytes')) [high, less] = [price, choice];
      else [low, more] = [price, choice];
    }
    if (!met && goal.kind === 'bytes') return { choice: nothing, met };
    this.#between(more, less, consider);
    return { choice: best, met };
  }

  /**
   * What lies between two choices: `more` of the first k groups and of some panels of the next, `less` of all others.
   * Considers those at which the goal turns from met to missed.
   */
  #between(more: SumChoice, less: SumChoice, consider: (choice: SumChoice) => boolean): void {
    const mixed = (groups: number, panels: number): SumChoice =>
      this.#measured(
        more.ends.map((ends, g) => {
          if (g !== groups) return g < groups ? ends : less.ends[g];
          if (ends === null || panels === 0) return less.ends[g];
          return ends.map((end, a) => (a < panels ? end : (less.ends[g]?.[a] ?? 0)));
        }),
        less.price,
      );
    const turn = (count: number, of: (k: number) => SumChoice): number => {
      const atNone = consider(of(0));
      let [same, other] = [0, count];
      while (other - same > 1) {
        const middle = (same + other) >> 1;
        if (consider(of(middle)) === atNone) same = middle;
        else other = middle;
      }
      return same;
    };
    const groups = turn(this.#seen, (k) => mixed(k, 0));
    const panels = Math.max(more.ends[groups]?.length ?? 0, 0);
    if (panels > 0) turn(panels + 1, (k) => mixed(groups, k));
  }

  /** A price at which everything is kept, and one at which nothing is. */
  #prices(): [number, number] {
    let least = Number.POSITIVE_INFINITY;
    let most = 0;
    this.#eachCell((energy, numbers) => {
      if (energy > 0) {
        least = Math.min(least, energy / numbers);
        most = Math.max(most, energy / numbers);
      }
    });
    return most === 0 ? [1, 1] : [Math.max(Number.MIN_VALUE, (least * 1e-6) / 8), most];
  }

  #eachCell(visit: (energy: number, numbers: number) => void): void {
    const { groups, pairs, blocks, energies } = this.#grid;
    for (let g = 0; g < this.#seen; g++) {
      const { pair, count, begin } = groups[g];
      const { row, column } = pairs[pair];
      const rows = blocks[row].length - 1;
      for (let b = 0; b + 1 < blocks[column].length; b++)
        for (let a = 0; a < (row === column ? b + 1 : rows); a++)
          visit(
            energies[begin + a + rows * b],
            count * (blocks[row][a + 1] - blocks[row][a]) * (blocks[column][b + 1] - blocks[column][b]),
          );
    }
  }

  /** What is kept at a price. */
  #at(price: number): SumChoice {
    const { groups, blocks } = this.#grid;
    let limits: Limits = blocks.map((begin) => begin.length - 1);
    const open = new Uint8Array(groups.length).fill(1, 0, this.#seen);
    for (let round = 0; price > 0 && round < ROUNDS; round++) {
      const next = this.#limits(price, limits, open);
      const same = next.every((limit, ℓ) => limit === limits[ℓ]);
      limits = next;
      if (same && round > 0) break;
    }
    const ends = groups.map((_, g) => (open[g] === 1 ? this.#panels(g, price, limits, null, null) : null));
    return this.#measured(
      ends.map((one) => (one === null || one.gain <= 0 ? null : one.ends)),
      price,
    );
  }

  /** The best ends of a group's panels, and what they gain less the cost of its M_j. */
  #panels(
    g: number,
    price: number,
    limits: Limits,
    rowGains: Float64Array | null,
    columnGains: Float64Array | null,
  ): { ends: Int32Array; gain: number } {
    const { groups, pairs, blocks, energies } = this.#grid;
    const { pair, count, mixing, begin } = groups[g];
    const { row, column } = pairs[pair];
    const [rowBegin, columnBegin] = [blocks[row], blocks[column]];
    const rows = rowBegin.length - 1;
    const ends = new Int32Array(rows);
    let gain = -price * (this.#width * mixing + GROUP_BYTES);
    for (let a = 0; a < limits[row]; a++) {
      const each = this.#width * price * count * (rowBegin[a + 1] - rowBegin[a]);
      let sum = -price * PANEL_BYTES;
      let best = 0;
      for (let b = row === column ? a : 0; b < limits[column]; b++) {
        const energy = energies[begin + a + rows * b];
        sum += energy - each * (columnBegin[b + 1] - columnBegin[b]);
        if (sum > best || (price === 0 && energy > 0)) {
          if (columnGains !== null) columnGains[b] += sum - best;
          best = sum;
          ends[a] = b + 1;
        }
      }
      if (rowGains !== null) rowGains[a] += best;
      gain += best;
    }
    return { ends, gain };
  }

  /**
   * How many blocks of directions of each layer are worth their vectors, given how many of the others are kept; closes
   * groups that are not worth their M_j.
   */
  #limits(price: number, limits: Limits, open: Uint8Array): number[] {
    const { groups, pairs, blocks } = this.#grid;
    const gains = blocks.map((begin) => new Float64Array(begin.length - 1));
    const most = Math.max(0, ...gains.map(({ length }) => length));
    const [byRow, byColumn] = [new Float64Array(most), new Float64Array(most)];
    for (let g = 0; g < this.#seen; g++) {
      if (open[g] === 0) continue;
      const { row, column } = pairs[groups[g].pair];
      byRow.fill(0);
      byColumn.fill(0);
      const { gain } = this.#panels(g, price, limits, byRow, byColumn);
      if (gain <= 0) {
        open[g] = 0;
        continue;
      }
      for (let b = 0; b < gains[column].length; b++) gains[column][b] += byColumn[b];
      if (row !== column) for (let a = 0; a < gains[row].length; a++) gains[row][a] += byRow[a];
    }
    return gains.map((gain, ℓ) => {
      let best = 0;
      let limit = 0;
      for (let b = 0, sum = 0; b < limits[ℓ]; b++) {
        sum += gain[b] - 8 * price * this.#layers[ℓ].width * (blocks[ℓ][b + 1] - blocks[ℓ][b]);
        if (sum > best) {
          best = sum;
          limit = b + 1;
        }
      }
      return limit;
    });
  }

  /** Bytes and dropped energy of some panels. */
  #measured(ends: readonly (Int32Array | null)[], price: number): SumChoice {
    const { groups, pairs, blocks, energies } = this.#grid;
    const used = blocks.map(() => 0);
    let numbers = 0;
    let vectors = 0;
    let bytes = this.#fixed;
    let dropped = this.#unseen;
    for (let g = this.#seen - 1; g >= 0; g--) {
      const { pair, count, mixing, begin } = groups[g];
      const { row, column } = pairs[pair];
      const [rowBegin, columnBegin] = [blocks[row], blocks[column]];
      const rows = rowBegin.length - 1;
      const kept = ends[g];
      if (kept !== null) {
        numbers += mixing;
        bytes += GROUP_BYTES;
      }
      for (let a = rows - 1; a >= 0; a--) {
        const first = row === column ? a : 0;
        const end = Math.max(first, kept?.[a] ?? 0);
        if (end > first) {
          numbers += count * (rowBegin[a + 1] - rowBegin[a]) * (columnBegin[end] - columnBegin[first]);
          bytes += PANEL_BYTES;
          used[row] = Math.max(used[row], a + 1);
          used[column] = Math.max(used[column], end);
        }
        for (let b = end; b + 1 < columnBegin.length; b++) dropped += energies[begin + a + rows * b];
      }
    }
    const directions = used.map((count, ℓ) => blocks[ℓ][count]);
    directions.forEach((count, ℓ) => {
      if (count > 0) vectors += this.#layers[ℓ].width * count + this.#layers[ℓ].outputVectors;
    });
    return { ends, directions, bytes: bytes + this.#width * numbers + 8 * vectors, dropped, price };
  }
}
