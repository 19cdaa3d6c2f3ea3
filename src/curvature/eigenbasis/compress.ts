/**
 * Gauss–Newton Hessians as hierarchical matrices in the Kronecker eigenbasis.
 *
 *   G ≈ Q·H̃·Qᵀ + complement,   Q = blockdiag_ℓ(U_Γℓ ⊗ U_Aℓ)
 *
 * K-FAC (J. Martens, R. Grosse, ICML 2015, arXiv 1503.05671) says that a layer's block is nearly A ⊗ Γ, so in the
 * eigenvectors of A and Γ it is nearly diagonal, and EKFAC keeps that diagonal. What they drop (all that couples
 * layers, and the rest of each block) is there too, but gathered in few places: H's entries are large where both
 * directions of the inputs have large eigenvalues. So H̃ keeps leaves' diagonal blocks and the off-diagonal blocks of
 * largest norm, dense, in a hierarchical matrix whose far blocks have rank zero: near blocks are chosen by norm instead
 * of by neighbors (C. Chen et al., SIMAX 42(1), 2021, arXiv 1910.12184, compress in the weights' own coordinates). The
 * norm of everything left out is known, so the error is exact.
 */
import { requireMemoryLimit, requireWhole } from '../../core/checks.js';
import { throwIfAborted } from '../../core/context.js';
import { NonFiniteError, OptionError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import { type KeysOf, requireKnownOptions } from '../../core/known-options.js';
import { requireMemory } from '../../core/memory.js';
import { sharedFloat64, sharedInt32 } from '../../core/shared-array.js';
import { layOut, type Layout, assemble } from '../../hierarchical/matrix/layout.js';
import { HierarchicalMatrix } from '../../hierarchical/matrix/hierarchical-matrix.js';
import { memoryUse } from '../../hierarchical/matrix/memory.js';
import { allowedError } from '../../hierarchical/matrix/tolerance-limits.js';
import { availableMemory } from '../../io/machine.js';
import { checkModel, type Model, asModel, type GivenModel } from '../../network/model.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import { runOnce } from '../../parallel/run-once.js';
import { independentTasks } from '../../parallel/task-graph.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { mostInLeaf } from '../../tree/cluster-tree.js';
import type { InteractionLists } from '../../tree/interaction-lists.js';
import { KroneckerHierarchicalMatrix } from './matrix.js';
import { cellTraces, principalPlan } from './principal-choice.js';
import { fillRotatedBlocks } from './fill-blocks.js';
import { makeCells, type Cells } from './cells.js';
import { BlockChooser, type Choice, type Goal } from './choice.js';
import { tablesOf, type RotatedTables } from './energies.js';
import { goalOf, refuseShare, resolveGoal, type GoalOptions, type ResolvedGoal } from './goal.js';
import {
  basisCost,
  blockLists,
  keptBasis,
  rotatedTree,
  usedVectors,
  type RotatedTree,
  type UsedVectors,
} from './layout.js';
import { EIGENBASIS_NEED, rotatedEnergies } from './norm.js';
import { rotatedModelBytes, rotateModel, type RotatedModel } from './model.js';

/** Options of {@link kroneckerHierarchical}. */
export interface KroneckerHierarchicalOptions extends GoalOptions {
  /** Indices in a leaf, about. Default 32. */
  readonly leafSize?: number | undefined;
  /**
   * 'positive-definite': G̃ ≽ 0 by construction, from principal submatrices of the rotated Hessian alone
   * (principal-choice.ts says which, and within what interval the eigenvalues of (G̃ + λI)⁻¹(G + λI) lie); no pass over
   * all entries is made, and the error is not known. With a share, by default 0.02 or, of small networks, twice what
   * the basis takes; the form that `factorKronecker` factors. That default is for preconditioners: by what it leaves
   * out, log det(G̃ + λI) may be far off that of G. For a log det name a share, and compare with a larger one.
   */
  readonly preserve?: 'positive-definite' | undefined;
  /** Bytes that the compression may use; default: what the system says is free. */
  readonly memoryLimit?: number | undefined;
}
/** The keys of {@link KroneckerHierarchicalOptions}. */
const KRONECKER_HIERARCHICAL_KEYS: KeysOf<KroneckerHierarchicalOptions> = {
  share: 'number',
  tolerance: 'number',
  leafSize: 'number',
  preserve: true,
  memoryLimit: 'number',
};

/** Most cells that are chosen by their diagonal entries, and the share of memory they get by default. */
const MOST_PRINCIPAL_CELLS = 200_000;
const PRINCIPAL_SHARE = 0.02;

/**
 * G of the model, N × N, at a given share of the dense matrix's memory or to a given error. Cost: about n·N_H² flops
 * for N_H rotated indices (N_H = N at most; under squared errors of linear outputs the last layer has min(outputs,
 * inputs)·width of them), a quarter to a half of that by symmetry, as GEMM; in memory the rotated activations and
 * errors (rotatedModelBytes) and 8·(cells)². In float64; deterministic, the same bits for any team. Throws OptionError
 * (also for a share that not even the basis fits in, with the least that would do), ShapeError, NonFiniteError,
 * MemoryError, AbortedError, WorkerError.
 */
export async function kroneckerHierarchical(
  given: GivenModel,
  options: KroneckerHierarchicalOptions,
  givenControl: Control = {},
): Promise<KroneckerHierarchicalMatrix> {
  const model = asModel(given, 'kroneckerHierarchical');
  const resolved = resolve(
    requireKnownOptions(
      options,
      KRONECKER_HIERARCHICAL_KEYS,
      'kroneckerHierarchical',
      'kroneckerHierarchical(model, { share: 0.02 })',
    ),
  );
  const control = await onTeam(givenControl, 'kroneckerHierarchical');
  checkModel(model);
  throwIfAborted(control.signal);
  if (resolved.preserve) return positiveSemidefinite(model, resolved, control);
  return (await planKroneckerHierarchical(model, resolved, control)).make();
}

/** A matrix whose blocks are chosen and not evaluated yet. */
export interface KroneckerHierarchicalPlan {
  /** ‖G − G̃‖_F/‖G‖_F, exact up to rounding. */
  readonly error: number;
  /** That the matrix will take. */
  readonly bytes: number;
  make(): Promise<KroneckerHierarchicalMatrix>;
}

/** Chooses what is kept of G; all energies are measured. Throws what `kroneckerHierarchical` throws. */
export async function planKroneckerHierarchical(
  model: Model,
  goal: ResolvedGoal & { readonly leafSize: number; readonly memoryLimit: number },
  control: TeamControl,
): Promise<KroneckerHierarchicalPlan> {
  const { share, tolerance, leafSize, memoryLimit } = goal;
  const start = performance.now();
  const { team } = control;
  const rotated = rotateModel(model, team.blas, memoryLimit);
  throwIfAborted(control.signal);
  const measured = performance.now();
  const { tables, cells, energies, energy } = await rotatedEnergies(model, rotated, leafSize / 2, memoryLimit, control);
  const chosen = performance.now();
  const size = model.network.parameters;
  const plan = planWithin({ rotated, cells, energies }, leafSize, size, goalOf(goal, size, energy));
  const error = energy > 0 ? Math.sqrt((plan?.choice.dropped ?? 0) / energy) : 0;
  const nothing = usedVectors(rotated, cells, new Uint8Array(cells.count));
  const bytes = plan?.bytes ?? basisCost(rotated, nothing).bytes + (rotated.complement?.inputGram.data.byteLength ?? 0);
  const chooseSeconds = (performance.now() - chosen) / 1000;
  const make = async (): Promise<KroneckerHierarchicalMatrix> => {
    const began = performance.now();
    if (plan !== null)
      requireMemory(
        rotatedModelBytes(model) + 8 * cells.count ** 2 + 8 * plan.layout.elements.total,
        memoryLimit,
        EIGENBASIS_NEED,
      );
    const core =
      plan === null ? null : await fillCore(tables, plan, { tolerance, norm: Math.sqrt(energy), start }, control);
    const end = performance.now();
    const tree = plan?.layout.tree;
    return new KroneckerHierarchicalMatrix(
      keptBasis(rotated, plan?.used ?? nothing),
      core,
      size,
      {
        size,
        rotatedSize: rotated.layers.reduce((sum, { directions, units }) => sum + directions * units, 0),
        keptSize: tree === undefined ? 0 : tree.size - tree.begin[0],
        leaves: tree === undefined ? 0 : 2 ** tree.depth,
        leafSize: tree === undefined ? 0 : mostInLeaf(tree),
        blocks: plan?.choice.blocks.length ?? 0,
        norm: Math.sqrt(energy),
        error,
        ...(share === undefined ? { met: error <= allowedError(tolerance, 'f64', size) } : {}),
        seconds: {
          rotate: (measured - start) / 1000,
          energies: (chosen - measured) / 1000,
          choose: chooseSeconds,
          fill: (end - began) / 1000,
          total: (chosen - start + end - began) / 1000 + chooseSeconds,
        },
      },
      team,
    );
  };
  return { error, bytes, make };
}

/** G̃ from principal submatrices of H; all of the basis is kept. */
async function positiveSemidefinite(
  model: Model,
  { share, leafSize, memoryLimit }: Resolved,
  control: TeamControl,
): Promise<KroneckerHierarchicalMatrix> {
  const start = performance.now();
  const { team } = control;
  const rotated = rotateModel(model, team.blas, memoryLimit);
  throwIfAborted(control.signal);
  const measured = performance.now();
  const tables = tablesOf(rotated);
  const size = model.network.parameters;
  const indices = rotated.layers.reduce((sum, { directions, units }) => sum + directions * units, 0);
  const cells = makeCells(rotated.layers, Math.max(1, indices / MOST_PRINCIPAL_CELLS));
  const traces = cellTraces(tables, cells);
  if (!traces.every(Number.isFinite))
    throw new NonFiniteError(
      'The diagonal of this Gauss–Newton Hessian overflows: the parameters or the data are too large; scale them.',
    );
  const used = usedVectors(rotated, cells, new Uint8Array(cells.count).fill(1));
  const fixed = basisCost(rotated, used).bytes + (rotated.complement?.inputGram.data.byteLength ?? 0);
  const dense = 8 * size ** 2;
  // The basis of a small network alone is more than the usual share: it does not pay off in memory, and still makes a
  // preconditioner.
  const most = share === undefined ? Math.max(PRINCIPAL_SHARE * dense, 2 * fixed) : share * dense;
  const plan = principalPlan({ rotated, cells, traces, used, leafSize }, most - fixed);
  const bytes = fixed + (plan?.bytes ?? 0);
  if (share !== undefined && bytes > most) refuseShare(most, bytes, size, LEAST);
  if (plan !== null)
    requireMemory(rotatedModelBytes(model) + 8 * plan.layout.elements.total, memoryLimit, EIGENBASIS_NEED);
  const chosen = performance.now();
  const core = plan === null ? null : await fillCore(tables, plan, { tolerance: 0, norm: Number.NaN, start }, control);
  const end = performance.now();
  const tree = plan?.layout.tree;
  return new KroneckerHierarchicalMatrix(
    keptBasis(rotated, used),
    core,
    size,
    {
      size,
      rotatedSize: indices,
      keptSize: tree === undefined ? 0 : tree.size - tree.begin[0],
      leaves: tree === undefined ? 0 : 2 ** tree.depth,
      leafSize: tree === undefined ? 0 : mostInLeaf(tree),
      blocks: plan?.blocks ?? 0,
      norm: Number.NaN,
      error: Number.NaN,
      principal: { size: plan?.principal ?? 0, traceOutside: plan?.traceOutside ?? 0 },
      seconds: {
        rotate: (measured - start) / 1000,
        energies: 0,
        choose: (chosen - measured) / 1000,
        fill: (end - chosen) / 1000,
        total: (end - start) / 1000,
      },
    },
    team,
  );
}

/** The hierarchical matrix over the rotated indices with the blocks that were laid out. */
async function fillCore(
  tables: RotatedTables,
  { layout, lists, tree: { layerAt, directionAt, unitAt } }: Pick<Plan, 'layout' | 'lists' | 'tree'>,
  { tolerance, norm, start }: { readonly tolerance: number; readonly norm: number; readonly start: number },
  control: TeamControl,
): Promise<HierarchicalMatrix> {
  const { team } = control;
  const began = performance.now();
  const values = sharedFloat64(layout.elements.total);
  await runOnce(
    'fill blocks',
    fillRotatedBlocks,
    { tables, tree: layout.tree, lists, offsets: layout.offsets, values, layerAt, directionAt, unitAt },
    independentTasks(2 ** layout.tree.depth),
    control,
  );
  return new HierarchicalMatrix(
    assemble(layout, lists, values, { format: 'fmm' }),
    layout.elements,
    {
      origin: 'eigenbasis',
      size: layout.tree.size,
      format: 'fmm',
      leafSize: mostInLeaf(layout.tree),
      maxRank: 0,
      tolerance,
      budgetUsed: lists.budgetUsed,
      dtype: 'f64',
      seed: 0,
      workers: team.workers,
      blas: team.blas.description,
      norm,
      met: true,
      seen: 0,
      limits: [],
      seconds: {
        fill: (performance.now() - began) / 1000,
        compress: (performance.now() - start) / 1000,
      },
    },
    team,
  );
}

/** What the least share holds. */
const LEAST = 'the basis and the diagonal blocks';

interface Resolved extends ResolvedGoal {
  readonly leafSize: number;
  readonly memoryLimit: number;
  readonly preserve: boolean;
}

function resolve(options: KroneckerHierarchicalOptions): Resolved {
  const { leafSize = 32, memoryLimit = availableMemory(), preserve } = options;
  if (preserve !== undefined && preserve !== 'positive-definite')
    throw new OptionError(`preserve must be 'positive-definite', not ${describe(preserve)}.`, { preserve });
  if (preserve !== undefined && options.tolerance !== undefined)
    throw new OptionError(
      'With preserve goes a share: the error of principal submatrices is not known before it is measured.',
      { tolerance: options.tolerance },
    );
  const { share, tolerance } = resolveGoal(options);
  requireWhole(leafSize, 'leafSize', 1, 4096);
  requireMemoryLimit(memoryLimit);
  return { share, tolerance, leafSize, memoryLimit, preserve: preserve !== undefined };
}

interface Plan {
  readonly choice: Choice;
  readonly used: readonly UsedVectors[];
  readonly tree: RotatedTree;
  readonly lists: InteractionLists;
  readonly layout: Layout;
  readonly bytes: number;
}

/** What blocks are chosen from. */
interface CellsWithEnergies {
  readonly rotated: RotatedModel;
  readonly cells: Cells;
  /** cells × cells. */
  readonly energies: Float64Array;
}

/**
 * A choice that keeps to the goal with the bytes it really takes; null where H has no indices. Throws OptionError where
 * none does.
 */
function planWithin(
  { rotated, cells, energies }: CellsWithEnergies,
  leafSize: number,
  size: number,
  goal: Goal,
): Plan | null {
  const { complement } = rotated;
  const fixed = complement === null ? 0 : complement.inputGram.data.byteLength;
  const tooSmall = (least: number): never => refuseShare((goal as { bytes: number }).bytes, least, size, LEAST);
  if (cells.count === 0) {
    const least = fixed + basisCost(rotated, usedVectors(rotated, cells, new Uint8Array(0))).bytes;
    if (goal.kind === 'bytes' && least > goal.bytes) tooSmall(least);
    return null;
  }
  const chooser = new BlockChooser(
    cells,
    energies,
    { fixed, basis: (kept) => basisCost(rotated, usedVectors(rotated, cells, kept)) },
    leafSize,
  );
  let target = goal;
  for (let attempt = 0; ; attempt++) {
    const { choice, met } = chooser.choose(target);
    const plan = planOf(rotated, cells, choice, fixed);
    if (goal.kind === 'energy' || plan.bytes <= goal.bytes) return plan;
    if (!met) return tooSmall(plan.bytes);
    // A smaller target may lead to another choice, whose far lists are longer: reductions grow from attempt to attempt.
    target = { kind: 'bytes', bytes: (target as { bytes: number }).bytes - (1 + attempt) * (plan.bytes - goal.bytes) };
  }
}

function planOf(rotated: RotatedModel, cells: Cells, choice: Choice, fixed: number): Plan {
  const used = usedVectors(rotated, cells, choice.kept);
  const tree = rotatedTree(rotated, cells, choice, used);
  const lists = blockLists(tree.tree, choice);
  const nodes = tree.tree.begin.length;
  const layout = layOut(
    tree.tree,
    lists,
    { maxRank: 0, ranks: sharedInt32(nodes), choice: sharedInt32(0), skeletons: sharedInt32(0) },
    true,
  );
  const data = assemble(layout, lists, new Float64Array(0), { format: 'fmm' });
  return {
    choice,
    used,
    tree,
    lists,
    layout,
    bytes: fixed + basisCost(rotated, used).bytes + memoryUse(data, layout.elements).bytes,
  };
}
