/** Inputs of falling spectrum, as real data has them, so that there is something to compress; and distances. */
import { RandomStream } from '#hmatrix/core/random.js';
import type { Matrix } from '#hmatrix/dense/matrix.js';
import type { Model } from '#hmatrix/network/model.js';
import { randomModel } from './brute-force.js';

/** Replaces the inputs of a model's data by sums of eight cosines, each next one e^decay times smaller. */
export function smoothInputs(model: Model, decay: number): void {
  const { samples } = model.data;
  const { inputs } = model.data.batch(0, samples);
  const random = new RandomStream(9);
  for (let i = 0; i < samples; i++) {
    const phases = [random.normal(), random.normal(), random.normal()];
    for (let q = 0; q < inputs.rows; q++) {
      let v = 0;
      for (let f = 0; f < 8; f++)
        v += Math.exp(-f * decay) * Math.cos((f * Math.PI * q) / inputs.rows + phases[f % 3] * (f + 1));
      inputs.data[inputs.offset + q + i * inputs.ld] = v;
    }
  }
}

/** A network of tanh units on squared errors, unless `shape` says otherwise, with smooth inputs. */
export function smoothModel(widths: readonly number[], shape: Partial<Parameters<typeof randomModel>[0]> = {}): Model {
  const samples = shape.samples ?? 60;
  const model = randomModel({ widths, activation: 'tanh', loss: 'mse', bias: false, seed: 5, ...shape, samples });
  smoothInputs(model, 1);
  return model;
}

/** ‖a‖₂. */
export function norm(a: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] ** 2;
  return Math.sqrt(sum);
}

/** ‖A − B‖_F. */
export const distance = (a: Matrix, b: Matrix): number => norm(Float64Array.from(a.data, (v, i) => v - b.data[i]));
