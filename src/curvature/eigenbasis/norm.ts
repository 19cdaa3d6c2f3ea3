/**
 * ‖G‖_F of a Gauss–Newton Hessian, from the energies of its cells in the Kronecker eigenbasis: an orthogonal change of
 * basis keeps the norm, and no entry is kept.
 */
import { NonFiniteError } from '../../core/errors.js';
import { requireMemory, type MemoryNeed } from '../../core/memory.js';
import { squaredNorm } from '../../dense/matrix.js';
import { availableMemory } from '../../io/machine.js';
import { checkModel, type Model } from '../../network/model.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { makeCells, type Cells } from './cells.js';
import { cellEnergies, tablesOf, type RotatedTables } from './energies.js';
import { rotatedModelBytes, rotateModel, type RotatedModel } from './model.js';

/** Most cells: their energies take 8 bytes a pair. */
const MOST_CELLS = 6000;
/** Indices of a cell at least, where the sum of all energies alone is wanted. */
const CELL_SIZE = 64;

/** A rotated Hessian's tables, its cells and their energies. */
export interface RotatedEnergies {
  readonly tables: RotatedTables;
  readonly cells: Cells;
  /** ‖H_αβ‖_F² of the cells α, β, cells × cells. */
  readonly energies: Float64Array;
  /** ‖G‖_F²: all of the energies and the complement's. */
  readonly energy: number;
}

/**
 * Energies of cells of at least `cellSize` indices, and their sum. Throws MemoryError (before the energies are
 * allocated), NonFiniteError where the sum overflows, AbortedError, WorkerError.
 */
export async function rotatedEnergies(
  model: Model,
  rotated: RotatedModel,
  cellSize: number,
  memoryLimit: number,
  control: TeamControl,
): Promise<RotatedEnergies> {
  const tables = tablesOf(rotated);
  const indices = rotated.layers.reduce((sum, { directions, units }) => sum + directions * units, 0);
  const cells = makeCells(rotated.layers, Math.max(cellSize, indices / MOST_CELLS));
  requireMemory(rotatedModelBytes(model) + 8 * cells.count ** 2, memoryLimit, EIGENBASIS_NEED);
  const energies = await cellEnergies(tables, cells, control);
  let energy = rotated.complement === null ? 0 : squaredNorm(rotated.complement.inputGram) * rotated.complement.outputs;
  for (const e of energies) energy += e;
  if (!Number.isFinite(energy))
    throw new NonFiniteError(
      `The squared norm of this Gauss–Newton Hessian overflows (${energy}): the parameters or the data are too ` +
        'large; scale them.',
      { energy },
    );
  return { tables, cells, energies, energy };
}

/**
 * ‖G‖_F, exact but for rounding. Cost: about a quarter to a half of n·N_H² flops for N_H rotated indices
 * (compress.ts). The same bits for any team. Throws ShapeError, NonFiniteError, MemoryError, AbortedError, WorkerError.
 */
export async function gaussNewtonNorm(
  model: Model,
  { memoryLimit = availableMemory() }: { readonly memoryLimit?: number | undefined },
  control: TeamControl,
): Promise<number> {
  checkModel(model);
  const rotated = rotateModel(model, control.team.blas, memoryLimit);
  const { energy } = await rotatedEnergies(model, rotated, CELL_SIZE, memoryLimit, control);
  return Math.sqrt(energy);
}

/** What a compression in the eigenbasis is refused with (core/memory.ts). */
export const EIGENBASIS_NEED: MemoryNeed = {
  what: 'The compression needs up to',
  advice: 'raise memoryLimit, take fewer samples or a smaller share, or choose larger leaves.',
};
