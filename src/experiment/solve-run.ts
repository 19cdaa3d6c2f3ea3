/**
 * One run: a system is solved, and recorded. The command runs this.
 */
import type { Matrix } from '../dense/matrix.js';
import { compressEntries } from '../hierarchical/from-entries/compress.js';
import type { Factorization } from '../hierarchical/factor/factorization.js';
import type { CompressOptions } from '../hierarchical/from-entries/options.js';
import { peakMemory } from '../io/machine.js';
import { decide, type Decision } from '../hierarchical/measure/error-interval.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { EntrySource } from '../source/entry-source.js';
import { solveSystem } from '../solve/solve.js';
import type { SolveOptions, SolveResult } from '../solve/options.js';
import { LIBRARY_ADVICE, tellShortfall, type Advice } from '../solve/shortfall.js';
import { isDirect, solveDirectly } from './direct-solve.js';
import { exactResidual, type ExactResidual, type ResidualOptions } from './exact-residual.js';
import { operatorOf, released, type OpenOperator, type RunMatrix } from './matrix-operator.js';
import { circumstances, type InputDescription, type Versions } from './record.js';
import { observeWorkers, type PhaseSpans } from './worker-times.js';
import type { MachineDescription } from '../io/machine.js';

/** A system that was solved. Seconds of wall time, bytes. */
export interface SolveRecord {
  readonly record: 'solve';
  readonly date: string;
  readonly input: InputDescription;
  /** 'exact', or the format of the compressed matrix that was solved with. */
  readonly matrix: string;
  /**
   * Whose residual `residual` and `residuals` are: 'matrix', of the matrix that was asked for; 'compressed', of a saved
   * compressed matrix, which is all that there was.
   */
  readonly residualOf: 'matrix' | 'compressed';
  readonly seed: number;
  readonly workers: number;
  readonly vectors: number;
  /** Where b came from: a file, columns of a table, or 'seeded'; undefined where the caller does not tell. */
  readonly rightHandSide?: string | undefined;
  /** bᵀx of each right-hand side: of a Gaussian process with values b, yᵀ(K + λI)⁻¹y. */
  readonly quadratic?: readonly number[] | undefined;
  /** λ, and ‖A‖₂ where it was measured. */
  readonly shift: number;
  readonly norm: number | null;
  /**
   * Whether the compressed matrix itself was factored, and x is its direct solution, refined where `iterations` > 0:
   * `preconditioner` is then what its factors are.
   */
  readonly direct: boolean;
  readonly preconditioner: SolveResult['preconditioner'];
  readonly reason: string;
  readonly outcome: SolveResult['outcome'];
  readonly iterations: number;
  readonly products: number;
  /**
   * Relative residuals of X as it is handed back, and the largest of them: those of the matrix that was asked for, by
   * its own products or entries, also where a compressed one was solved with in its place; of a saved compressed matrix
   * its own.
   */
  readonly residual: number;
  readonly residuals: readonly number[];
  /**
   * How many of the N rows of the residual were looked at, and between which bounds the largest lies with 95 %
   * confidence: both are it where all were. `high` is null where a sample saw none.
   */
  readonly residualRows: number;
  readonly residualLow: number;
  readonly residualHigh: number | null;
  /** The largest residual of the compressed system, which is what was iterated on; null where the matrix itself was. */
  readonly compressedResidual: number | null;
  readonly tolerance: number;
  /** Who named it: the caller, the default, or float32, which allows no less. */
  readonly toleranceFrom: SolveResult['toleranceFrom'];
  /**
   * met: residualHigh is at most the tolerance; missed: residualLow is above it; undecided: it lies between them.
   * Without a compressed matrix, met is what `outcome` says.
   */
  readonly decision: Decision;
  /** Whether the decision is 'met'. */
  readonly met: boolean;
  readonly history: readonly number[];
  /**
   * load: reading a saved matrix or its factors, 0 of others; operator: training is not counted, evaluating the matrix
   * or its passes is; compress: also of the matrix, where it is compressed.
   */
  readonly seconds: { readonly load: number; readonly operator: number } & SolveResult['seconds'];
  /** When each worker was busy in the phases that have names; products of the iteration have none. */
  readonly timeline?: readonly PhaseSpans[] | undefined;
  readonly memory: SolveResult['memory'] & { readonly peakBytes: number };
  readonly blas: string;
  readonly machine: MachineDescription;
  readonly versions: Versions;
}

/**
 * The system, and how it is solved: that of a compressed matrix of format 'hss' or 'hodlr' directly, unless a
 * preconditioner is named.
 */
export interface SolveSetup extends RunMatrix {
  readonly input: InputDescription;
  /** Seconds that reading `matrix` took, and its factorization, where they were saved. */
  readonly loading?: number | undefined;
  /** Of `matrix`, to solve with directly, with its own λ; released at the end. */
  readonly factorization?: Factorization | undefined;
  /** Solve with the compressed matrix instead. */
  readonly compress?: CompressOptions | undefined;
  readonly rightHandSides: (size: number) => Promise<Matrix>;
  readonly options: Omit<SolveOptions, 'source' | 'model' | 'out' | 'guess'>;
  /** What to do about a tolerance that was missed, in the caller's words; default: the library's. */
  readonly advice?: (Advice & { readonly compression: string }) | undefined;
  /** How the residual of a compressed matrix's solution is found. */
  readonly residual?: ResidualOptions | undefined;
}

const ADVICE: Advice & { readonly compression: string } = {
  ...LIBRARY_ADVICE,
  compression: 'compress to a tighter tolerance, or solve with the matrix itself',
};

interface System extends OpenOperator {
  readonly source?: EntrySource | undefined;
  readonly compressing: number;
}

/** The operator that is solved with. Throws what `compress` and `operatorOf` throw. */
async function systemOf(setup: SolveSetup, control: TeamControl): Promise<System> {
  const { source, matrix, compress: options } = setup;
  if (matrix !== undefined || source === undefined || options === undefined)
    return { ...(await operatorOf(setup, control)), source, compressing: 0 };
  const began = performance.now();
  const compressed = await compressEntries(source, options, control);
  return { ...released(compressed), source, compressing: (performance.now() - began) / 1000 };
}

/**
 * Solves and records. The same seed gives the same solution on a team of any size for a preconditioner that was named.
 * Throws what `solve` throws.
 */
export async function runSolve(setup: SolveSetup, control: TeamControl): Promise<{ x: Matrix; record: SolveRecord }> {
  const { input, options } = setup;
  const began = performance.now();
  const observed = observeWorkers(control.team);
  const system = await systemOf(setup, control).catch((error: unknown) => {
    observed.end();
    throw error;
  });
  try {
    const made = (performance.now() - began) / 1000;
    const b = await setup.rightHandSides(system.operator.rows);
    const { method = 'cg', preconditioner: asked = 'auto', making: _, ...rest } = options;
    const factored =
      setup.matrix !== undefined && isDirect(setup.matrix) && method === 'cg' && asked === 'auto'
        ? setup.matrix
        : undefined;
    const solved =
      factored !== undefined
        ? await solveDirectly(factored, b, rest, control, setup.factorization)
        : await solveSystem(system.operator, b, { ...options, source: system.source }, control);
    const {
      x,
      history,
      seconds,
      memory,
      norm,
      shift,
      preconditioner,
      outcome,
      iterations,
      products,
      tolerance,
      toleranceFrom,
    } = solved;
    const timeline = observed.end();
    const { seed = 0 } = options;
    const checked =
      setup.compress === undefined || setup.source === undefined || outcome === 'aborted'
        ? undefined
        : await exactResidual(setup.source, shift, { b, x }, { seed, ...setup.residual }, control);
    const judged = judge(solved, checked);
    const reason = [solved.choice, ...explain(solved, judged, setup.advice ?? ADVICE)].join(' ');
    const record: SolveRecord = {
      record: 'solve',
      input,
      matrix: setup.matrix?.data.format ?? setup.compress?.format ?? 'exact',
      residualOf: setup.matrix === undefined ? 'matrix' : 'compressed',
      seed,
      workers: control.team.workers,
      vectors: b.cols,
      shift,
      norm: norm ?? null,
      direct: factored !== undefined,
      preconditioner,
      reason,
      outcome,
      iterations,
      products,
      ...judged,
      tolerance,
      toleranceFrom,
      met: judged.decision === 'met',
      history: [...history],
      seconds: {
        load: setup.loading ?? 0,
        operator: made - system.compressing,
        ...seconds,
        compress: seconds.compress + system.compressing,
      },
      timeline,
      memory: { ...memory, peakBytes: peakMemory() },
      blas: control.team.blas.description,
      ...circumstances(),
    };
    return { x, record };
  } finally {
    observed.end();
    system.release();
  }
}

type Judged = Pick<
  SolveRecord,
  'residual' | 'residuals' | 'residualRows' | 'residualLow' | 'residualHigh' | 'compressedResidual' | 'decision'
>;

/** What the residual against the matrix itself says, if that is not what was iterated on. */
function judge({ x, outcome, residual, residuals, tolerance }: SolveResult, exact: ExactResidual | undefined): Judged {
  if (exact === undefined) {
    return {
      residual,
      residuals: [...residuals],
      residualRows: x.rows,
      residualLow: residual,
      residualHigh: residual,
      compressedResidual: null,
      decision: outcome === 'converged' ? 'met' : 'missed',
    };
  }
  const [low, high] = [Math.max(...exact.low), Math.max(...exact.high)];
  return {
    residual: Math.max(...exact.residuals),
    residuals: [...exact.residuals],
    residualRows: exact.rows,
    residualLow: low,
    residualHigh: Number.isFinite(high) ? high : null,
    compressedResidual: residual,
    decision: decide({ low, high }, tolerance),
  };
}

/** Why the tolerance was not met: the iteration, the compression, or too few rows to tell. */
function explain(
  { shortfall, tolerance, residual: reached }: SolveResult,
  { residual, residualRows, residualLow, residualHigh, compressedResidual, decision }: Judged,
  advice: Advice & { readonly compression: string },
): string[] {
  const upper = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
  const iteration = shortfall === undefined ? [] : [upper(tellShortfall(shortfall, advice))];
  if (compressedResidual === null || decision === 'met') return iteration;
  if (decision === 'undecided')
    return [
      ...iteration,
      `From ${residualRows} rows the residual against the matrix itself is ${residual.toExponential(2)}, between ` +
        `${residualLow.toExponential(2)} and ${residualHigh === null ? '∞' : residualHigh.toExponential(2)} with ` +
        `95 % confidence; asked ${tolerance}: ${advice.compression}.`,
    ];
  return [
    ...iteration,
    `The compressed system is solved to ${reached.toExponential(2)}; against the matrix itself the residual is ` +
      `${residual.toExponential(2)}, asked ${tolerance}: ${advice.compression}.`,
  ];
}
