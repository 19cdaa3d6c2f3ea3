import { describe, expect, it } from 'vitest';
import { view } from '#hmatrix/dense/matrix.js';
import { activate, activateInPlace } from '#hmatrix/network/activations/activate.js';
import {
  ACTIVATIONS,
  hasUnitSlope,
  hasZeroCurvature,
  type ActivationName,
} from '#hmatrix/network/activations/table.js';
import { erfOverArgument, scaledErfc } from '#hmatrix/network/activations/erf.js';
import { derivative, DIFFERENCE_TOLERANCE, normalMatrix } from './models.js';

const EPS = 2 ** -52;
const at = (name: ActivationName, x: number): [value: number, slope: number, curvature: number] => {
  const z = Float64Array.of(x);
  const a = new Float64Array(1);
  const s = new Float64Array(1);
  const c = new Float64Array(1);
  activate(name, z, a, s, c);
  return [a[0], s[0], c[0]];
};

describe('activations', () => {
  // Away from the kink of the ReLU; on both sides of every branch (0.5 for tanh, 0.663 and 5.66 for GELU).
  const points = [
    -9.3, -5.7, -5.6, -3, -1.2, -0.67, -0.65, -0.51, -0.49, -0.1, -0.01, 0.02, 0.3, 0.48, 0.52, 0.66, 0.67, 1, 2.5,
    5.65, 5.67, 8,
  ];

  it.each(ACTIVATIONS)('%s: slope and curvature are the derivatives of value and slope', (name) => {
    for (const x of points) {
      const h = Math.abs(x) < 0.05 ? 2 ** -12 : 2 ** -10;
      expect(Math.abs(derivative((t) => at(name, t)[0], x, h) - at(name, x)[1])).toBeLessThan(
        DIFFERENCE_TOLERANCE * (1 + Math.abs(x)),
      );
      expect(Math.abs(derivative((t) => at(name, t)[1], x, h) - at(name, x)[2])).toBeLessThan(DIFFERENCE_TOLERANCE);
    }
  });

  it.each(ACTIVATIONS)('%s: finite, and its slope bounded, for every finite argument', (name) => {
    for (const x of [0, -0, 1e-320, 1e-20, 40, 750, 1e10, 1e160, Number.MAX_VALUE]) {
      for (const z of [x, -x]) {
        const [value, slope, curvature] = at(name, z);
        expect(Number.isFinite(value)).toBe(true);
        expect(slope).toBeGreaterThan(-0.13);
        expect(slope).toBeLessThan(1.13);
        expect(Math.abs(curvature)).toBeLessThan(1);
      }
    }
  });

  it.each(ACTIVATIONS)('%s: NaN stays NaN', (name) => {
    expect(at(name, Number.NaN)[0]).toBeNaN();
  });

  it('agree with closed forms where these are stable', () => {
    for (const x of points) {
      const e = Math.exp(-x);
      expect(Math.abs(at('tanh', x)[0] - Math.tanh(x))).toBeLessThanOrEqual(2 * EPS * Math.abs(Math.tanh(x)));
      expect(Math.abs(at('sigmoid', x)[0] * (1 + e) - 1)).toBeLessThan(8 * EPS);
      expect(Math.abs(at('softplus', x)[0] - Math.log1p(Math.exp(x)))).toBeLessThan(8 * EPS * (1 + Math.abs(x)));
      // 1/cosh² = 4/(e^x + e^{−x})², without a difference.
      expect(Math.abs(at('tanh', x)[1] * Math.cosh(x) ** 2 - 1)).toBeLessThan(16 * EPS);
    }
  });

  it('tanh and sigmoid keep the relative accuracy of their slopes where they saturate', () => {
    for (const x of [20, 60, 300]) {
      expect(Math.abs(at('tanh', x)[1] / (4 * Math.exp(-2 * x)) - 1)).toBeLessThan(8 * EPS + 2 * Math.exp(-2 * x));
      expect(at('tanh', -x)[1]).toBe(at('tanh', x)[1]);
      expect(Math.abs(at('sigmoid', 2 * x)[1] / Math.exp(-2 * x) - 1)).toBeLessThan(8 * EPS + Math.exp(-2 * x) * 4);
    }
  });

  it('GELU is z·Φ(z), not an approximation of it', () => {
    // Φ to 20 digits.
    for (const [x, Φ] of [
      [1, 0.84134474606854294859],
      [-1, 0.15865525393145705141],
      [0.5, 0.69146246127401310364],
      [-3, 0.0013498980316300945267],
      [2, 0.97724986805182079279],
      [-6, 9.865876450376981407e-10],
    ] as const) {
      expect(Math.abs(at('gelu', x)[0] / (x * Φ) - 1)).toBeLessThan((4 + x * x) * EPS);
      const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
      expect(Math.abs(at('gelu', x)[1] - (Φ + x * density))).toBeLessThan(4 * EPS);
      expect(Math.abs(at('gelu', x)[2] - density * (2 - x * x))).toBeLessThan(4 * EPS);
    }
  });

  it('the error function: its two formulas meet, its asymptotic series continues it', () => {
    const y = 0.46875;
    expect(Math.abs(scaledErfc(y) * Math.exp(-y * y) + y * erfOverArgument(y * y) - 1)).toBeLessThan(4 * EPS);
    expect(Math.abs(erfOverArgument(0) * 0.5 * Math.sqrt(Math.PI) - 1)).toBeLessThan(4 * EPS);
    expect(Math.abs(scaledErfc(4) / scaledErfc(4 * (1 + EPS)) - 1)).toBeLessThan(8 * EPS);
    // y√π·e^{y²}erfc(y) = 1 − 1/(2y²) + 3/(4y⁴) − 15/(8y⁶) + …; the next term bounds the rest.
    const t = 1 / (2 * 50 * 50);
    expect(Math.abs(scaledErfc(50) * 50 * Math.sqrt(Math.PI) - (1 - t + 3 * t * t - 15 * t ** 3))).toBeLessThan(
      105 * t ** 4 + 8 * EPS,
    );
  });

  it('in place, in single precision and in strided views an entry has the same bits', () => {
    const z = normalMatrix(9, 500, 3);
    for (const name of ACTIVATIONS) {
      const a = new Float64Array(4500);
      const s = new Float64Array(4500);
      const c = new Float64Array(4500);
      activate(name, z.data, a, s, c);
      const inPlace = z.data.slice();
      activate(name, inPlace, inPlace, null, null);
      expect(inPlace).toEqual(a);
      const single = Float32Array.from(z.data);
      const exact = new Float64Array(4500);
      activate(name, Float64Array.from(single), exact, null, null);
      activate(name, single, single, null, null);
      expect(single).toEqual(Float32Array.from(exact));
      // Columns of 9 with a tenth row that must stay.
      const strided = new Float64Array(10 * 500).fill(7);
      for (let j = 0; j < 500; j++) strided.set(z.data.subarray(9 * j, 9 * j + 9), 10 * j);
      const s2 = new Float64Array(4500);
      const c2 = new Float64Array(4500);
      activateInPlace(name, view(strided, 0, 9, 500, 10), s2, c2);
      expect(s2).toEqual(s);
      expect(c2).toEqual(c);
      for (let j = 0; j < 500; j++) {
        expect(strided.subarray(10 * j, 10 * j + 9)).toEqual(a.subarray(9 * j, 9 * j + 9));
        expect(strided[10 * j + 9]).toBe(7);
      }
    }
  });

  it('long columns in a strided view go through in parts', () => {
    const z = normalMatrix(5000, 3, 4);
    const strided = new Float64Array(5003 * 3);
    for (let j = 0; j < 3; j++) strided.set(z.data.subarray(5000 * j, 5000 * (j + 1)), 5003 * j);
    const slope = new Float64Array(15000);
    const slope2 = new Float64Array(15000);
    activateInPlace('tanh', view(strided, 0, 5000, 3, 5003), slope2, null);
    activateInPlace('tanh', z, slope, null);
    expect(slope2).toEqual(slope);
    expect(strided.subarray(5003, 10003)).toEqual(z.data.subarray(5000, 10000));
  });

  it('says which slopes are one and which curvatures vanish', () => {
    for (const name of ACTIVATIONS) {
      const values = points.map((x) => at(name, x));
      expect(values.every(([, slope]) => slope === 1)).toBe(hasUnitSlope(name));
      expect(values.every(([, , curvature]) => curvature === 0)).toBe(hasZeroCurvature(name));
    }
  });
});
