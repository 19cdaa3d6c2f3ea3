/**
 * One run: a hierarchical matrix is factored, and recorded: its log determinant, what the factors take, and what a
 * solve with them leaves. `hmatrix factor` and `hmatrix logdet` run this.
 */
import { sharedFloat64 } from '../core/shared-array.js';
import { squaredNorm, view } from '../dense/matrix.js';
import type { CompressOptions } from '../hierarchical/from-entries/options.js';
import { factor } from '../hierarchical/factor/factor.js';
import type { Factorization } from '../hierarchical/factor/factorization.js';
import type { HierarchicalMatrix } from '../hierarchical/matrix/hierarchical-matrix.js';
import type { CommonReport } from '../hierarchical/matrix/report.js';
import { decide, type Decision, type ErrorEstimate } from '../hierarchical/measure/error-interval.js';
import type { JsonObject } from '../io/container.js';
import { peakMemory, type MachineDescription } from '../io/machine.js';
import { shifted } from '../operator/shifted.js';
import type { TeamControl } from '../parallel/team-control.js';
import { isWrittenOut, logDeterminant, type LogDeterminant } from '../krylov/log-determinant.js';
import { quadratureWith } from '../solve/log-determinant.js';
import { operatorOf } from './matrix-operator.js';
import { compressInput, type CompressedInput } from './compress-input.js';
import { randomVectors } from './compression-run.js';
import { originOf } from './origin.js';
import { circumstances, type InputDescription, type Versions } from './record.js';
import { observeWorkers, type PhaseSpans } from './worker-times.js';

/** log det(A + λI) with its 95 % interval, by quadrature with K̃'s factors, or by A written out (`exact`). */
export interface ExactLogDeterminant {
  readonly outcome: LogDeterminant['outcome'];
  /** The numbers are null where they are not finite. */
  readonly value: number | null;
  readonly lower: number | null;
  readonly upper: number | null;
  /** Whether A was written out, and nothing estimated. */
  readonly exact: boolean;
  readonly probes: number;
}

/** A matrix that was factored. Seconds of wall time, bytes. */
export interface FactorRecord {
  readonly record: 'factor' | 'logdet';
  readonly date: string;
  readonly input: InputDescription;
  /** How the matrix was compressed, here or before. */
  readonly options: Pick<CommonReport, 'format' | 'leafSize' | 'maxRank' | 'tolerance' | 'dtype'>;
  /** Of what is random here; a saved matrix has its own in `input`. */
  readonly seed: number;
  readonly workers: number;
  /** λ. */
  readonly shift: number;
  /** log det(K̃ + λI), the natural logarithm. */
  readonly logdet: number;
  /**
   * log det(A + λI) of the matrix itself, where it was estimated from its entries; null of a saved matrix, and where
   * nobody asked for it.
   */
  readonly exact: ExactLogDeterminant | null;
  /**
   * ‖K − K̃‖_F/‖K‖_F and what it says of the tolerance, where the matrix was compressed here; null of a saved one,
   * whose source is not there.
   */
  readonly error:
    (ErrorEstimate & { readonly tolerance: number; readonly met: boolean; readonly decision: Decision }) | null;
  /** What kept the compression from its tolerance, as its own report says. */
  readonly limits: CommonReport['limits'];
  /** ‖b − (K̃ + λI)x‖/‖b‖ of one solve with a seeded standard normal b; null where none was asked for. */
  readonly residual: number | null;
  /** load: of a saved matrix; compress, error: of one compressed here; exact: of its own log determinant. */
  readonly seconds: {
    readonly load: number;
    readonly compress: number;
    readonly error: number;
    readonly factor: number;
    readonly solve: number;
    readonly exact: number;
  };
  /** When each worker was busy in which phase, of the compression, its error and the factorization. */
  readonly timeline?: readonly PhaseSpans[] | undefined;
  /** Of the compressed matrix, of its factors, and of the process at its peak. */
  readonly memory: { readonly matrix: number; readonly factors: number; readonly peakBytes: number };
  readonly blas: string;
  readonly machine: MachineDescription;
  readonly versions: Versions;
}

/** What is factored: a matrix that is loaded, or a source and how it is compressed. */
export interface FactorSetup {
  readonly record: FactorRecord['record'];
  readonly input: InputDescription;
  /** `about`: what its file tells of its origin. */
  readonly loaded?:
    | { readonly matrix: HierarchicalMatrix; readonly about?: JsonObject | undefined; readonly seconds: number }
    | undefined;
  readonly compress?: (CompressedInput & { readonly options: CompressOptions }) | undefined;
  readonly shift: number;
  readonly seed: number;
  readonly memoryLimit?: number | undefined;
  /** Probes that the log determinant of the matrix itself is estimated with; 0 for none of it; default 16, */
  readonly probes?: number | undefined;
  /** Called with the factorization before it is released, and what there is to tell of its matrix's origin. */
  readonly keep?: ((factorization: Factorization, about: JsonObject | undefined) => Promise<void>) | undefined;
}

const PROBES = 16;
/** and none beyond this N, where a product with all entries takes long. */
const EXACT_SIZE = 20_000;

/**
 * Compresses where that is asked for and measures the error, factors K̃ + λI, and of 'factor' solves once. The matrix
 * is released at the end. Throws what `compress` and `factor` throw: NotPositiveDefiniteError with the smallest shift
 * that works.
 */
export async function runFactor(setup: FactorSetup, control: TeamControl): Promise<FactorRecord> {
  const { record, input, loaded, compress, shift, seed, memoryLimit } = setup;
  const began = performance.now();
  const observed = observeWorkers(control.team);
  const { matrix, distance } =
    loaded === undefined
      ? await compressInput(compress!, compress!.options, control).catch((error: unknown) => {
          observed.end();
          throw error;
        })
      : { matrix: loaded.matrix, distance: undefined };
  try {
    const compressed = performance.now();
    const { report } = matrix;
    const { leafSize, maxRank, tolerance, limits } = report;
    const { format, dtype } = matrix.data;
    const estimate =
      compress === undefined
        ? undefined
        : await matrix.estimateError(compress.source, { seed: report.seed, tolerance }, control);
    const measured = performance.now();
    const factorization = await factor(matrix, { shift, memoryLimit }, control);
    const timeline = observed.end();
    try {
      const factored = performance.now();
      const solved = record === 'factor' ? residualOf(matrix, factorization, seed) : undefined;
      const solvedAt = performance.now();
      const exact =
        record === 'logdet' && compress !== undefined
          ? await exactOf(setup, compress, factorization, control)
          : undefined;
      const exactSeconds = (performance.now() - solvedAt) / 1000;
      const { logdet, bytes: factors } = factorization;
      const decision = estimate === undefined ? undefined : decide(estimate, tolerance);
      const error =
        estimate === undefined || decision === undefined
          ? null
          : { ...estimate, tolerance, met: decision === 'met', decision };
      const about =
        error === null || distance === undefined ? loaded?.about : originOf({ input, options: { distance }, error });
      await setup.keep?.(factorization, about);
      return {
        record,
        input,
        options: { format, leafSize, maxRank, tolerance, dtype },
        seed,
        workers: control.team.workers,
        shift,
        logdet,
        exact: exact ?? null,
        error,
        limits,
        residual: solved?.residual ?? null,
        seconds: {
          load: loaded?.seconds ?? 0,
          compress: compress === undefined ? 0 : (compressed - began) / 1000,
          error: compress === undefined ? 0 : (measured - compressed) / 1000,
          factor: (factored - measured) / 1000,
          solve: solved?.seconds ?? 0,
          exact: exact === undefined ? 0 : exactSeconds,
        },
        timeline,
        memory: { matrix: matrix.memory().bytes, factors, peakBytes: peakMemory() },
        blas: control.team.blas.description,
        ...circumstances(),
      };
    } finally {
      factorization.release();
    }
  } finally {
    observed.end();
    matrix.release();
  }
}

/** log det(A + λI) of the matrix itself; undefined where it is not asked for. Throws AbortedError. */
async function exactOf(
  { shift, seed, probes }: FactorSetup,
  { source, model }: CompressedInput,
  factorization: Factorization,
  control: TeamControl,
): Promise<ExactLogDeterminant | undefined> {
  const count = probes ?? (source.size <= EXACT_SIZE ? PROBES : 0);
  if (count === 0) return undefined;
  const { operator, release } = await operatorOf(model === undefined ? { source } : { model }, control);
  try {
    const system = shifted(operator, shift);
    const { team, signal, onProgress } = control;
    // As many probes as rows: what is small enough is written out.
    const dense = { seed, probes: probes ?? source.size };
    const found = isWrittenOut(system, dense)
      ? await logDeterminant(system, { ...dense, blas: team.blas }, { signal, onProgress })
      : await quadratureWith(system, factorization, { seed, probes: count }, control);
    const { outcome, value, lower, upper, exact } = found;
    const finite = (one: number): number | null => (Number.isFinite(one) ? one : null);
    return { outcome, value: finite(value), lower: finite(lower), upper: finite(upper), exact, probes: count };
  } finally {
    release();
  }
}

/** ‖b − (K̃ + λI)x‖/‖b‖ of x = (K̃ + λI)⁻¹b for a seeded b, and the seconds of the solve. */
function residualOf(
  matrix: HierarchicalMatrix,
  factorization: Factorization,
  seed: number,
): { readonly residual: number; readonly seconds: number } {
  const { size } = matrix;
  const b = randomVectors(size, 1, seed);
  const x = view(sharedFloat64(size), 0, size, 1);
  const began = performance.now();
  factorization.solve(b, x);
  const seconds = (performance.now() - began) / 1000;
  const length = squaredNorm(b);
  shifted(matrix, factorization.shift).applyUnchecked(b, x, -1, 1);
  return { residual: Math.sqrt(squaredNorm(b) / length), seconds };
}
