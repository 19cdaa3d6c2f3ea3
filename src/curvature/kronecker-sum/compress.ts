/**
 * Gauss–Newton Hessians as sums of Kronecker products.
 *
 *   G ≈ Q·(Σ over pairs of layers Σ_j S_j ⊗ M_j)·Qᵀ + complement,   Q = blockdiag_ℓ(U_Γℓ ⊗ U_Aℓ)
 *
 * Every block of G is a sum over samples of Kronecker products, Σ_i ā_iā′_iᵀ ⊗ m_i (C. Chen et al., SIAM J. Matrix
 * Anal. Appl. 42(1), 2021, arXiv 1910.12184). Its best sum of k products is a truncated singular value decomposition
 * (modes.ts), of which K-FAC's A ⊗ Γ (J. Martens, R. Grosse, ICML 2015, arXiv 1503.05671) is a guess at the first term.
 * In the eigenbasis of the activations an S_j is concentrated in its leading rows and columns: blocks of it are kept by
 * their energy for a byte, over all pairs of layers and modes at once (choice.ts). M_j are orthonormal and blocks
 * disjoint, so all of it is orthogonal projection, and the error is what was left out, exactly but for rounding.
 */
import { requireMemoryLimit } from '../../core/checks.js';
import { throwIfAborted } from '../../core/context.js';
import { NonFiniteError } from '../../core/errors.js';
import { type KeysOf, requireKnownOptions } from '../../core/known-options.js';
import { requireMemory } from '../../core/memory.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import { squaredNorm } from '../../dense/matrix.js';
import { allowedError } from '../../hierarchical/matrix/tolerance-limits.js';
import { availableMemory } from '../../io/machine.js';
import { asModel, checkModel, type GivenModel, type Model } from '../../network/model.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import { runOnce } from '../../parallel/run-once.js';
import { independentTasks } from '../../parallel/task-graph.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { lossOf } from '../../network/losses/table.js';
import { isUniform, pairIndex } from '../entries/unit-gram-plan.js';
import type { Goal } from '../eigenbasis/choice.js';
import { tablesOf, type RotatedTables } from '../eigenbasis/energies.js';
import { goalOf, refuseShare, resolveGoal, type GoalOptions, type ResolvedGoal } from '../eigenbasis/goal.js';
import { keptBasis, type UsedVectors } from '../eigenbasis/layout.js';
import { rotatedModelBytes, rotateModel, type RotatedModel } from '../eigenbasis/model.js';
import { SumChooser, type SumChoice } from './choice.js';
import { layOutSum } from './data.js';
import { addBlockEnergies } from './energies.js';
import { fillGroups } from './fill.js';
import { sumGrid, type SumGrid } from './grid.js';
import { KroneckerSumMatrix } from './matrix.js';
import { findModes, gramSize, type PairModes } from './modes.js';

/** Options of {@link kroneckerSum}. */
export interface KroneckerSumOptions extends GoalOptions {
  /** Bytes that the compression may use; default: what the system says is free. */
  readonly memoryLimit?: number | undefined;
}
/** The keys of {@link KroneckerSumOptions}. */
const KRONECKER_SUM_KEYS: KeysOf<KroneckerSumOptions> = {
  share: 'number',
  tolerance: 'number',
  memoryLimit: 'number',
};

/** Samples up to which their Gram matrices, of this order, are decomposed. */
export const MOST_GRAM_SAMPLES = 2048;
/** Groups whose energies are measured between two looks at what they are worth. */
const BATCH = 32;
/** Of the energy that is dropped, what rounding may have made of groups that are not looked at, or, where an error is
 * asked for, these may hold. */
const UNSEEN = 0.01;

/**
 * G of the model, N × N, as a sum of Kronecker products at a given share of the dense matrix's memory or to a given
 * error, which is known. For n samples: at most min(n, d_ℓ·d_ℓ′) modes a pair of layers, 2n flops for each number of
 * those S_j that are looked at, some n³ flops a pair; in memory rotatedModelBytes and 8(d_ℓd_ℓ′n + 5n²) for a worker's
 * pair. In float64; deterministic, the same bits for any team. G̃ may have negative eigenvalues, at worst
 * −error·‖G‖_F. Throws OptionError (also for a share that not even the last layer's block fits in, with the least that
 * would do), ShapeError, NonFiniteError, MemoryError, AbortedError, WorkerError.
 *
 * ```js
 * const hessian = await kroneckerSum(model, { share: 0.01 });
 * console.log(hessian.error, hessian.bytes);
 * ```
 */
export async function kroneckerSum(
  given: GivenModel,
  options: KroneckerSumOptions,
  givenControl: Control = {},
): Promise<KroneckerSumMatrix> {
  const model = asModel(given, 'kroneckerSum');
  const known = requireKnownOptions(
    options,
    KRONECKER_SUM_KEYS,
    'kroneckerSum',
    'kroneckerSum(model, { share: 0.01 })',
  );
  const goal = resolveGoal(known);
  const memoryLimit = requireMemoryLimit(known.memoryLimit ?? availableMemory());
  const control = await onTeam(givenControl, 'kroneckerSum');
  checkModel(model);
  const plan = await planKroneckerSum(model, goal, memoryLimit, control);
  return plan.make();
}

/** A Kronecker sum that is chosen, and not made yet. */
export interface KroneckerSumPlan {
  /** ‖G − G̃‖_F/‖G‖_F, and ‖G‖_F. */
  readonly error: number;
  readonly norm: number;
  make(): Promise<KroneckerSumMatrix>;
}

/** Chooses what is kept. Throws what `kroneckerSum` throws, but for unknown options. */
export async function planKroneckerSum(
  model: Model,
  goal: ResolvedGoal,
  memoryLimit: number,
  control: TeamControl,
): Promise<KroneckerSumPlan> {
  throwIfAborted(control.signal);
  const start = performance.now();
  requireMemory(sumMemory(model, control.team.workers), memoryLimit, {
    what: `The modes of ${model.data.samples} samples need up to`,
    advice: 'take fewer samples, or raise memoryLimit.',
  });
  const rotated = rotateModel(model, control.team.blas, memoryLimit);
  const tables = tablesOf(rotated);
  const rotatedAt = performance.now();
  const modes = await modesOf(tables, control);
  const grid = sumGrid(tables, modes);
  const { complement } = rotated;
  let energy = complement === null ? 0 : squaredNorm(complement.inputGram) * complement.outputs;
  for (const { lower, upper, energies } of modes) for (const e of energies) energy += lower === upper ? e : 2 * e;
  if (!Number.isFinite(energy))
    throw new NonFiniteError(
      `The squared norm of this Gauss–Newton Hessian overflows (${energy}): the parameters or the data are too ` +
        'large; scale them.',
      { energy },
    );
  const modesAt = performance.now();
  const size = model.network.parameters;
  const chosen = await chooseWithin({ rotated, tables, modes, grid }, goalOf(goal, size, energy), size, control);
  const chosenAt = performance.now();
  const error = energy > 0 ? Math.sqrt(chosen.dropped / energy) : 0;
  const norm = Math.sqrt(energy);
  const make = async (): Promise<KroneckerSumMatrix> => {
    const began = performance.now();
    const used = usedBy(rotated, chosen);
    const layout = layOutSum(
      tables,
      grid,
      chosen,
      used.map(({ units }) => units.length),
    );
    await runOnce('fill blocks', fillGroups, { tables, modes, layout }, independentTasks(layout.kept.length), control);
    const end = performance.now();
    return new KroneckerSumMatrix(
      keptBasis(rotated, used),
      layout.data,
      size,
      {
        size,
        samples: model.data.samples,
        modes: modes.map(({ lower, upper, count }, pair) => ({
          lower,
          upper,
          kept: layout.kept.reduce((sum, group) => sum + (group.pair === pair ? group.count : 0), 0),
          of: count,
        })),
        panels: layout.panelBegin[layout.kept.length],
        norm,
        error,
        rounding: roundingOf(model, error, energy > 0 ? chosen.noise / energy : 0),
        ...(goal.share === undefined ? { met: error <= allowedError(goal.tolerance, 'f64', size) } : {}),
        seconds: {
          rotate: (rotatedAt - start) / 1000,
          modes: (modesAt - rotatedAt) / 1000,
          choose: (chosenAt - modesAt) / 1000,
          fill: (end - began) / 1000,
          total: (chosenAt - start + end - began) / 1000,
        },
      },
      control.team,
    );
  };
  return { error, norm, make };
}

/**
 * What rounding may add to the relative error: eps for each term of the longest chain of sums, and what is uncertain of
 * the squared error.
 */
function roundingOf({ network, data }: Model, error: number, noise: number): number {
  const terms = data.samples + network.layers.reduce((sum, { width, outputs }) => sum + width + outputs, 0);
  return 32 * Number.EPSILON * terms + (noise > 0 ? noise / Math.max(2 * error, Math.sqrt(noise)) : 0);
}

/** Numbers of the m_i of a pair of layers. */
function unitPairs({ network, loss }: Model, lower: number, upper: number): number {
  const last = network.layers.length - 1;
  const of = (ℓ: number): number =>
    ℓ === last && isUniform(network, loss)
      ? Math.min(network.layers[ℓ].outputs, network.layers[ℓ].inputs)
      : network.layers[ℓ].outputs;
  if (lower === upper && lower === last && !lossOf(loss).softmax) return of(last);
  return lower === upper ? (of(lower) * (of(lower) + 1)) / 2 : of(lower) * of(upper);
}

/** Calls `visit` with every pair of layers, the numbers of its m_i and the numbers of its S_j. */
function eachPair(model: Model, visit: (numbers: number, block: number) => void): void {
  const { layers } = model.network;
  for (let upper = 0; upper < layers.length; upper++)
    for (let lower = 0; lower <= upper; lower++)
      visit(unitPairs(model, lower, upper), layers[lower].width * layers[upper].width);
}

/** Bytes of a rotated model and of finding modes, at most. */
export function sumMemory(model: Model, workers: number): number {
  const n = model.data.samples;
  let most = 0;
  let modes = 0;
  eachPair(model, (numbers) => {
    most = Math.max(most, numbers);
    modes += Math.min(n, numbers);
  });
  return rotatedModelBytes(model) + 8 * (workers * (n * most + 5 * n ** 2) + n * modes);
}

/** Flops of finding the modes and the energies of all of their blocks, about. */
export function sumFlops(model: Model): number {
  const n = model.data.samples;
  let flops = 0;
  eachPair(model, (numbers, block) => {
    const modes = Math.min(n, numbers);
    flops += modes * (2 * n * block + 4 * n ** 2 + 4 * n * numbers);
  });
  return flops;
}

/** The modes of all pairs of layers; the Gram vectors of the tables are overwritten by them. */
export async function modesOf(tables: RotatedTables, control: TeamControl): Promise<PairModes[]> {
  const { samples: n, layers, grams } = tables;
  const pairs: PairModes[] = [];
  for (let upper = 0; upper < layers.length; upper++) {
    for (let lower = 0; lower <= upper; lower++) {
      const stored = grams[pairIndex(lower, upper)];
      const numbers = gramSize(stored, n);
      if (numbers === 0 || layers[lower].directions === 0 || layers[upper].directions === 0) continue;
      const count = Math.min(numbers, n);
      pairs.push({
        lower,
        upper,
        form: stored.form,
        count,
        numbers,
        matrices: stored.vectors.subarray(0, numbers * count),
        coefficients: sharedFloat64(n * count),
        energies: sharedFloat64(count),
      });
    }
  }
  // The most work first.
  pairs.sort((a, b) => b.numbers - a.numbers || a.upper - b.upper || a.lower - b.lower);
  await runOnce('find modes', findModes, { tables, pairs }, independentTasks(pairs.length), control);
  return pairs.sort((a, b) => pairIndex(a.lower, a.upper) - pairIndex(b.lower, b.upper));
}

/** What blocks are chosen from. */
interface Candidates {
  readonly rotated: RotatedModel;
  readonly tables: RotatedTables;
  readonly modes: readonly PairModes[];
  readonly grid: SumGrid;
}

/**
 * Measures the energies of groups of modes, the strongest first, until no other can be worth its bytes at the price
 * that they have reached; then chooses. Throws OptionError where no choice keeps to the goal.
 */
async function chooseWithin(
  { rotated, tables, modes, grid }: Candidates,
  goal: Goal,
  size: number,
  control: TeamControl,
): Promise<SumChoice & { readonly noise: number }> {
  const last = rotated.layers.length - 1;
  const { complement } = rotated;
  let fixed = complement === null ? 0 : complement.inputGram.data.byteLength;
  const layers = rotated.layers.map(({ layer, outputVectors, units }, ℓ) => {
    const numbers = outputVectors === null ? 0 : layer.outputs * units;
    if (complement !== null && ℓ === last) {
      fixed += 8 * numbers;
      return { width: layer.width, outputVectors: 0 };
    }
    return { width: layer.width, outputVectors: numbers };
  });
  for (let seen = 0; ;) {
    const batch = Math.min(BATCH, grid.groups.length - seen);
    if (batch > 0)
      await runOnce(
        'measure blocks',
        addBlockEnergies,
        { tables, modes, grid, first: seen },
        independentTasks(batch),
        control,
      );
    seen += batch;
    const all = seen === grid.groups.length;
    const noise = unseenNoise(modes, grid, seen);
    // With an error to reach, the tail is left out where it hardly counts, and nothing is chosen before.
    if (!all && goal.kind === 'energy' && unseenEnergy(grid, seen) + noise > UNSEEN * goal.energy) continue;
    const { choice, met } = new SumChooser(grid, layers, fixed, seen).choose(goal);
    if (
      !all &&
      goal.kind === 'bytes' &&
      (!met || noise > UNSEEN * choice.dropped || mostWorth(grid, seen) > choice.price)
    )
      continue;
    if (!met && goal.kind === 'bytes') refuseShare(goal.bytes, choice.bytes, size, "the last layer's exact part");
    return { ...choice, noise };
  }
}

/** Energy of G in groups from `seen` on, at most. */
function unseenEnergy({ groups }: SumGrid, seen: number): number {
  let energy = 0;
  for (let g = groups.length - 1; g >= seen; g--) energy += 2 * groups[g].energy;
  return energy;
}

/** What rounding may have made of it: the σ_j² of a pair are found to eps·σ_1². */
function unseenNoise(modes: readonly PairModes[], { groups }: SumGrid, seen: number): number {
  let noise = 0;
  for (let g = seen; g < groups.length; g++)
    noise += 2 * Number.EPSILON * groups[g].count * modes[groups[g].pair].energies[0];
  return noise;
}

/** The most energy for a byte that any group from `seen` on can have: its first block's. */
function mostWorth({ groups, pairs, blocks }: SumGrid, seen: number): number {
  let most = 0;
  for (let g = seen; g < groups.length; g++) {
    const { pair, count, energy, mixing } = groups[g];
    const { row, column } = pairs[pair];
    const least = (begin: Int32Array): number => Math.floor(begin[begin.length - 1] / (begin.length - 1));
    const numbers = count * least(blocks[row]) * least(blocks[column]) + mixing;
    most = Math.max(most, (2 * energy) / (8 * numbers));
  }
  return most;
}

/** Directions and units of each layer that the choice uses; all units that make a complement's projector. */
function usedBy({ layers, complement }: RotatedModel, { directions }: SumChoice): UsedVectors[] {
  const upTo = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i);
  return layers.map(({ units, outputVectors }, ℓ) => ({
    directions: upTo(directions[ℓ]),
    units: upTo(
      directions[ℓ] > 0 || outputVectors === null || (complement !== null && ℓ === layers.length - 1) ? units : 0,
    ),
  }));
}
