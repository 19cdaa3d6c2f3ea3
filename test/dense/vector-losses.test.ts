/** Activations and losses over the linear memory, against formulas in double precision. */
import { describe, expect, it } from 'vitest';
import { ShapeError } from '#hmatrix/core/errors.js';
import type { FloatArray } from '#hmatrix/core/floats.js';
import { RandomStream } from '#hmatrix/core/random.js';
import type { ActivationKind } from '#hmatrix/dense/vector-memory.js';
import { exponentialSum, FORMULAS, logistic } from './vector-formulas.js';
import { bits, close, epsilonOf, memory, normal, place, positive, PRECISIONS } from './vector-support.js';

const NAMES = Object.keys(FORMULAS) as ActivationKind[];
const { sqrt, abs } = Math;

describe.each(PRECISIONS)('activations and losses in %s', (precision) => {
  const k = memory.kernels(precision);
  const eps = epsilonOf(precision);

  it.each(NAMES)('%s_and_its_derivatives_are_their_formulas_where_it_saturates_too', (name) => {
    const n = 20001;
    const x = memory.take(n, precision);
    const far = (precision === 'f32' ? 86 : 700) / (name === 'tanh' ? 2 : 1);
    const reach = name === 'gelu' ? sqrt(2 * far) : far;
    const random = new RandomStream(11);
    for (let i = 0; i < n; i++) x[i] = (2 * random.uniform() - 1) * [1e-6, 0.1, 1, 4, reach][i % 5];
    x[0] = 0;
    const [slope, curvature] = [memory.take(n, precision), memory.take(n, precision)];
    const z = place(x, precision);
    k.activate(name, n, 1, z, n, slope, curvature);
    for (let i = 0; i < n; i++) {
      const { values, scales } = FORMULAS[name](x[i]);
      [z, slope, curvature].forEach((array, q) =>
        close(precision, array[i], values[q], scales[q], 8, `${name} ${q} at ${x[i]}`),
      );
    }
    const alone = place(x, precision);
    k.activate(name, n, 1, alone, n, null, null);
    expect(bits(alone)).toEqual(bits(z));
    const [y, first, second] = [memory.take(n, precision), memory.take(n, precision), memory.take(n, precision)];
    const before = bits(x);
    k.activateTo(name, n, x, y, null, null);
    k.activateTo(name, n, x, null, first, null);
    k.activateTo(name, n, x, null, null, second);
    expect([y, first, second, z].map(bits)).toEqual([z, slope, curvature, y].map(bits));
    expect(bits(x)).toEqual(before);
    k.activateTo(name, n, x, x, first.fill(0), second.fill(0));
    expect([x, first, second].map(bits)).toEqual([y, slope, curvature].map(bits));
  });

  it.each(NAMES)('%s_on_a_block_touches_nothing_else_and_an_entry_has_its_bits_wherever', (name) => {
    for (let rows = 0; rows <= 17; rows++) {
      const [cols, ldz] = [5, rows + 3];
      const z = normal(cols * ldz, precision, rows + 1, 2);
      const before = z.slice();
      const [slope, curvature] = [memory.take(rows * cols + 1, precision), memory.take(rows * cols + 1, precision)];
      k.activate(name, rows, cols, z, ldz, slope, curvature);
      const one = memory.take(3, precision);
      for (let at = 0; at < cols * ldz; at++) {
        const i = at % ldz;
        one[0] = before[at];
        if (i < rows) k.activate(name, 1, 1, one, 1, one.subarray(1), one.subarray(2));
        expect(z[at]).toBe(one[0]);
        const to = i + Math.floor(at / ldz) * rows;
        if (i < rows) expect([slope[to], curvature[to]]).toEqual([one[1], one[2]]);
      }
      expect([slope[rows * cols], curvature[rows * cols]]).toEqual([0, 0]);
    }
  });

  it('activations_have_their_limits_at_infinity_and_keep_NaN', () => {
    const leak = precision === 'f32' ? Math.fround(0.01) : 0.01;
    const limits: Readonly<Record<ActivationKind, readonly (readonly number[])[]>> = {
      linear: [
        [Infinity, 1, 0],
        [-Infinity, 1, 0],
      ],
      relu: [
        [Infinity, 1, 0],
        [0, 0, 0],
      ],
      tanh: [
        [1, 0, 0],
        [-1, 0, 0],
      ],
      sigmoid: [
        [1, 0, 0],
        [0, 0, 0],
      ],
      softplus: [
        [Infinity, 1, 0],
        [0, 0, 0],
      ],
      gelu: [
        [Infinity, 1, 0],
        [0, 0, 0],
      ],
      silu: [
        [Infinity, 1, 0],
        [0, 0, 0],
      ],
      leakyRelu: [
        [Infinity, 1, 0],
        [-Infinity, leak, 0],
      ],
    };
    for (const name of NAMES) {
      const z = memory.take(5, precision);
      z.set([Infinity, -Infinity, precision === 'f32' ? 3e38 : 1e308, precision === 'f32' ? -3e38 : -1e308, NaN]);
      const [slope, curvature] = [memory.take(5, precision), memory.take(5, precision)];
      k.activate(name, 5, 1, z, 5, slope, curvature);
      const at = (i: number): number[] => [z[i], slope[i], curvature[i]].map((value) => value + 0);
      expect([at(0), at(1)], name).toEqual(limits[name]);
      expect([at(2).slice(1), at(3).slice(1)], name).toEqual(limits[name].map((limit) => limit.slice(1)));
      expect(z[4], name).toBeNaN();
    }
  });

  it('losses_and_gradients_are_their_formulas', () => {
    for (const [rows, cols] of [...[...Array(18).keys()].map((r) => [r, 7]), [10, 523], [1000, 3], [3001, 2], [0, 3]]) {
      const n = rows * cols;
      const f = normal(n, precision, 1, 4);
      const y = positive(n, precision, 2);
      for (let j = 0; j < cols; j++) {
        let sum = 0;
        for (let i = j * rows; i < (j + 1) * rows; i++) sum += y[i];
        for (let i = j * rows; i < (j + 1) * rows; i++)
          y[i] = j % 2 === 0 ? y[i] / sum : i === j * rows + (j % rows) ? 1 : 0;
      }
      for (const kind of ['squared', 'bce', 'softmax'] as const) {
        let sum = 0;
        const expected = new Float64Array(n);
        for (let j = 0; j < cols; j++) {
          const { largest, sum: exponentials } = exponentialSum(f, j * rows, rows);
          for (let i = j * rows; i < (j + 1) * rows; i++) {
            if (kind === 'squared') {
              sum += 0.5 * (f[i] - y[i]) ** 2;
              expected[i] = f[i] - y[i];
            } else if (kind === 'bce') {
              sum += Math.max(f[i], 0) - f[i] * y[i] + Math.log1p(Math.exp(-abs(f[i])));
              expected[i] = logistic(f[i]) - y[i];
            } else {
              sum += y[i] * (Math.log(exponentials) + largest - f[i]);
              expected[i] = Math.exp(f[i] - largest) / exponentials - y[i];
            }
          }
        }
        const out = memory.take(n + 1, precision);
        const total = k.lossGradient(kind, 0.25, rows, cols, f, y, out);
        expect(abs(total - 0.25 * sum), `${kind} ${rows} × ${cols}`).toBeLessThanOrEqual(8 * eps * sum);
        const scale = (i: number): number => 0.25 * (abs(f[i]) + 1);
        for (let i = 0; i < n; i++)
          close(precision, out[i], 0.25 * expected[i], scale(i), 6, `${kind} at ${i} of ${rows} × ${cols}`);
        expect(out[n]).toBe(0);
        const same = place(f, precision);
        expect(k.lossGradient(kind, 0.25, rows, cols, same, y, same)).toBe(total);
        expect(bits(same)).toEqual(bits(out.subarray(0, n)));
      }
    }
  });

  it('means_keep_their_relative_accuracy', () => {
    for (const [rows, cols] of [...[...Array(18).keys()].map((r) => [r, 7]), [10, 523], [1000, 3], [3001, 2]]) {
      const f = normal(rows * cols, precision, 1, 5);
      const out = memory.take(rows * cols, precision);
      k.mean('bce', rows, cols, f, out);
      f.forEach((z, i) => close(precision, out[i], logistic(z), logistic(z), 4, `σ(${z})`));
      k.mean('softmax', rows, cols, f, out);
      for (let i = 0; i < rows * cols; i++) {
        const at = Math.floor(i / rows) * rows;
        const { largest, sum } = exponentialSum(f, at, rows);
        const exact = Math.exp(f[i] - largest) / sum;
        close(precision, out[i], exact, exact, 4 + (largest - f[i]) / 2, `softmax ${i} of ${rows} × ${cols}`);
      }
    }
  });

  it('columns_have_their_bits_wherever_they_stand', () => {
    for (const rows of [1, 3, 10, 300]) {
      const cols = 61;
      const f = normal(rows * cols, precision, 4, 3);
      const y = positive(rows * cols, precision, 5);
      const whole = memory.take(rows * cols, precision);
      const parts = memory.take(rows * cols, precision);
      const each = (run: (from: number, count: number, out: FloatArray) => void): void => {
        run(0, cols, whole);
        for (let j = 0; j < cols; j += 7) run(j * rows, Math.min(7, cols - j), parts.subarray(j * rows));
        expect(bits(parts)).toEqual(bits(whole));
      };
      each((at, count, out) => k.mean('softmax', rows, count, f.subarray(at), out));
      each((at, count, out) => {
        k.lossGradient('softmax', 0.3, rows, count, f.subarray(at), y.subarray(at), out);
      });
      each((at, count, out) => {
        k.combine(rows * count, 1, f.subarray(at), 0, out);
        k.softmaxHessian(rows, count, y.subarray(at), count, out);
      });
    }
  });

  it('a_softmax_bears_large_logits_and_impossible_classes_and_shows_NaN', () => {
    const f = memory.take(9, precision);
    f.set([1e30, 0, -1e30, -Infinity, 1, 1, 2, NaN, 3]);
    const y = memory.take(9, precision);
    y.set([1, 0, 0, 0, 1, 0, 1, 0, 0]);
    const out = memory.take(9, precision);
    expect(abs(k.lossGradient('softmax', 1, 3, 2, f, y, out) - Math.log(2))).toBeLessThan(2 * eps);
    expect([...out.subarray(0, 6)]).toEqual([0, 0, 0, 0, -0.5, 0.5]);
    expect(k.lossGradient('softmax', 1, 3, 3, f, y, out)).toBeNaN();
    expect([...out.subarray(6)]).toEqual([NaN, NaN, NaN]);
    expect([...out.subarray(0, 6)]).toEqual([0, 0, 0, 0, -0.5, 0.5]);
  });

  it('softmaxHessian_is_diag_p_less_ppᵀ_also_where_a_class_is_all_but_certain', () => {
    for (const rows of [...Array(18).keys(), 40, 301]) {
      for (const each of [1, 3]) {
        const pcols = 6;
        const cols = pcols * each;
        const f = normal(rows * pcols, precision, 6);
        for (let j = 0; j < pcols && rows > 0; j++) f[j * rows + ((5 * j) % rows)] += 6 * j;
        const p = memory.take(rows * pcols, precision);
        k.mean('softmax', rows, pcols, f, p);
        const v = normal(rows * cols, precision, 7);
        const before = v.slice();
        k.softmaxHessian(rows, cols, p, pcols, v);
        for (let j = 0; j < cols; j++) {
          const at = Math.floor(j / each) * rows;
          for (let a = 0; a < rows; a++) {
            // Σ_b p_a p_b (v_a − v_b): no difference of large numbers.
            let exact = 0;
            let scale = 0;
            for (let b = 0; b < rows; b++) {
              const weight = p[at + a] * p[at + b];
              exact += weight * (before[j * rows + a] - before[j * rows + b]);
              if (a !== b) scale += weight * (abs(before[j * rows + a]) + abs(before[j * rows + b]));
            }
            close(precision, v[a + j * rows], exact, 4 * scale, 8, `${a} of ${rows}, column ${j}`);
          }
        }
      }
    }
    expect(() => k.softmaxHessian(1, 3, memory.take(2, precision), 2, memory.take(3, precision))).toThrow(ShapeError);
  });
});
