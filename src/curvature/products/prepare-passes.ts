/**
 * The passes of a batch, computed by ranges of samples straight into the shared state.
 */
import { NonFiniteError } from '../../core/errors.js';
import type { Blas } from '../../dense/blas.js';
import { block, view, zeros, type FloatArray, type Matrix } from '../../dense/matrix.js';
import { hasUnitSlope, hasZeroCurvature } from '../../network/activations/table.js';
import { backpropagate } from '../../network/backward.js';
import { batchOf, type DataSet } from '../../network/data-set.js';
import { forward, type ForwardPass } from '../../network/forward.js';
import { applyLossHessian, lossGradient } from '../../network/losses/evaluate.js';
import { checkTargets } from '../../network/losses/targets.js';
import { layerWeights } from '../../network/network.js';
import { defineTask } from '../../parallel/task.js';
import { sampleOutputErrors } from '../../network/losses/sampled-errors.js';
import type { Batch } from './sample-cut.js';
import type { SampleState } from './sample-state.js';

/** Most samples of a task. */
const PREPARED_AT_A_TIME = 256;

/** Samples of a batch whose passes a task makes. */
export interface Piece {
  readonly at: number;
  readonly count: number;
}

/** The pieces of a batch: they begin with its segments, so that bits depend neither on the batch nor on the team. */
export const piecesOf = ({ first, segments }: Batch): Piece[] =>
  segments.flatMap((segment) =>
    Array.from({ length: Math.ceil(segment.count / PREPARED_AT_A_TIME) }, (_, k) => ({
      at: segment.first - first + k * PREPARED_AT_A_TIME,
      count: Math.min(PREPARED_AT_A_TIME, segment.count - k * PREPARED_AT_A_TIME),
    })),
  );

/** The pieces of a batch whose first sample is the data set's number `first`; inputs and targets stand in the state. */
export interface PrepareArguments {
  readonly first: number;
  readonly pieces: readonly Piece[];
}

/**
 * Reads samples first … first + count − 1 into the state, `piece` of them at a time. Throws NonFiniteError, OptionError
 * for targets.
 */
export function readBatch(state: SampleState, data: DataSet, first: number, count: number, piece: number): void {
  const { network, layers, targets } = state;
  const { width } = network.layers[0];
  for (let done = 0; done < count; done += piece) {
    const cols = Math.min(piece, count - done);
    const batch = batchOf(data, first + done, cols);
    copyColumns(batch.inputs, layers[0].inputs, done, width);
    if (targets === null) continue;
    checkTargets(state.loss, batch.targets, first + done);
    copyColumns(batch.targets, targets, done, network.outputs);
  }
}

function copyColumns(from: Matrix, to: FloatArray, firstColumn: number, ld: number): void {
  for (let j = 0; j < from.cols; j++) {
    const at = from.offset + j * from.ld;
    to.set(from.data.subarray(at, at + from.rows), (firstColumn + j) * ld);
  }
}

/** Columns [first, first + count) of a stored array as a matrix of its own. */
const columns = (array: FloatArray, rows: number, first: number, count: number): Matrix =>
  view(array.subarray(first * rows, (first + count) * rows), 0, rows, count);

class Preparation {
  readonly #state: SampleState;
  readonly #blas: Blas;

  constructor(state: SampleState, blas: Blas) {
    this.#state = state;
    this.#blas = blas;
  }

  /** Passes of samples [at, at + count) of the state, which are the data set's from number `first` on. */
  run(at: number, count: number, first: number): void {
    const { network, parameters, layers, sum, loss } = this.#state;
    const inputs = columns(layers[0].inputs, network.layers[0].width, at, count);
    const pass = this.#forward(block(inputs, 0, 0, network.inputs, count), at, first);
    if (sum.kind === 'gradients') {
      this.#gradients(pass, at, first);
      return;
    }
    const gradient = sum.kind === 'hessian' ? this.#temporary(network.outputs, count) : null;
    if (gradient !== null) {
      lossGradient(loss, pass.output, columns(this.#state.targets!, network.outputs, at, count), gradient);
      const errors = this.#errors(pass, at, 0, (out) => {
        out.data.set(gradient.data);
      });
      network.layers.forEach((_, ℓ) => {
        const { curvature } = layers[ℓ];
        if (curvature === null) return;
        const stored = columns(curvature, network.layers[ℓ].outputs, at, count);
        if (ℓ === network.layers.length - 1) {
          multiplyInto(stored.data, gradient.data);
          return;
        }
        const above = network.layers[ℓ + 1];
        const pulled = this.#temporary(above.inputs, count);
        this.#blas.gemm(
          'N',
          'N',
          1,
          block(layerWeights(above, parameters), 0, 0, above.inputs, above.outputs),
          errors[ℓ + 1],
          0,
          pulled,
        );
        multiplyInto(stored.data, pulled.data);
      });
    }
    this.#weights(pass, gradient, at);
  }

  /** Errors of the gradients at the targets, or at labels drawn from the model, draw by draw. */
  #gradients(pass: ForwardPass, at: number, first: number): void {
    const {
      network: { outputs: r },
      loss,
      sum,
      targets,
    } = this.#state;
    const { count } = pass;
    if (sum.kind !== 'gradients') return;
    if (sum.seed === null) {
      this.#errors(pass, at, 0, (out) => {
        lossGradient(loss, pass.output, columns(targets!, r, at, count), out);
      });
      return;
    }
    const drawn = this.#temporary(r, count * sum.draws);
    sampleOutputErrors(loss, pass.output, { draws: sum.draws, seed: sum.seed, first }, drawn);
    for (let draw = 0; draw < sum.draws; draw++) {
      this.#errors(pass, at, draw, (out) => {
        for (let i = 0; i < count; i++) {
          const from = (i * sum.draws + draw) * r;
          out.data.set(drawn.data.subarray(from, from + r), i * r);
        }
      });
    }
  }

  #temporary(rows: number, cols: number): Matrix {
    return zeros(rows, cols, this.#state.precision);
  }

  /** The forward pass into the state's own arrays; what the state does not keep goes into temporaries. */
  #forward(inputs: Matrix, at: number, first: number): ForwardPass {
    const { network, parameters, layers, output, sum } = this.#state;
    const count = inputs.cols;
    const curvatures = sum.kind === 'hessian';
    const place = (array: FloatArray | null | undefined, rows: number): Matrix =>
      array ? columns(array, rows, at, count) : this.#temporary(rows, count);
    const reuse: ForwardPass = {
      count,
      inputs: network.layers.map(({ width }, ℓ) => columns(layers[ℓ].inputs, width, at, count)),
      slopes: network.layers.map(({ activation, outputs }, ℓ) =>
        hasUnitSlope(activation) ? null : place(layers[ℓ].slope, outputs),
      ),
      curvatures: curvatures
        ? network.layers.map(({ activation, outputs }, ℓ) =>
            hasZeroCurvature(activation) ? null : place(layers[ℓ].curvature, outputs),
          )
        : null,
      output: place(output, network.outputs),
    };
    try {
      return forward(network, parameters, inputs, this.#blas, { curvatures, reuse });
    } catch (error) {
      if (!(error instanceof NonFiniteError) || typeof error.data['sample'] !== 'number') throw error;
      throw new NonFiniteError(`${error.message} (The batch begins with sample ${first} of the data.)`, {
        ...error.data,
        sample: first + error.data['sample'],
      });
    }
  }

  /**
   * δ_ℓ of every layer, in the state where it keeps them; `fillOutputErrors` gives the gradients with respect to a_L.
   */
  #errors(pass: ForwardPass, at: number, draw: number, fillOutputErrors: (out: Matrix) => void): Matrix[] {
    const { network, parameters, layers, capacity } = this.#state;
    const { count } = pass;
    const last = network.layers.length - 1;
    const reuse: Matrix[] = [];
    layers.forEach(({ error }, ℓ) => {
      if (error !== null) reuse[ℓ] = columns(error, network.layers[ℓ].outputs, draw * capacity + at, count);
    });
    // Where the outputs are linear, the errors at z_L are those at a_L.
    const errors =
      pass.slopes[last] === null && reuse[last] !== undefined ? reuse[last] : this.#temporary(network.outputs, count);
    fillOutputErrors(errors);
    return backpropagate(network, parameters, pass, errors, { blas: this.#blas, reuse });
  }

  /** φ′² diag Q, and for the Hessian + φ″∘∇loss. */
  #weights(pass: ForwardPass, gradient: Matrix | null, at: number): void {
    const { network, loss, weight } = this.#state;
    if (weight === null) return;
    const last = network.layers.length - 1;
    const w = columns(weight, network.outputs, at, pass.count);
    w.data.fill(1);
    applyLossHessian(loss, pass.output, w, w);
    const slope = pass.slopes[last];
    if (slope !== null) {
      multiplyInto(w.data, slope.data);
      multiplyInto(w.data, slope.data);
    }
    const curvature = pass.curvatures?.[last];
    if (curvature !== undefined && curvature !== null && gradient !== null)
      for (let k = 0; k < w.data.length; k++) w.data[k] += curvature.data[k] * gradient.data[k];
  }
}

function multiplyInto(x: FloatArray, y: FloatArray): void {
  for (let k = 0; k < x.length; k++) x[k] *= y[k];
}

/** Passes of the task's piece. */
export const prepareTask = defineTask<SampleState, PrepareArguments>(
  import.meta.url,
  'prepareTask',
  (state, { blas }) => {
    const preparation = new Preparation(state, blas);
    return (task, { first, pieces }) => {
      const { at, count } = pieces[task];
      preparation.run(at, count, first + at);
    };
  },
);
