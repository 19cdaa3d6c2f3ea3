/**
 * ULV factors on a device: made there from the matrix that lies there, or sent there from the team's.
 */
import { OptionError } from '../../../core/errors.js';
import { floats, NUMBER_BYTES, type Precision } from '../../../core/floats.js';
import type { Device, DeviceBuffer, PreparedWork } from '../../../device/device.js';
import type { WorkKind, WorkOperands } from '../../../device/work/work.js';
import { isolatedOf, nodesOf } from '../../../tree/cluster-tree.js';
import { VectorLaunches } from '../../device/launches.js';
import { BlockPacking } from '../../device/packing.js';
import type { BlockPlaces, PlanPart } from '../../device/plan.js';
import type { HierarchicalData } from '../../matrix/data.js';
import { checkShift, tellBreakdown } from '../breakdown-message.js';
import { deepestBreakdown } from '../ulv/deepest-breakdown.js';
import type { UlvFactors } from '../ulv/factors.js';
import { planUlv } from '../ulv/plan.js';
import { fetched, requireFactors, sendPackings, sentFactors, type ResidentFactors } from './resident-factors.js';
import { planElimination, type EliminationBuffer, type EliminationPlan } from './ulv-elimination.js';
import { planUlvSolve, type SolvePart } from './ulv-solve.js';

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

/** The factors of a matrix that lies on a device, made there. */
class UlvOnDevice implements ResidentFactors {
  readonly precision: Precision;
  readonly launches: VectorLaunches<SolvePart>;
  readonly values: Readonly<Record<SolvePart, DeviceBuffer>>;
  readonly rows: number;
  shift = 0;
  logdet = Number.NaN;
  readonly #blocks: ResidentBlocks;
  readonly #elimination: EliminationPlan;
  readonly #steps: PreparedWork[];

  constructor(
    blocks: ResidentBlocks,
    plans: { readonly elimination: EliminationPlan; readonly rows: number },
    made: {
      readonly launches: VectorLaunches<SolvePart>;
      readonly factors: DeviceBuffer;
      readonly steps: PreparedWork[];
    },
  ) {
    this.#blocks = blocks;
    this.#elimination = plans.elimination;
    this.#steps = made.steps;
    this.precision = blocks.precision;
    this.launches = made.launches;
    this.values = { basis: blocks.values.basis, factors: made.factors };
    this.rows = plans.rows;
  }

  get bytes(): number {
    return this.values.factors.bytes;
  }

  get lists(): number {
    return this.#steps.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async refactor(shift: number): Promise<void> {
    checkShift(shift, false);
    const { data, device, precision, values } = this.#blocks;
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
      const buffers: Record<EliminationBuffer, DeviceBuffer> = {
        ...values,
        factors: this.values.factors,
        work: await allocate(this.#elimination.workLength),
        shift: await allocate(1),
        status: await allocate(nodesOf(data.tree)),
        diagonal: await allocate(data.tree.size),
      };
      device.write(buffers.shift, floats(1, precision).fill(shift));
      this.#elimination.steps.forEach(({ operands }, i) => {
        const named = Object.entries(operands).map(([name, buffer]) => [name, buffers[buffer]] as const);
        device.launch(this.#steps[i], Object.fromEntries(named) as never as WorkOperands<DeviceBuffer>[WorkKind]);
      });
      const status = await fetched(device, buffers.status);
      const breakdown = deepestBreakdown(data, status);
      if (breakdown !== undefined) throw tellBreakdown(breakdown, broken);
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
    for (const step of this.#steps) step.destroy();
    this.values.factors.destroy();
    this.#blocks.release();
  }
}

/**
 * Factors K̃ + λI on the device, from blocks that lie there and that it lets go of in
 * the end. Throws OptionError where the matrix is not HSS, or for a
 * shift below 0, NotPositiveDefiniteError, MemoryError before anything is computed, DeviceError, DeviceLostError.
 */
export async function factorUlvOnDevice(blocks: ResidentBlocks, shift: number): Promise<ResidentFactors> {
  const works: PreparedWork[] = [];
  let factors: DeviceBuffer | undefined;
  let launches: VectorLaunches<SolvePart> | undefined;
  try {
    checkShift(shift, false);
    const { data, device, precision, places } = blocks;
    const plan = planUlv(data, precision);
    const elimination = planElimination(data, plan, places);
    const { steps, rows } = planUlvSolve(data, plan, places.basis);
    const { factorLength } = plan;
    const others = elimination.workLength + nodesOf(data.tree) + data.tree.size + 1;
    requireFactors(device, precision, Math.max(factorLength, elimination.workLength), factorLength + others);
    factors = await device.allocate(factorLength, precision);
    for (const { work } of elimination.steps) works.push(await device.plan(work));
    launches = await VectorLaunches.prepare(steps, device);
    const made = new UlvOnDevice(blocks, { elimination, rows }, { launches, factors, steps: works });
    await made.refactor(shift);
    return made;
  } catch (error) {
    launches?.release();
    for (const work of works) work.destroy();
    factors?.destroy();
    blocks.release();
    throw error;
  }
}

/**
 * Puts the team's factors on a device, once. Throws OptionError for indefinite ones, MemoryError before anything is
 * sent, NonFiniteError for numbers beyond float32, DeviceError, DeviceLostError.
 */
export async function sendUlv(
  { data, plan, basis, basisBegin, factors, signs }: UlvFactors,
  { shift, logdet }: { readonly shift: number; readonly logdet: number },
  device: Device,
  precision: Precision,
): Promise<ResidentFactors> {
  if (signs.length > 0)
    throw new OptionError(
      'A device solves with positive definite factorizations: factor without { indefinite: true }.',
    );
  const interpolations = new BlockPacking();
  const triangles = new BlockPacking();
  const places = new Float64Array(nodesOf(data.tree));
  // The order of the plan: level by level from the leaves on.
  const nodes = Array.from(places.keys()).sort((a, b) => plan.factorBegin[a] - plan.factorBegin[b]);
  for (const ν of nodes) {
    const [r, k] = [plan.begin[ν + 1] - plan.begin[ν], plan.rank[ν]];
    if (r === 0) continue;
    places[ν] = interpolations.add({ kind: 'dense', offset: basisBegin[ν], ld: r, rows: r, columns: k });
    triangles.add({ kind: 'dense', offset: plan.factorBegin[ν], ld: r, rows: r, columns: r + k });
  }
  const { steps, rows } = planUlvSolve(data, plan, places);
  const [own, more] = [plan.factorLength, interpolations.elements];
  requireFactors(device, precision, Math.max(own, more), own + more);
  const packings = { basis: interpolations, factors: triangles };
  const values: Record<SolvePart, DeviceBuffer> = await sendPackings(packings, { basis, factors }, device, precision);
  return sentFactors(
    steps,
    { precision, shift, logdet, values, bytes: NUMBER_BYTES[precision] * (own + more), rows },
    device,
  );
}
