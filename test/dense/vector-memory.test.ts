/** The linear memory of training and its elementwise kernels, against formulas in double precision. */
import { describe, expect, it } from 'vitest';
import { MemoryError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import type { FloatArray, Precision } from '#hmatrix/core/floats.js';
import { VectorMemory, type VectorKernels } from '#hmatrix/dense/vector-memory.js';
import { runOnceWith } from '#hmatrix/parallel/run-once.js';
import type { TaskDefinition } from '#hmatrix/parallel/task.js';
import { independentTasks } from '#hmatrix/parallel/task-graph.js';
import { sharedTeam } from '../teams.js';
import { bits, close, memory, normal, positive, PRECISIONS } from './vector-support.js';

const { activateAway } = (await import('./vector-tasks.mjs' as string)) as { activateAway: TaskDefinition<unknown> };

interface Case {
  readonly arrays: number;
  /** Which arrays hold no negative numbers. */
  readonly positive?: readonly number[];
  readonly run: (k: VectorKernels, n: number, a: readonly FloatArray[]) => void;
  /** What each array is at i afterwards, and the scale of its error: a sum without cancellation. */
  readonly expected: (a: readonly number[]) => readonly (readonly [number, number] | null)[];
}

const { sqrt, abs } = Math;
const adam = { beta1: 0.9, beta2: 0.99, step: 0.01, epsilon: 1e-3 };
const direction = { beta1: 0.9, beta2: 0.99, correction1: 0.19, correction2: 0.02, epsilon: 1e-3 };
const step = (θ: number, by: number): readonly [number, number] => [θ - by, abs(θ) + abs(by)];

const CASES: Readonly<Record<string, Case>> = {
  combine: {
    arrays: 2,
    run: (k, n, [x, y]) => k.combine(n, 0.75, x, -1.25, y),
    expected: ([x, y]) => [null, [0.75 * x - 1.25 * y, abs(0.75 * x) + abs(1.25 * y)]],
  },
  scale: {
    arrays: 2,
    run: (k, n, [x, y]) => k.combine(n, 0.7, x, 0, y),
    expected: ([x]) => [null, [0.7 * x, abs(x)]],
  },
  'scale in place': {
    arrays: 1,
    run: (k, n, [y]) => k.combine(n, 0, y, -0.7, y),
    expected: ([y]) => [[-0.7 * y, abs(y)]],
  },
  zero: { arrays: 2, run: (k, n, [x, y]) => k.combine(n, 0, x, 0, y), expected: () => [null, [0, 0]] },
  multiply: { arrays: 2, run: (k, n, [x, y]) => k.multiply(n, x, y), expected: ([x, y]) => [null, [x * y, x * y]] },
  multiplyAdd: {
    arrays: 3,
    run: (k, n, [x, s, y]) => k.multiplyAdd(n, 0.7, x, s, y),
    expected: ([x, s, y]) => [null, null, step(y, -0.7 * x * s)],
  },
  multiplyTo: {
    arrays: 3,
    run: (k, n, [x, s, y]) => k.multiplyTo(n, 0.7, x, s, -0.3, y),
    expected: ([x, s, y]) => [null, null, [0.7 * x * s - 0.3 * y, abs(x * s) + abs(y)]],
  },
  'multiplyTo afresh': {
    arrays: 3,
    run: (k, n, [x, s, y]) => k.multiplyTo(n, 0.7, x, s, 0, y),
    expected: ([x, s]) => [null, null, [0.7 * x * s, abs(x * s)]],
  },
  squares: {
    arrays: 2,
    run: (k, n, [x, y]) => k.squares(n, 0.7, x, 0.3, y),
    expected: ([x, y]) => [null, [0.7 * x * x + 0.3 * y, x * x + abs(y)]],
  },
  'squares afresh': {
    arrays: 2,
    run: (k, n, [x, y]) => k.squares(n, 0.7, x, 0, y),
    expected: ([x]) => [null, [0.7 * x * x, x * x]],
  },
  bceHessian: {
    arrays: 2,
    positive: [0],
    run: (k, n, [p, v]) => k.bceHessian(n, p, v),
    expected: ([p, v]) => [null, [p * (1 - p) * v, p * (1 + p) * v]],
  },
  sgd: { arrays: 2, run: (k, n, [g, θ]) => k.sgd(n, 0.1, g, θ), expected: ([g, θ]) => [null, step(θ, 0.1 * g)] },
  momentum: {
    arrays: 3,
    run: (k, n, [g, v, θ]) => k.momentum(n, 0.1, 0.9, false, g, v, θ),
    expected: ([g, v, θ]) => [null, step(g, -0.9 * v), [θ - 0.1 * (0.9 * v + g), abs(θ) + abs(v) + abs(g)]],
  },
  nesterov: {
    arrays: 3,
    run: (k, n, [g, v, θ]) => k.momentum(n, 0.1, 0.9, true, g, v, θ),
    expected: ([g, v, θ]) => [null, step(g, -0.9 * v), [θ - 0.1 * (g + 0.9 * (0.9 * v + g)), abs(θ) + abs(v) + abs(g)]],
  },
  adagrad: {
    arrays: 3,
    positive: [1],
    run: (k, n, [g, s, θ]) => k.adagrad(n, 0.1, 1e-3, g, s, θ),
    expected: ([g, s, θ]) => [null, [s + g * g, s + g * g], step(θ, (0.1 * g) / (sqrt(s + g * g) + 1e-3))],
  },
  rmsprop: {
    arrays: 3,
    positive: [1],
    run: (k, n, [g, s, θ]) => k.rmsprop(n, 0.1, 0.9, 1e-3, g, s, θ),
    expected: ([g, s, θ]) => {
      const sum = 0.9 * s + (1 - 0.9) * g * g;
      return [null, [sum, sum], step(θ, (0.1 * g) / (sqrt(sum) + 1e-3))];
    },
  },
  adam: {
    arrays: 4,
    positive: [2],
    run: (k, n, [g, m, v, θ]) => k.adam(n, adam, g, m, v, θ),
    expected: ([g, m, v, θ]) => {
      const first = 0.9 * m + (1 - 0.9) * g;
      const second = 0.99 * v + (1 - 0.99) * g * g;
      const by = (0.01 * (abs(m) + abs(g))) / (sqrt(second) + 1e-3);
      return [
        null,
        [first, abs(m) + abs(g)],
        [second, second],
        [θ - (0.01 * first) / (sqrt(second) + 1e-3), abs(θ) + by],
      ];
    },
  },
  adamDirection: {
    arrays: 4,
    positive: [2],
    run: (k, n, [g, m, v, out]) => k.adamDirection(n, direction, g, m, v, out),
    expected: ([g, m, v]) => {
      const first = 0.9 * m + (1 - 0.9) * g;
      const second = 0.99 * v + (1 - 0.99) * g * g;
      const root = sqrt(second / 0.02) + 1e-3;
      return [null, [first, abs(m) + abs(g)], [second, second], [first / 0.19 / root, (abs(m) + abs(g)) / 0.19 / root]];
    },
  },
};

/** The arrays of a case, from a position that is no multiple of a vector on, within longer ones. */
function arraysOf({ arrays, positive: which = [] }: Case, n: number, offset: number, precision: Precision) {
  const whole = Array.from({ length: arrays }, (_, q) =>
    which.includes(q) ? positive(n + 8, precision, q + 1) : normal(n + 8, precision, q + 1),
  );
  return { whole, parts: whole.map((array) => array.subarray(offset, offset + n)) };
}

describe('VectorMemory', () => {
  it('hands_out_zero_arrays_from_multiples_of_64_bytes_on_until_it_is_full', () => {
    const small = VectorMemory.open(1000);
    const room = small.memory as { buffer: SharedArrayBuffer };
    const first = small.take(3, 'f32');
    const second = small.take(5, 'f64');
    expect([first.byteOffset % 64, second.byteOffset - first.byteOffset]).toEqual([0, 64]);
    expect(second.every((value) => value === 0)).toBe(true);
    expect(first.buffer).toBe(room.buffer);
    const left = room.buffer.byteLength - second.byteOffset - 64;
    expect(() => small.take(left / 8 + 1, 'f64')).toThrow(MemoryError);
    expect(small.take(left / 8, 'f64')).toHaveLength(left / 8);
    expect(() => small.take(1, 'f32')).toThrow(/0 bytes are free/);
    expect(VectorMemory.bytesOf(17, 'f32')).toBe(128);
  });

  it('refuses_more_than_32_bits_address', () => {
    expect(() => VectorMemory.open(2 ** 32, 'Training')).toThrow(/^Training needs 4.29 GB .* 32-bit WebAssembly/);
    expect(() => VectorMemory.open(NaN)).toThrow(MemoryError);
  });

  it('reaches_its_last_byte_beyond_2_GiB', () => {
    const bytes = 2 ** 32 - 2 ** 16;
    const large = VectorMemory.open(bytes);
    const last = large.at(2 ** 32 - 4 * 21, 21, 'f32');
    last.fill(2);
    large.kernels('f32').combine(21, 3, last, 0, last);
    expect([...new Set(last)]).toEqual([6]);
    expect(large.kernels('f32').dot(21, last, last)).toBe(21 * 36);
  });

  it('gives_views_of_what_was_taken_and_of_nothing_else', () => {
    const x = normal(10, 'f64', 3);
    expect(memory.at(x.byteOffset + 16, 8, 'f64')).toEqual(x.subarray(2));
    for (const [at, length] of [
      [0, 1],
      [x.byteOffset + 4, 1],
      [x.byteOffset, -1],
      [x.byteOffset, 0.5],
      [x.byteOffset, 2 ** 31],
      [NaN, 1],
    ])
      expect(() => memory.at(at, length, 'f64'), `${at} ${length}`).toThrow(ShapeError);
    expect(() => VectorMemory.over({})).toThrow(/memory of another one, not/);
    expect(() => VectorMemory.over(new SharedArrayBuffer(8))).toThrow(ShapeError);
  });

  it.each(PRECISIONS)('is_the_same_on_a_worker_and_its_kernels_give_the_same_bits_in_%s', async (precision) => {
    const length = 1003;
    const x = normal(length, precision, 5, 3);
    const told = new Int32Array(new SharedArrayBuffer(4));
    const state = { memory: memory.memory, at: x.byteOffset, length, precision, told };
    await runOnceWith('away', activateAway, { state }, independentTasks(2), { team: await sharedTeam(2) });
    const away = memory.at(told[0], length, precision);
    expect(memory.take(1, precision).byteOffset).toBeGreaterThanOrEqual(away.byteOffset + away.byteLength);
    memory.kernels(precision).activate('gelu', length, 1, x, length, null, null);
    expect(bits(away)).toEqual(bits(x));
  });
});

describe.each(PRECISIONS)('the kernels in %s', (precision) => {
  const k = memory.kernels(precision);

  it.each(Object.keys(CASES))('%s_is_its_formula_at_every_length_and_offset', (name) => {
    const one = CASES[name];
    for (let n = 0; n <= 17; n++) {
      for (const offset of [0, 1, 3]) {
        const { whole, parts } = arraysOf(one, n, offset, precision);
        const before = whole.map((array) => array.slice());
        one.run(k, n, parts);
        for (let i = 0; i < n + 8; i++) {
          const inside = i >= offset && i < offset + n;
          const expected = inside ? one.expected(before.map((array) => array[i])) : [];
          whole.forEach((array, q) => {
            const [value, scale] = expected[q] ?? [before[q][i], 0];
            close(precision, array[i], value, scale, 6, `${name} ${q} at ${i} of ${n}`);
          });
        }
      }
    }
  });

  it.each(Object.keys(CASES))('%s_gives_the_same_bits_however_the_range_is_split', (name) => {
    const n = 203;
    const { parts } = arraysOf(CASES[name], n, 1, precision);
    const before = parts.map((array) => array.slice());
    CASES[name].run(k, n, parts);
    const whole = parts.map(bits);
    parts.forEach((array, q) => array.set(before[q]));
    for (let at = 0, turn = 0; at < n; turn++) {
      const count = Math.min(n - at, [1, 6, 4, 3, 17][turn % 5]);
      CASES[name].run(
        k,
        count,
        parts.map((array) => array.subarray(at)),
      );
      at += count;
    }
    expect(parts.map(bits)).toEqual(whole);
  });

  it('combine_reads_nothing_that_has_the_factor_zero', () => {
    const x = memory.take(7, precision).fill(NaN);
    const y = normal(7, precision, 1);
    k.combine(7, 0, x, 1, y);
    k.combine(7, 1, y, 0, x);
    expect(x).toEqual(y);
    k.squares(7, 1, y, 0, x.fill(NaN));
    expect(k.finite(7, x)).toBe(true);
    k.multiplyTo(7, 1, y, y, 0, x.fill(NaN));
    expect(k.finite(7, x)).toBe(true);
  });

  it('dot_sums_in_double_precision', () => {
    for (const n of [...Array(18).keys(), 100, 1001]) {
      for (const offset of [0, 1, 3]) {
        const x = normal(n + 3, precision, n + 1).subarray(offset);
        const y = normal(n + 3, precision, n + 2).subarray(offset);
        let sum = 0;
        let scale = 0;
        for (let i = 0; i < n; i++) {
          sum += x[i] * y[i];
          scale += abs(x[i] * y[i]);
        }
        expect(abs(k.dot(n, x, y) - sum)).toBeLessThanOrEqual(20 * Number.EPSILON * scale);
      }
    }
  });

  it('finite_sees_one_bad_number_anywhere', () => {
    for (let n = 0; n <= 17; n++) {
      const x = normal(n + 1, precision, n).subarray(1);
      expect(k.finite(n, x)).toBe(true);
      for (let i = 0; i < n; i++) {
        for (const bad of [NaN, Infinity, -Infinity]) {
          const value = x[i];
          x[i] = bad;
          expect(k.finite(n, x)).toBe(false);
          expect(k.finite(i, x)).toBe(true);
          x[i] = value;
        }
      }
    }
  });

  it('refuses_arrays_that_are_not_its_own_or_too_short', () => {
    const x = normal(8, precision, 1);
    const other = precision === 'f32' ? 'f64' : 'f32';
    expect(() => k.sgd(8, 1, x, x.subarray(1))).toThrow(/θ must be a Float.*at least 8 numbers/);
    expect(() => k.dot(8, memory.take(8, other), x)).toThrow(ShapeError);
    expect(() => k.dot(8, x, x.slice())).toThrow(/over another memory/);
    expect(() => k.dot(8, x, VectorMemory.open(100).take(8, precision))).toThrow(ShapeError);
    expect(() => k.dot(8, x, null as never)).toThrow(ShapeError);
    expect(() => k.finite(-1, x)).toThrow(ShapeError);
    expect(() => k.finite(NaN, x)).toThrow(ShapeError);
    expect(() => k.activate('tanh', 3, 3, x, 3, null, null)).toThrow(ShapeError);
    expect(() => k.activate('tanh', 3, 2, x, 2, null, null)).toThrow(/leading dimension/);
    expect(() => k.activate('tanh', 4, 2, x, 4, x.subarray(1), null)).toThrow(/slope/);
    expect(() => k.activateTo('tanh', 8, x, x.subarray(1), null, null)).toThrow(/y must be/);
    expect(() => k.activateTo('tanh', 8, x, null, null, x.subarray(1))).toThrow(/curvature must be/);
    expect(() => k.activateTo('sine' as never, 8, x, x, null, null)).toThrow(OptionError);
    expect(() => k.activate('sine' as never, 4, 2, x, 4, null, null)).toThrow(OptionError);
    expect(() => k.lossGradient('hinge' as never, 1, 4, 2, x, x, x)).toThrow(OptionError);
    expect(() => k.mean('squared' as never, 4, 2, x, x)).toThrow(OptionError);
  });
});
