/**
 * ULV factors on a device: made there from the matrix that lies there, or sent there from the team's.
 */
import { OptionError } from '../../../core/errors.js';
import { floats, NUMBER_BYTES, type Precision } from '../../../core/floats.js';
import type { Device, DeviceBuffer } from '../../../device/device.js';
import { nodesOf } from '../../../tree/cluster-tree.js';
import { BlockPacking } from '../../device/packing.js';
import { breakdownOfUlv } from '../ulv/breakdown.js';
import type { UlvFactors } from '../ulv/factors.js';
import { planUlv } from '../ulv/plan.js';
import { factorThere, type ResidentBlocks } from './elimination.js';
import { requireFactors, sendPackings, sentFactors, type ResidentFactors } from './resident-factors.js';
import { planElimination } from './ulv-elimination.js';
import { planUlvSolve, type SolvePart } from './ulv-solve.js';

/**
 * Factors K̃ + λI of format 'hss' on the device, from blocks that lie there and that it lets go of in the end. Throws
 * OptionError where the matrix is not HSS, or for a shift below 0, NotPositiveDefiniteError, MemoryError before
 * anything is computed, DeviceError, DeviceLostError.
 */
export const factorUlvOnDevice = (blocks: ResidentBlocks, shift: number): Promise<ResidentFactors> =>
  factorThere(blocks, shift, () => {
    const { data, precision, places } = blocks;
    const plan = planUlv(data, precision);
    return {
      plan: planElimination(data, plan, places),
      solve: planUlvSolve(data, plan, places.basis),
      kept: { factors: plan.factorLength },
      constants: floats(0, precision),
      breakdown: (status) => breakdownOfUlv(data, status),
    };
  });

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
