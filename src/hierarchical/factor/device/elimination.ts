/**
 * A factorization that a device makes: launches planned once, run for each λ, from blocks that lie there.
 */
import { floats, type FloatArray, type Precision } from '../../../core/floats.js';
import type { Device, DeviceBuffer, PreparedWork } from '../../../device/device.js';
import type { Gathers } from '../../../device/work/gathers.js';
import type { BlockProducts } from '../../../device/work/products.js';
import type { Qrs } from '../../../device/work/qr.js';
import type { Choleskys, Substitutions } from '../../../device/work/triangles.js';
import type { WorkKind, WorkOperands } from '../../../device/work/work.js';
import { isolatedOf, nodesOf } from '../../../tree/cluster-tree.js';
import { VectorLaunches, type VectorStep } from '../../device/launches.js';
import type { BlockPlaces, PlanPart } from '../../device/plan.js';
import type { HierarchicalData } from '../../matrix/data.js';
import { checkShift, tellBreakdown } from '../breakdown-message.js';
import type { Breakdown } from '../engine.js';
import { requireFactors, fetched, type ResidentFactors } from './resident-factors.js';

/** A matrix whose blocks lie on a device. */
export interface ResidentBlocks {
  readonly data: HierarchicalData;
  readonly device: Device;
  readonly precision: Precision;
  readonly values: Readonly<Record<PlanPart, DeviceBuffer>>;
  readonly places: BlockPlaces;
  /** Lets go of them. */
  release(): void;
}

/**
 * Buffers of every elimination: the matrix's; `work`, scratch; `constants`, λ and what else is the same for every
 * launch; `status`, a number for each node; `diagonal`, the diagonals of all triangles.
 */
export type CommonBuffer = PlanPart | 'work' | 'constants' | 'status' | 'diagonal';

/** A launch, with its operands by the names of their buffers. */
export type EliminationStep<B extends string> = {
  /** "eliminate, level 3: Cholesky". */
  readonly name: string;
} & (
  | { readonly work: Gathers; readonly operands: Record<'from' | 'to', B> }
  | { readonly work: BlockProducts; readonly operands: Record<'a' | 'b' | 'c', B> }
  | { readonly work: Choleskys; readonly operands: Record<'values' | 'status', B> }
  | { readonly work: Substitutions; readonly operands: Record<'triangles' | 'x', B> }
  | { readonly work: Qrs; readonly operands: Record<'values' | 'triangles', B> }
);

/** An elimination as launches, in order. */
export interface EliminationPlan<B extends string> {
  readonly steps: readonly EliminationStep<B>[];
  /** Numbers of `work`. */
  readonly workLength: number;
  /** Numbers of `diagonal`: from the number of isolated indices on, each is that of a triangle. */
  readonly diagonals: number;
}

/** What a format's elimination takes and makes: B the buffers that it keeps, beside those that are common to all. */
export interface Elimination<B extends string> {
  readonly plan: EliminationPlan<B | CommonBuffer>;
  /** A solve by what stands in its buffers and in the matrix's. */
  readonly solve: { readonly steps: readonly VectorStep<string>[]; readonly rows: number };
  /** Numbers of each buffer that it keeps, or those that it is sent. */
  readonly kept: Readonly<Record<B, number | FloatArray>>;
  /** What stands behind λ in `constants`. */
  readonly constants: FloatArray;
  /** Where it broke down, of the status of each node. */
  readonly breakdown: (status: FloatArray) => Breakdown | undefined;
}

const lengthOf = (kept: number | FloatArray): number => (typeof kept === 'number' ? kept : kept.length);

/** The factors of a matrix that lies on a device, made there. */
class MadeThere<B extends string> implements ResidentFactors {
  readonly precision: Precision;
  readonly launches: VectorLaunches<string>;
  readonly values: Readonly<Record<B | PlanPart | 'constants', DeviceBuffer>>;
  readonly rows: number;
  shift = 0;
  logdet = Number.NaN;
  readonly #blocks: ResidentBlocks;
  readonly #elimination: Elimination<B>;
  readonly #own: readonly DeviceBuffer[];
  readonly #works: readonly PreparedWork[];

  constructor(
    blocks: ResidentBlocks,
    elimination: Elimination<B>,
    made: {
      readonly own: Readonly<Record<B | 'constants', DeviceBuffer>>;
      readonly launches: VectorLaunches<string>;
      readonly works: readonly PreparedWork[];
    },
  ) {
    this.#blocks = blocks;
    this.#elimination = elimination;
    this.#works = made.works;
    this.#own = Object.values<DeviceBuffer>(made.own);
    this.precision = blocks.precision;
    this.launches = made.launches;
    this.values = { ...blocks.values, ...made.own };
    this.rows = elimination.solve.rows;
  }

  get bytes(): number {
    return this.#own.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get lists(): number {
    return this.#works.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async refactor(shift: number): Promise<void> {
    checkShift(shift, false);
    const { data, device, precision } = this.#blocks;
    const { plan, breakdown } = this.#elimination;
    const isolated = isolatedOf(data.tree);
    this.shift = shift;
    const broken = { isolated, shift, indefinite: false };
    if (isolated > 0 && shift === 0)
      throw tellBreakdown({ node: 0, level: 0, pivot: 0, index: data.tree.order[0] }, broken);
    const scratch: DeviceBuffer[] = [];
    const allocate = async (length: number): Promise<DeviceBuffer> => {
      const buffer = await device.allocate(length, precision);
      scratch.push(buffer);
      return buffer;
    };
    try {
      const buffers: Record<B | CommonBuffer, DeviceBuffer> = {
        ...this.values,
        work: await allocate(plan.workLength),
        status: await allocate(nodesOf(data.tree)),
        diagonal: await allocate(plan.diagonals),
      };
      device.write(buffers.constants, floats(1, precision).fill(shift));
      plan.steps.forEach(({ operands }, i) => {
        const named = Object.entries<B | CommonBuffer>(operands).map(([name, of]) => [name, buffers[of]] as const);
        device.launch(this.#works[i], Object.fromEntries(named) as never as WorkOperands<DeviceBuffer>[WorkKind]);
      });
      const where = breakdown(await fetched(device, buffers.status));
      if (where !== undefined) throw tellBreakdown(where, broken);
      const diagonal = await fetched(device, buffers.diagonal);
      let log = 0;
      for (let i = isolated; i < diagonal.length; i++) log += Math.log(diagonal[i]);
      this.logdet = 2 * log + (isolated > 0 ? isolated * Math.log(shift) : 0);
    } finally {
      for (const buffer of scratch) buffer.destroy();
    }
  }

  release(): void {
    this.launches.release();
    for (const one of [...this.#works, ...this.#own]) one.destroy();
    this.#blocks.release();
  }
}

/**
 * Factors K̃ + λI on the device, from blocks that lie there and that it lets go of in the end; `elimination` says how.
 * Throws OptionError for a shift below 0 and what `elimination` throws, NotPositiveDefiniteError, MemoryError before
 * anything is computed, DeviceError, DeviceLostError.
 */
export async function factorThere<B extends string>(
  blocks: ResidentBlocks,
  shift: number,
  elimination: () => Promise<Elimination<B>> | Elimination<B>,
): Promise<ResidentFactors> {
  const works: PreparedWork[] = [];
  const own: Partial<Record<B | 'constants', DeviceBuffer>> = {};
  let launches: VectorLaunches<string> | undefined;
  try {
    checkShift(shift, false);
    const { data, device, precision } = blocks;
    const of = await elimination();
    const { plan, solve, kept, constants } = of;
    const entries = Object.entries<number | FloatArray>(kept) as [B, number | FloatArray][];
    const lengths = [plan.workLength, ...entries.map(([, one]) => lengthOf(one))];
    const others = nodesOf(data.tree) + plan.diagonals + 1 + constants.length;
    const all = lengths.reduce((sum, length) => sum + length, others);
    requireFactors(device, precision, Math.max(...lengths), all);
    for (const [name, one] of entries)
      own[name] = typeof one === 'number' ? await device.allocate(one, precision) : await device.upload(one);
    own.constants = await device.allocate(1 + constants.length, precision);
    device.write(own.constants, constants, 1);
    for (const { work } of plan.steps) works.push(await device.plan(work));
    launches = await VectorLaunches.prepare(solve.steps, device);
    const made = new MadeThere(blocks, of, { launches, works, own: own as Record<B | 'constants', DeviceBuffer> });
    await made.refactor(shift);
    return made;
  } catch (error) {
    launches?.release();
    for (const one of [...works, ...Object.values<DeviceBuffer | undefined>(own)]) one?.destroy();
    blocks.release();
    throw error;
  }
}
