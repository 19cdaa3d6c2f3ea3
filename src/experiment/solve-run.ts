/**
 * One run: a system is solved, and recorded. Layer 7. The command runs this.
 */
import type { Matrix } from '../dense/matrix.js';
import { gaussNewton } from '../curvature/gauss-newton.js';
import { compress } from '../hierarchical/compress.js';
import type { CompressOptions } from '../hierarchical/options.js';
import { peakMemory } from '../io/machine.js';
import type { Model } from '../network/model.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TeamControl } from '../parallel/team-control.js';
import { entryOperator } from '../source/entry-operator.js';
import type { EntrySource } from '../source/entry-source.js';
import { solve, type SolveOptions, type SolveResult } from '../solve/solve.js';
import { circumstances, type InputDescription, type Versions } from './record.js';
import type { MachineDescription } from '../io/machine.js';

/** A system that was solved. Seconds of wall time, bytes. */
export interface SolveRecord {
  readonly record: 'solve';
  readonly date: string;
  readonly input: InputDescription;
  /** 'exact', or the format of the compressed matrix that was solved with in place of the matrix itself. */
  readonly matrix: string;
  readonly seed: number;
  readonly workers: number;
  readonly vectors: number;
  /** λ, and ‖A‖₂ where it was measured. */
  readonly shift: number;
  readonly norm: number | null;
  readonly preconditioner: SolveResult['preconditioner'];
  readonly reason: string;
  readonly outcome: SolveResult['outcome'];
  readonly iterations: number;
  readonly products: number;
  /** True relative residuals, and the largest of them; `met`: it is at most the tolerance. */
  readonly residual: number;
  readonly residuals: readonly number[];
  readonly tolerance: number;
  readonly met: boolean;
  readonly history: readonly number[];
  /** operator: training is not counted, evaluating the matrix or its passes is; compress: also of the matrix, where it is compressed. */
  readonly seconds: { readonly operator: number } & SolveResult['seconds'];
  readonly memory: SolveResult['memory'] & { readonly peakBytes: number };
  readonly blas: string;
  readonly machine: MachineDescription;
  readonly versions: Versions;
}

export interface SolveSetup {
  readonly input: InputDescription;
  /** Entries of the matrix, or the network whose Gauss–Newton matrix it is. */
  readonly source?: EntrySource;
  readonly model?: Model;
  /** Solve with the compressed matrix instead. */
  readonly compress?: CompressOptions;
  readonly rightHandSides: (size: number) => Promise<Matrix>;
  readonly options: Omit<SolveOptions, 'source' | 'model' | 'out' | 'guess'>;
}

interface System { readonly operator: LinearOperator; readonly source?: EntrySource; readonly compressing: number; release(): void }

/** The operator that is solved with. Throws what `compress` and `entryOperator` throw. */
async function systemOf({ source, model, compress: options }: SolveSetup, control: TeamControl): Promise<System> {
  const { team } = control;
  if (source === undefined) {
    const operator = gaussNewton(model!, { blas: team.blas, team });
    return { operator, compressing: 0, release: () => { operator.release(); } };
  }
  if (options !== undefined) {
    const began = performance.now();
    const operator = await compress(source, options, control);
    return { operator, source, compressing: (performance.now() - began) / 1000, release: () => { operator.release(); } };
  }
  if (source.operator !== undefined) return { operator: source.operator, source, compressing: 0, release: () => undefined };
  const operator = await entryOperator(source, {}, control);
  return { operator, source, compressing: 0, release: () => { operator.release(); } };
}

/** Solves and records. The same seed gives the same solution on a team of any size for a preconditioner that was named. Throws what `solve` throws. */
export async function runSolve(setup: SolveSetup, control: TeamControl): Promise<{ x: Matrix; record: SolveRecord }> {
  const { input, options } = setup;
  const began = performance.now();
  const system = await systemOf(setup, control);
  try {
    const made = (performance.now() - began) / 1000;
    const b = await setup.rightHandSides(system.operator.rows);
    const { x, residuals, history, seconds, memory, norm, shift, preconditioner, reason, outcome, iterations, products, residual } = await solve(system.operator, b, { ...options, ...(system.source === undefined ? {} : { source: system.source }) }, control);
    const { tolerance = 1e-8, seed = 0 } = options;
    const record: SolveRecord = {
      record: 'solve', input, matrix: setup.compress?.format ?? 'exact', seed, workers: control.team.workers, vectors: b.cols, shift, norm: norm ?? null, preconditioner, reason,
      outcome, iterations, products, residual, residuals: [...residuals], tolerance, met: outcome === 'converged', history: [...history],
      seconds: { operator: made - system.compressing, ...seconds, compress: seconds.compress + system.compressing },
      memory: { ...memory, peakBytes: peakMemory() }, blas: control.team.blas.description, ...circumstances(),
    };
    return { x, record };
  } finally {
    system.release();
  }
}
