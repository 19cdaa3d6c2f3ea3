/**
 * Modes of any number of samples in two passes over the data and bounded memory.
 * The first pass adds up A of each layer and, for each pair of layers, the sketch Y = R·[u_1 ⊗ v_1, u_2 ⊗ v_2, …] =
 * Σ_i vec(m_i)·(ā_i·u_t)(ā_i′·v_t): a randomized range finder (N. Halko, P.-G. Martinsson, J. Tropp, SIAM Review
 * 53(2), 2011) with Khatri–Rao test vectors, of R that is never formed. Q orthonormalizes Y; where the m_i have no more
 * numbers than modes are asked for, Q is the identity. The second pass adds up QᵀR as matrices S in the eigenbasis of
 * the activations, which are then turned into modes. Test vectors that Q knows nothing of are kept as probes:
 * E‖(R − R̃)(u ⊗ v)‖² = ‖R − R̃‖_F² for standard normal u and v, whatever R̃ (sampled.ts).
 */
import { throwIfAborted } from '../../core/context.js';
import { nextTurn } from '../../core/event-loop.js';
import { requireMemory } from '../../core/memory.js';
import { RandomStream } from '../../core/random.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import { block, mirrorLower, view, zeros, type Matrix } from '../../dense/matrix.js';
import { symmetricEigen } from '../../dense/symmetric-eigen.js';
import { batchOf } from '../../network/data-set.js';
import { forward } from '../../network/forward.js';
import { squaredScale } from '../../network/losses/table.js';
import type { Model } from '../../network/model.js';
import { runOnce } from '../../parallel/run-once.js';
import { independentTasks } from '../../parallel/task-graph.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { widened, widenedMatrix } from '../entries/unit-gram-arrays.js';
import { describeLast, errorRows, type Complement, type RotatedLayer, type RotatedModel } from '../eigenbasis/model.js';
import { combineUnits, type UnitGrams } from '../eigenbasis/unit-grams.js';
import { accumulateModes, accumulationTasks, rotateStored, type Accumulated } from './accumulate.js';
import { orientation } from './grid.js';
import { gramSize, scaleTriangle, type PairModes } from './modes.js';

/** How modes are streamed. */
export interface StreamOptions {
  /** Most modes of a pair of layers. */
  readonly modes: number;
  /** Test vectors that the error is estimated with. */
  readonly probes: number;
  /** Samples in memory at a time. */
  readonly batchSize: number;
  readonly seed: number;
}

/** Test vectors of a pair and what R makes of them. */
export interface PairProbes {
  /** U_Aᵀu and U_A′ᵀv of the lower and the upper layer, directions × probes. */
  readonly lower: Matrix;
  readonly upper: Matrix;
  /** R·(u ⊗ v), D × probes, coordinates as of the modes. */
  readonly images: Matrix;
}

/** What two passes leave. */
export interface StreamedModes {
  readonly rotated: RotatedModel;
  readonly modes: readonly PairModes[];
  readonly probes: readonly PairProbes[];
}

/** A batch of samples: inputs of each layer, and the m_i of each pair (times n over the batch's size). */
interface BatchGrams {
  readonly inputs: readonly Matrix[];
  readonly grams: readonly UnitGrams[];
  readonly units: readonly number[];
  readonly lastVectors: Matrix | null;
}

/** Pairs of layers in the order of `pairIndex`. */
function pairsOf(layers: number): (readonly [number, number])[] {
  return Array.from({ length: layers }, (_, upper) => upper).flatMap((upper) =>
    Array.from({ length: upper + 1 }, (_, lower) => [lower, upper] as const),
  );
}

function batchGrams(model: Model, parameters: Float64Array, first: number, count: number, blas: Blas): BatchGrams {
  const { network, data } = model;
  const pass = forward(network, parameters, widenedMatrix(batchOf(data, first, count).inputs), blas);
  const lastErrors = describeLast(model, parameters, pass, blas);
  const { raw, rows } = errorRows({ ...model, parameters }, pass, lastErrors, blas);
  const last = network.layers.length - 1;
  const units = network.layers.map(({ outputs }, ℓ) =>
    ℓ === last && lastErrors.kind === 'diagonal' ? lastErrors.units : outputs,
  );
  const roots = lastErrors.kind === 'diagonal' ? lastErrors.roots : 0;
  const grams = pairsOf(network.layers.length).map(([lower, upper]) => {
    const of = (ℓ: number): { errors: Matrix | null; units: number } => ({ errors: raw[ℓ], units: units[ℓ] });
    const gram = combineUnits(of(lower), of(upper), lower === upper, { samples: count, rows, roots }, blas);
    scaleTriangle(gram, count);
    return gram;
  });
  const lastVectors = lastErrors.kind === 'diagonal' ? lastErrors.vectors : null;
  return { inputs: pass.inputs, grams, units, lastVectors };
}

/** Calls `visit` with every batch, and a turn for the event loop between them. */
async function eachBatch(
  model: Model,
  { batchSize }: StreamOptions,
  phase: string,
  control: TeamControl,
  visit: (batch: BatchGrams, count: number) => void | Promise<void>,
): Promise<void> {
  const parameters = widened(model.parameters);
  const { samples } = model.data;
  for (let first = 0; first < samples; first += batchSize) {
    await nextTurn();
    throwIfAborted(control.signal);
    const count = Math.min(batchSize, samples - first);
    await visit(batchGrams(model, parameters, first, count, control.team.blas), count);
    control.onProgress?.({ phase, done: first + count, total: samples });
  }
}

/** Bytes that streaming takes at most: sums of all S_j, sketches, and a batch. */
export function streamMemory({ network }: Model, { modes, probes, batchSize }: StreamOptions): number {
  let numbers = 0;
  let widest = 0;
  for (const [lower, upper] of pairsOf(network.layers.length)) {
    const [a, b] = [network.layers[lower], network.layers[upper]];
    const d = a.outputs * b.outputs;
    numbers += Math.min(modes, d) * a.width * b.width + d * (2 * modes + probes) + batchSize * (d + modes);
    widest = Math.max(widest, d * modes);
  }
  for (const { width, outputs } of network.layers)
    numbers += 4 * width ** 2 + 2 * width * (modes + probes) + batchSize * (3 * width + outputs * network.outputs);
  return 8 * (numbers + widest);
}

/**
 * At most `modes` modes of every pair of layers, in two passes over the data. Cost: 2n·modes for each number of a block
 * of inputs and of an m_i, 4·modes² for each number of the former. The same bits for any team. Throws MemoryError
 * before anything is read, AbortedError, what passes through the network throw.
 */
export async function streamModes(
  model: Model,
  options: StreamOptions,
  memoryLimit: number,
  control: TeamControl,
): Promise<StreamedModes> {
  requireMemory(streamMemory(model, options), memoryLimit, {
    what: `Sums of ${options.modes} modes for every pair of layers need up to`,
    advice: 'ask for fewer modes, or raise memoryLimit.',
  });
  const { network, data, loss } = model;
  const { blas } = control.team;
  const n = data.samples;
  const pairs = pairsOf(network.layers.length);
  const count = options.modes + options.probes;
  const draw = (side: number): Matrix[] =>
    network.layers.map(({ width }, ℓ) => {
      const vectors = zeros(width, count);
      new RandomStream(options.seed, side, ℓ).fillNormal(vectors.data);
      return vectors;
    });
  const [left, right] = [draw(1), draw(2)];
  const inputGrams = network.layers.map(({ width }) => zeros(width, width));
  let sketches: Matrix[] = [];
  let shape: Omit<BatchGrams, 'inputs'> | undefined;
  await eachBatch(model, options, 'sketch modes', control, (batch, size) => {
    shape = batch;
    if (sketches.length === 0) sketches = batch.grams.map((gram) => zeros(gramSize(gram, size), count));
    const dots = (vectors: readonly Matrix[]): Matrix[] =>
      vectors.map((test, ℓ) => {
        const out = zeros(count, size);
        blas.gemm('T', 'N', 1, test, batch.inputs[ℓ], 0, out);
        return out;
      });
    const [a, b] = [dots(left), dots(right)];
    network.layers.forEach((_, ℓ) => {
      blas.syrk('L', 'N', 1, batch.inputs[ℓ], 1, inputGrams[ℓ]);
    });
    pairs.forEach(([lower, upper], k) => {
      const d = sketches[k].rows;
      if (d === 0) return;
      const products = zeros(count, size);
      for (let i = 0; i < products.data.length; i++) products.data[i] = a[lower].data[i] * b[upper].data[i];
      blas.gemm('T', 'T', size / n, view(batch.grams[k].vectors, 0, size, d), products, 1, sketches[k]);
    });
  });
  const { units, grams, lastVectors } = shape!;
  const last = network.layers.length - 1;
  const scale = squaredScale(loss, network.outputs);
  const complement = complementOf(inputGrams[last], lastVectors, (scale ?? 0) / n);
  const layers = network.layers.map((layer, ℓ): RotatedLayer => {
    const inputVectors = eigenvectors(inputGrams[ℓ], blas);
    return {
      layer,
      inputVectors,
      outputVectors: ℓ === last ? lastVectors : null,
      directions: inputVectors.cols,
      units: units[ℓ],
      activations: new Float64Array(0),
    };
  });
  const bases = sketches.map((sketch) => rangeOf(block(sketch, 0, 0, sketch.rows, options.modes), blas));
  const sums = pairs.map(([lower, upper], k): Accumulated => {
    const { row, column } = orientation(layers, lower, upper);
    const modes = bases[k]?.cols ?? sketches[k].rows;
    return { row, column, modes, values: sharedFloat64(modes * layers[row].directions * layers[column].directions) };
  });
  await eachBatch(model, options, 'sum modes', control, async (batch, size) => {
    const activations = layers.map(({ inputVectors }, ℓ) => {
      const out = sharedFloat64(size * inputVectors.cols);
      blas.gemm('T', 'N', 1, batch.inputs[ℓ], inputVectors, 0, view(out, 0, size, inputVectors.cols));
      return out;
    });
    const coefficients = sums.map(({ modes }, k) => {
      const c = sharedFloat64(size * modes);
      const m = view(batch.grams[k].vectors, 0, size, sketches[k].rows);
      const basis = bases[k];
      if (basis === null) for (let i = 0; i < c.length; i++) c[i] = (m.data[i] * size) / n;
      else blas.gemm('N', 'N', size / n, m, basis, 0, view(c, 0, size, modes));
      return c;
    });
    const state = {
      samples: size,
      directions: layers.map(({ directions }) => directions),
      activations,
      coefficients,
      sums,
      tasks: accumulationTasks(sums),
    };
    await runOnce('sum modes', accumulateModes, state, independentTasks(state.tasks.length / 3), control);
  });
  const modes = pairs.map(([lower, upper], k): PairModes => {
    const { energies, matrices } = rotateStored(sums[k], layers, bases[k], blas);
    return {
      lower,
      upper,
      form: grams[k].form,
      count: sums[k].modes,
      numbers: sketches[k].rows,
      matrices,
      coefficients: new Float64Array(0),
      stored: sums[k].values,
      energies,
    };
  });
  const rotatedProbes = (vectors: readonly Matrix[]): Matrix[] =>
    vectors.map((test, ℓ) => {
      const out = zeros(layers[ℓ].directions, options.probes);
      blas.gemm('T', 'N', 1, layers[ℓ].inputVectors, block(test, 0, options.modes, test.rows, options.probes), 0, out);
      return out;
    });
  const [lowerProbes, upperProbes] = [rotatedProbes(left), rotatedProbes(right)];
  return {
    rotated: { samples: n, layers, grams: [], complement },
    modes: modes.filter(({ count: some }) => some > 0),
    probes: pairs.flatMap(([lower, upper], k) =>
      modes[k].count === 0
        ? []
        : {
            lower: lowerProbes[lower],
            upper: upperProbes[upper],
            images: block(sketches[k], 0, options.modes, sketches[k].rows, options.probes),
          },
    ),
  };
}

/** Orthonormal eigenvectors of a Gram matrix (its lower triangle) by falling eigenvalue, without its kernel's. */
function eigenvectors(gram: Matrix, blas: Blas): Matrix {
  const { rows } = gram;
  const vectors = zeros(rows, rows);
  vectors.data.set(gram.data);
  const values = symmetricEigen(blas, vectors, 'a Gram matrix of activations');
  const least = rows * Number.EPSILON * values[rows - 1];
  const kept = values.filter((value) => value > least && value > 0).length;
  const out = view(sharedFloat64(rows * kept), 0, rows, kept);
  for (let j = 0; j < kept; j++)
    out.data.set(vectors.data.subarray((rows - 1 - j) * rows, (rows - j) * rows), j * rows);
  return out;
}

function complementOf(gram: Matrix, vectors: Matrix | null, scale: number): Complement | null {
  if (vectors === null || vectors.rows === vectors.cols) return null;
  const inputGram = zeros(gram.rows, gram.cols);
  for (let i = 0; i < inputGram.data.length; i++) inputGram.data[i] = scale * gram.data[i];
  mirrorLower(inputGram);
  return { inputGram, outputs: vectors.rows - vectors.cols };
}

/** An orthonormal basis of a sketch's columns; null for that of unit vectors, where there are no more rows. */
function rangeOf(sketch: Matrix, blas: Blas): Matrix | null {
  const { rows, cols } = sketch;
  if (rows <= cols) return null;
  const factor = zeros(rows, cols);
  factor.data.set(sketch.data.subarray(sketch.offset, sketch.offset + rows * cols));
  const tau = new Float64Array(cols);
  blas.geqrf(factor, tau);
  const basis = zeros(rows, cols);
  for (let j = 0; j < cols; j++) basis.data[j * (rows + 1)] = 1;
  blas.ormqr('L', 'N', factor, tau, basis);
  return basis;
}
