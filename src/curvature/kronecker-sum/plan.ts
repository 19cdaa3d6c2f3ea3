/**
 * The plan of a Kronecker sum: modes, what of them is kept, and the error; then the matrix.
 */
import { throwIfAborted } from '../../core/context.js';
import { NonFiniteError } from '../../core/errors.js';
import { NUMBER_BYTES, ROUNDOFF, type Precision } from '../../core/floats.js';
import { requireMemory } from '../../core/memory.js';
import type { Blas } from '../../dense/blas.js';
import { squaredNorm } from '../../dense/matrix.js';
import { allowedError } from '../../hierarchical/matrix/tolerance-limits.js';
import type { Model } from '../../network/model.js';
import { runOnce } from '../../parallel/run-once.js';
import { independentTasks } from '../../parallel/task-graph.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { Goal } from '../eigenbasis/choice.js';
import { tablesOf, type RotatedTables } from '../eigenbasis/energies.js';
import { goalOf, refuseShare, type ResolvedGoal } from '../eigenbasis/goal.js';
import { keptBasis, type UsedVectors } from '../eigenbasis/layout.js';
import { rotateModel, type RotatedModel } from '../eigenbasis/model.js';
import { SumChooser, type SumChoice } from './choice.js';
import { sumMemory } from './cost.js';
import { layOutSum, traceOf, type SumLayout } from './data.js';
import { addBlockEnergies } from './energies.js';
import { fillGroups } from './fill.js';
import { sumGrid, type SumGrid } from './grid.js';
import { KroneckerSumMatrix, type KroneckerSumReport } from './matrix.js';
import { modesOf, type PairModes } from './modes.js';
import { sampledDifference, uncaptured } from './sampled.js';
import { remaindersOf, termBytes, type Remainder } from './remainder.js';
import { liftToSemidefinite, type Lifting } from './semidefinite.js';
import { streamModes, type StreamOptions } from './stream.js';

/** Groups whose energies are measured between two looks at what they are worth. */
const BATCH = 32;
/** Of the energy that is dropped, what rounding may have made of groups that are not looked at, or, where an error is
 * asked for, these may hold. */
const UNSEEN = 0.01;
/** How often a tolerance is asked for more tightly, and what is spared then, of the energy. */
const TIGHTER = 4;
const SPARE = 0.8;

/** A Kronecker sum that is chosen, and not made yet. */
export interface KroneckerSumPlan {
  /** ‖G − G̃‖_F/‖G‖_F, before it is made positive semidefinite where that was asked for, and ‖G‖_F. */
  readonly error: number;
  readonly norm: number;
  make(): Promise<KroneckerSumMatrix>;
}

/** What a sum is for: a goal within some memory, on a team. */
export interface SumRequest {
  readonly goal: ResolvedGoal;
  /** Precision of what is stored. Default 'f64'. */
  readonly dtype?: Precision | undefined;
  /** Makes it positive semidefinite (semidefinite.ts). */
  readonly semidefinite?: { readonly seed: number } | undefined;
  readonly memoryLimit: number;
  readonly control: TeamControl;
}

/** Chooses what is kept of all modes. Throws what `kroneckerSum` throws, but for unknown options. */
export async function planKroneckerSum(model: Model, request: SumRequest): Promise<KroneckerSumPlan> {
  const { goal, dtype = 'f64', memoryLimit, control } = request;
  throwIfAborted(control.signal);
  const start = performance.now();
  requireMemory(sumMemory(model, control.team.workers), memoryLimit, {
    what: `The modes of ${model.data.samples} samples need up to`,
    advice: 'stream fewer modes (modes), take fewer samples, or raise memoryLimit.',
  });
  const rotated = rotateModel(model, control.team.blas, memoryLimit);
  const tables = tablesOf(rotated);
  const rotatedAt = performance.now();
  const modes = await modesOf(tables, control);
  const energy = totalEnergy(rotated, modes);
  const candidates: Candidates = { model, dtype, rotated, tables, modes, grid: sumGrid(tables, modes) };
  const modesAt = performance.now();
  const chosen = await chooseWithin(candidates, goalOf(goal, model.network.parameters, energy), control);
  const chosenAt = performance.now();
  const error = energy > 0 ? Math.sqrt(chosen.dropped / energy) : 0;
  const norm = Math.sqrt(energy);
  const make = async (): Promise<KroneckerSumMatrix> => {
    const began = performance.now();
    const { of, choice, layout, lifting, squared } = await madeToGoal(candidates, chosen, energy, request);
    const fill = performance.now() - began;
    const made = energy > 0 ? Math.sqrt(squared / energy) : 0;
    const rounding = roundingOf(model, made, energy > 0 ? choice.noise / energy : 0);
    return finished(of, choice, layout, request, {
      norm,
      error: made,
      rounding,
      semidefinite: lifting && describeLifting(lifting),
      seconds: {
        rotate: (rotatedAt - start) / 1000,
        modes: (modesAt - rotatedAt) / 1000,
        choose: (chosenAt - modesAt) / 1000,
        fill: fill / 1000,
        total: (chosenAt - start + fill) / 1000,
      },
    });
  };
  return { error, norm, make };
}

/** A sum of streamed modes: its error is an estimate with an interval. Throws as `planKroneckerSum` does. */
export async function streamedKroneckerSum(
  model: Model,
  options: StreamOptions,
  request: SumRequest,
): Promise<KroneckerSumMatrix> {
  const { goal, dtype = 'f64', memoryLimit, control } = request;
  throwIfAborted(control.signal);
  const start = performance.now();
  const { blas } = control.team;
  const { rotated, modes, probes } = await streamModes(model, options, memoryLimit, control);
  const tables = tablesOf(rotated);
  const modesAt = performance.now();
  const captured = totalEnergy(rotated, modes);
  const missing = uncaptured(modes, probes, blas);
  const candidates: Candidates = { model, dtype, rotated, tables, modes, grid: sumGrid(tables, modes) };
  const size = model.network.parameters;
  const asked = goalOf(goal, size, captured + missing);
  // What no mode holds is dropped already.
  const left: Goal = asked.kind === 'bytes' ? asked : { ...asked, energy: Math.max(0, asked.energy - missing) };
  const chosen = await chooseWithin(candidates, left, control);
  const chosenAt = performance.now();
  const whole = await filled(candidates, chosen, control);
  const difference = sampledDifference(modes, probes, whole, blas);
  const kept = Math.max(0, captured - chosen.dropped);
  const norm = Math.sqrt(kept + difference.value);
  const { layout, lifting } = await lifted(whole, model, request, norm, Math.sqrt(difference.value));
  const end = performance.now();
  // What is lifted is orthogonal to what was dropped; δI need not be.
  const shift = lifting === undefined ? 0 : lifting.shift * Math.sqrt(layout.data.size);
  const change = lifting?.change ?? 0;
  const relative = (energy: number, shifted: number): number =>
    kept + energy > 0 ? (Math.sqrt(energy + change) + shifted) / Math.sqrt(kept + energy) : 0;
  const error = norm > 0 ? Math.hypot(Math.sqrt(difference.value + change), shift) / norm : 0;
  return finished(candidates, chosen, layout, request, {
    norm,
    error,
    interval: {
      low: Math.max(0, relative(Math.max(0, difference.lower), -shift)),
      high: relative(difference.upper, shift),
      probes: options.probes,
    },
    semidefinite: lifting && describeLifting(lifting),
    rounding: roundingOf(model, error, 0),
    seconds: {
      rotate: 0,
      modes: (modesAt - start) / 1000,
      choose: (chosenAt - modesAt) / 1000,
      fill: (end - chosenAt) / 1000,
      total: (end - start) / 1000,
    },
  });
}

/** Σ σ_j² over all pairs of layers, both triangles, and the complement's. Throws NonFiniteError. */
function totalEnergy({ complement }: RotatedModel, modes: readonly PairModes[]): number {
  let energy = complement === null ? 0 : squaredNorm(complement.inputGram) * complement.outputs;
  for (const { lower, upper, energies } of modes) for (const e of energies) energy += lower === upper ? e : 2 * e;
  if (!Number.isFinite(energy))
    throw new NonFiniteError(
      `The squared norm of this Gauss–Newton Hessian overflows (${energy}): the parameters or the data are too ` +
        'large; scale them.',
      { energy },
    );
  return energy;
}

/** The chosen panels with their numbers. */
async function filled(
  { dtype, rotated, tables, modes, grid }: Candidates,
  chosen: Chosen,
  control: TeamControl,
): Promise<SumLayout> {
  const units = usedBy(rotated, chosen).map((used) => used.units.length);
  const laidOut = layOutSum(tables, grid, chosen, units, dtype);
  const terms = laidOut.data.terms.map((_, ℓ) => chosen.remainders[ℓ]?.term ?? null);
  const layout = { ...laidOut, data: { ...laidOut.data, terms } };
  await runOnce('fill blocks', fillGroups, { tables, modes, layout }, independentTasks(layout.kept.length), control);
  return layout;
}

/** A filled layout, positive semidefinite where that is asked for and its error is above rounding. */
async function lifted(
  layout: SumLayout,
  model: Model,
  { semidefinite, memoryLimit, control }: SumRequest,
  norm: number,
  error: number,
): Promise<{ readonly layout: SumLayout; readonly lifting: Lifting | undefined }> {
  if (semidefinite === undefined || layout.data.size === 0 || error <= roundingOf(model, 0, 0) * norm)
    return { layout, lifting: undefined };
  const lifting = await liftToSemidefinite(layout.data, { norm, error, ...semidefinite, memoryLimit, control });
  return { layout: { ...layout, data: { ...layout.data, shift: lifting.shift } }, lifting };
}

const describeLifting = ({
  shift,
  smallest,
  bound,
  lifts,
}: Lifting): NonNullable<KroneckerSumReport['semidefinite']> => ({ shift, smallest, bound, lifts });

/** What was chosen, filled and lifted. */
interface Made {
  readonly of: Candidates;
  readonly choice: Chosen;
  readonly layout: SumLayout;
  readonly lifting: Lifting | undefined;
  /** ‖G − G̃‖_F². */
  readonly squared: number;
}

/**
 * The choice with its numbers, lifted where that is asked for. A tolerance that is missed then is asked for more
 * tightly, some times.
 */
async function madeToGoal(of: Candidates, choice: Chosen, energy: number, request: SumRequest): Promise<Made> {
  const { goal, control } = request;
  const allowed = goal.share === undefined ? goal.tolerance ** 2 * energy : Number.POSITIVE_INFINITY;
  let made = await madeOf(of, choice, energy, request);
  let left = choice.dropped;
  for (let tries = 0; made.lifting !== undefined && made.squared > allowed && tries < TIGHTER; tries++) {
    left *= (allowed / made.squared) * SPARE;
    const fresh = { ...of, grid: sumGrid(of.tables, of.modes) };
    made = await madeOf(fresh, await chooseWithin(fresh, { kind: 'energy', energy: left }, control), energy, request);
  }
  return made;
}

/** A choice with its numbers, lifted where that is asked for. */
async function madeOf(of: Candidates, choice: Chosen, energy: number, request: SumRequest): Promise<Made> {
  const whole = await filled(of, choice, request.control);
  const { layout, lifting } = await lifted(whole, of.model, request, Math.sqrt(energy), Math.sqrt(choice.dropped));
  const squared = choice.dropped + (lifting === undefined ? 0 : liftingEnergy(lifting, choice, layout));
  return { of, choice, layout, lifting, squared };
}

/** What lifting adds to ‖G − G̃‖_F²: Δ's part, and δ²·order − 2δ·tr(H − H̃ − Δ), H̃ before it. */
function liftingEnergy({ change, trace, shift }: Lifting, { remainders }: Chosen, { data }: SumLayout): number {
  let left = -trace;
  for (const { trace: own, term } of remainders) left += own - (term === null ? 0 : traceOf(term));
  return change + shift ** 2 * data.size - 2 * shift * left;
}

/** The matrix with its report. */
function finished(
  { model, dtype, rotated, modes }: Candidates,
  chosen: SumChoice,
  layout: SumLayout,
  { goal, control }: SumRequest,
  known: Pick<KroneckerSumReport, 'norm' | 'error' | 'interval' | 'rounding' | 'semidefinite' | 'seconds'>,
): KroneckerSumMatrix {
  const size = model.network.parameters;
  const report: KroneckerSumReport = {
    size,
    samples: model.data.samples,
    modes: modes.map(({ lower, upper, count }, pair) => ({
      lower,
      upper,
      kept: layout.kept.reduce((sum, group) => sum + (group.pair === pair ? group.count : 0), 0),
      of: count,
    })),
    panels: layout.panelBegin[layout.kept.length],
    ...known,
    rounding: known.rounding + (dtype === 'f32' && known.norm > 0 ? storedRounding(modes, layout) / known.norm : 0),
    ...(goal.share === undefined ? { met: known.error <= allowedError(goal.tolerance, 'f64', size) } : {}),
  };
  return new KroneckerSumMatrix(keptBasis(rotated, usedBy(rotated, chosen)), layout.data, size, report, control.team);
}

/**
 * What rounding may add to the relative error: eps for each term of the longest chain of sums, and what is uncertain of
 * the squared error.
 */
function roundingOf({ network, data }: Model, error: number, noise: number): number {
  const terms = data.samples + network.layers.reduce((sum, { width, outputs }) => sum + width + outputs, 0);
  return 32 * Number.EPSILON * terms + (noise > 0 ? noise / Math.max(2 * error, Math.sqrt(noise)) : 0);
}

/** What rounding S_j and M_j to float32 may do to G̃: half an eps of each, Σ_j σ_j being more than all of them. */
function storedRounding(modes: readonly PairModes[], { kept }: SumLayout): number {
  let sum = 0;
  for (const { pair, first, count } of kept) {
    const { lower, upper, energies } = modes[pair];
    for (const energy of energies.subarray(first, first + count)) sum += (lower === upper ? 1 : 2) * Math.sqrt(energy);
  }
  return ROUNDOFF.f32 * sum;
}

/** A choice, and what rounding may have made of the energy that it leaves out. */
interface Chosen extends SumChoice {
  readonly noise: number;
  /** By layer, what stands for what is left out on its diagonal; `bytes` and `dropped` know of it. */
  readonly remainders: readonly Remainder[];
}

/** What blocks are chosen from. */
interface Candidates {
  readonly model: Model;
  readonly dtype: Precision;
  readonly rotated: RotatedModel;
  readonly tables: RotatedTables;
  readonly modes: readonly PairModes[];
  readonly grid: SumGrid;
}

/**
 * Measures the energies of groups of modes, the strongest first, until no other can be worth its bytes at the price
 * that they have reached; then chooses. Throws OptionError where no choice keeps to the goal.
 */
async function chooseWithin(candidates: Candidates, goal: Goal, control: TeamControl): Promise<Chosen> {
  const { model, dtype, rotated, tables, modes, grid } = candidates;
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
  const width = NUMBER_BYTES[dtype];
  const least = Number.EPSILON ** 2 * totalEnergy(rotated, modes);
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
    const chooser = new SumChooser(grid, { layers, fixed, width }, seen);
    const rounded = all && goal.kind === 'bytes' ? chooser.choose({ kind: 'energy', energy: least }).choice : undefined;
    // Numbers that are rounding alone are not worth their bytes.
    if (rounded !== undefined && rounded.bytes <= (goal as { bytes: number }).bytes)
      return { ...rounded, noise, remainders: [] };
    const { choice, met } = chooser.choose(goal);
    if (
      !all &&
      goal.kind === 'bytes' &&
      (!met || noise > UNSEEN * choice.dropped || mostWorth(grid, seen, width) > choice.price)
    )
      continue;
    if (!met && goal.kind === 'bytes')
      refuseShare(goal.bytes, choice.bytes, model.network.parameters, "the last layer's exact part");
    return { ...withRemainders(candidates, chooser, choice, goal, control.team.blas), noise };
  }
}

/**
 * A choice with the products that stand for what it leaves on the layers' diagonals (remainder.ts), those that are
 * worth their bytes at the price that was reached, and less of the rest. Without them where that is no better, or modes
 * were streamed: these do not know all of the diagonals.
 */
function withRemainders(
  { tables, modes, grid }: Candidates,
  chooser: SumChooser,
  choice: SumChoice,
  goal: Goal,
  blas: Blas,
): SumChoice & Pick<Chosen, 'remainders'> {
  if (modes.some(({ stored }) => stored !== undefined)) return { ...choice, remainders: [] };
  const remainders = remaindersOf(tables, modes, grid, choice, blas);
  const without = { ...choice, remainders: remainders.map(({ trace }) => ({ trace, term: null, gain: 0 })) };
  const worth = remainders.map((one) => one.gain > choice.price * termBytes(one));
  if (!worth.includes(true)) return without;
  const complete = (of: SumChoice, all: readonly Remainder[]): SumChoice & Pick<Chosen, 'remainders'> => {
    const kept = all.map((one, ℓ) => (worth[ℓ] ? one : { ...one, term: null, gain: 0 }));
    const [gain, bytes] = [
      kept.reduce((sum, one) => sum + one.gain, 0),
      kept.reduce((sum, one) => sum + termBytes(one), 0),
    ];
    return { ...of, bytes: of.bytes + bytes, dropped: Math.max(0, of.dropped - gain), remainders: kept };
  };
  const first = complete(choice, remainders);
  if (goal.kind === 'bytes' && first.bytes <= goal.bytes) return first;
  const less: Goal =
    goal.kind === 'bytes'
      ? { kind: 'bytes', bytes: goal.bytes - (first.bytes - choice.bytes) }
      : { kind: 'energy', energy: goal.energy + (choice.dropped - first.dropped) };
  const { choice: other, met } = chooser.choose(less);
  if (!met) return without;
  const second = complete(other, remaindersOf(tables, modes, grid, other, blas));
  const better =
    goal.kind === 'bytes'
      ? second.bytes <= goal.bytes && second.dropped < choice.dropped
      : second.dropped <= goal.energy && second.bytes < choice.bytes;
  return better ? second : without;
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
function mostWorth({ groups, pairs, blocks }: SumGrid, seen: number, width: number): number {
  let most = 0;
  for (let g = seen; g < groups.length; g++) {
    const { pair, count, energy, mixing } = groups[g];
    const { row, column } = pairs[pair];
    const least = (begin: Int32Array): number => Math.floor(begin[begin.length - 1] / (begin.length - 1));
    const numbers = count * least(blocks[row]) * least(blocks[column]) + mixing;
    most = Math.max(most, (2 * energy) / (width * numbers));
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
