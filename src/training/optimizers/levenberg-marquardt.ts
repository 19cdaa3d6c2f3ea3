/**
 * The method of K. Levenberg (1944) and D. Marquardt (1963): (G + λI)d = −g with the Gauss–Newton matrix, λ by the
 * ratio of f's reduction over the model's, the system in the form that is smallest: N × N, nr × nr, or by products.
 */
import { requireName } from '../../core/checks.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import { isGraphNetwork } from '../../layers/graph-model.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import type { Optimizer } from '../optimizer.js';
import { cgSolver } from '../newton/cg-solver.js';
import { composeNewton, SEARCH_KEYS, type SearchOptions, type SolverThere } from '../newton/compose.js';
import { denseSolver } from '../newton/dense-solver.js';
import { dualSolver } from '../newton/dual-solver.js';
import { requireCount, requireNumber } from '../newton/option-checks.js';
import { denseThere } from './dense-on-device.js';
import { DUAL_THERE } from './dual-on-device.js';
import type { SolverPlan } from '../newton/solver.js';

/** The forms of the system. */
export const LM_SOLVERS = ['auto', 'dense', 'dual', 'cg'] as const;
/** A form of the system; 'auto' chooses by the sizes. */
export type LmSolver = (typeof LM_SOLVERS)[number];

/** Options of {@link levenbergMarquardt}. */
export interface LevenbergMarquardtOptions extends Omit<SearchOptions, 'radius' | 'mostRadius'> {
  /**
   * 'dense' (N × N), 'dual' (nr × nr, for n samples of r outputs; of perceptrons alone), 'cg'; 'auto': the smaller of
   * the first two that the network has, where it is at most 2,000, else 'cg'. Default 'auto'.
   */
  readonly solver?: LmSolver | undefined;
  /** Of 'cg': most iterations. Default 100. */
  readonly iterations?: number | undefined;
  /** Of 'cg': relative residual. Default 1e-4. */
  readonly tolerance?: number | undefined;
}
const { radius: _radius, mostRadius: _mostRadius, ...LINE_KEYS } = SEARCH_KEYS;
/** The keys of {@link LevenbergMarquardtOptions}. */
export const LEVENBERG_MARQUARDT_KEYS: KeysOf<LevenbergMarquardtOptions> = {
  ...LINE_KEYS,
  solver: true,
  iterations: 'number',
  tolerance: 'number',
};

/** Largest system that is factored without being asked for. */
const MOST_ROWS = 2000;

const DENSE_THERE = denseThere({ curvature: 'gauss-newton', eigenvalues: 'absolute' });

/** Most parameters of a dense matrix that is asked for: 3.2 GB. */
const MOST_DENSE = 20_000;

/** The form for a network and a batch, here and on devices; of networks of layers it chooses no dual one. */
export function chooseLmSolver(solver: LmSolver, network: ParameterLayout, batchSize: number): LmSolver {
  if (solver !== 'auto') return solver;
  const { parameters, outputs } = network;
  const rows = isGraphNetwork(network) ? Infinity : batchSize * outputs;
  if (Math.min(parameters, rows) > MOST_ROWS) return 'cg';
  return parameters < rows ? 'dense' : 'dual';
}

/** Levenberg–Marquardt. λ begins at 1, ×2 and ÷3 by the ratio. Throws OptionError. */
export function levenbergMarquardt(options: LevenbergMarquardtOptions = {}): Optimizer {
  const name = 'levenberg-marquardt';
  const {
    solver = 'auto',
    iterations = 100,
    tolerance = 1e-4,
    increase = 2,
    decrease = 1 / 3,
    ...search
  } = requireKnownOptions(options, LEVENBERG_MARQUARDT_KEYS, name);
  requireName(solver, 'solver', name, LM_SOLVERS);
  requireCount(iterations, 'iterations', name);
  requireNumber(tolerance, 'tolerance', name, { closed: true, most: 1 });
  const plan = (network: ParameterLayout, batchSize: number): SolverPlan => {
    switch (chooseLmSolver(solver, network, batchSize)) {
      case 'dense':
        return denseSolver({ curvature: 'gauss-newton', eigenvalues: 'absolute', most: MOST_DENSE });
      case 'dual':
        return dualSolver();
      default:
        return cgSolver({ curvature: 'gauss-newton', iterations, tolerance });
    }
  };
  const thereOf = (network: ParameterLayout, batchSize: number): SolverThere => {
    switch (chooseLmSolver(solver, network, batchSize)) {
      case 'dense':
        return DENSE_THERE;
      case 'dual':
        return DUAL_THERE;
      default:
        return { begin: (_, own) => cgSolver({ curvature: 'gauss-newton', iterations, tolerance }).anywhere!(own) };
    }
  };
  const there: SolverThere = {
    passes: (network, batchSize) => thereOf(network, batchSize).passes?.(network, batchSize) ?? ['gauss-newton'],
    apart: (network, batchSize, loss) => thereOf(network, batchSize).apart?.(network, batchSize, loss) ?? 0,
    beside: (network, batchSize, loss) => thereOf(network, batchSize).beside?.(network, batchSize, loss) ?? 0,
    begin: (objective, own) =>
      thereOf(objective.options.perceptron ?? objective.network, objective.capacity).begin(objective, own),
  };
  return composeNewton(
    { ...search, increase, decrease },
    {
      name,
      curvature: 'gauss-newton',
      batchSize: 'all',
      defaults: { search: 'ratio', damping: 1 },
      searches: ['fixed', 'armijo', 'wolfe', 'ratio'],
      positive: true,
      settings: { solver, iterations, tolerance },
      solver: () => ({
        spare: (network, batchSize) => plan(network, batchSize).spare(network, batchSize),
        begin: (objective) => plan(objective.network, objective.capacity).begin(objective),
      }),
      there,
    },
  );
}
