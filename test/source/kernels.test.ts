/** Kernels against their formulas; expressions against the kernels they spell; what is refused. */
import { describe, expect, it } from 'vitest';
import { OptionError } from '#hmatrix/core/errors.js';
import { expressionKernel } from '#hmatrix/source/kernels/expression.js';
import type { Kernel } from '#hmatrix/source/kernels/kernel.js';
import {
  cosine,
  gaussian,
  inverseMultiquadric,
  laplace,
  matern32,
  matern52,
  periodic,
  polynomial,
  rationalQuadratic,
} from '#hmatrix/source/kernels/named.js';
import { KERNEL_TABLE, kernelFamilies, kernelFromDefinition, kernelOfFamily } from '#hmatrix/source/kernels/table.js';

/** Squared distances from 0 over the whole range that matters, more than one chunk of them. */
const squared = Float64Array.from({ length: 3000 }, (_, i) => (i * 0.01) ** 2);

function valuesOf(kernel: Kernel, args = squared): Float64Array {
  const values = new Float64Array(args.length + 2).fill(-5);
  values.set(args, 1);
  kernel.evaluate(values, 1, args.length);
  expect([values[0], values.at(-1)]).toEqual([-5, -5]);
  return values.slice(1, -1);
}

/** Largest |kernel − f| relative to |f|, over the squared distances. */
function relativeError(kernel: Kernel, f: (r: number) => number, args = squared): number {
  return valuesOf(kernel, args).reduce(
    (worst, value, i) => Math.max(worst, Math.abs(value - f(Math.sqrt(args[i]))) / Math.abs(f(Math.sqrt(args[i])))),
    0,
  );
}

const h = 1.7;
const formulas: [string, Kernel, (r: number) => number][] = [
  ['gaussian', gaussian(h), (r) => Math.exp((-r * r) / (2 * h * h))],
  ['laplace', laplace(h), (r) => Math.exp(-r / h)],
  ['matern32', matern32(h), (r) => (1 + (Math.sqrt(3) * r) / h) * Math.exp((-Math.sqrt(3) * r) / h)],
  [
    'matern52',
    matern52(h),
    (r) => (1 + (Math.sqrt(5) * r) / h + (5 * r * r) / (3 * h * h)) * Math.exp((-Math.sqrt(5) * r) / h),
  ],
  ['imq', inverseMultiquadric(h), (r) => 1 / Math.sqrt(1 + (r / h) ** 2)],
  ['rationalQuadratic', rationalQuadratic(h), (r) => 1 / (1 + (r * r) / (2 * h * h))],
  ['rationalQuadratic, α = 3', rationalQuadratic(h, 3), (r) => (1 + (r * r) / (6 * h * h)) ** -3],
];

describe('kernels of distance', () => {
  it.each(formulas)('%s_is_its_formula', (_, kernel, f) => {
    // exp(x) amplifies the rounding of its argument by |x|, here up to 30²/(2·1.7²) ≈ 156.
    expect(relativeError(kernel, f)).toBeLessThan(4 * 160 * Number.EPSILON);
  });

  it.each(formulas)('%s_is_one_at_zero_and_falls', (_, kernel) => {
    const values = valuesOf(kernel);
    expect(values[0]).toBe(1);
    for (let i = 1; i < values.length; i++) expect(values[i]).toBeLessThan(values[i - 1]);
  });

  it.each(formulas)('%s_of_an_entry_does_not_depend_on_its_neighbors', (_, kernel) => {
    const whole = valuesOf(kernel);
    for (const i of [0, 1, 511, 1023, 1024, 2999]) expect(valuesOf(kernel, squared.slice(i, i + 1))[0]).toBe(whole[i]);
  });

  it.each(formulas)('%s_is_rebuilt_from_its_definition', (_, kernel) => {
    expect(valuesOf(kernelFromDefinition(structuredClone(kernel.definition!)))).toEqual(valuesOf(kernel));
  });
});

describe('kernels of inner products', () => {
  const products = Float64Array.of(-3, 0, 0.5, 2);
  it('polynomial_is_its_formula', () => {
    for (const degree of [1, 2, 3, 7]) {
      const values = valuesOf(polynomial(h, degree), products);
      products.forEach((t, i) => {
        const exact = (t / (h * h) + 1) ** degree;
        expect(Math.abs(values[i] - exact)).toBeLessThanOrEqual(
          8 * degree * Number.EPSILON * Math.max(1, Math.abs(t)) ** degree,
        );
      });
      expect(valuesOf(kernelFromDefinition(polynomial(h, degree).definition!), products)).toEqual(values);
    }
  });

  it('cosine_leaves_its_argument', () => {
    expect(valuesOf(cosine(), products)).toEqual(products);
  });
});

describe('kernels by name', () => {
  const ofDistance = kernelFamilies.filter(
    (name) => KERNEL_TABLE[name].argument === 'squaredDistance' && KERNEL_TABLE[name].map === undefined,
  );
  it.each(ofDistance)('%s_is_the_formula_of_its_table', async (family) => {
    const expression = valuesOf(await expressionKernel(KERNEL_TABLE[family].formula.replaceAll('alpha', '1'), h));
    const values = valuesOf(kernelOfFamily(family, h));
    for (let i = 0; i < values.length; i++)
      expect(Math.abs(values[i] - expression[i])).toBeLessThan(4 * 160 * Number.EPSILON * values[i]);
  });

  it('each_family_gives_its_kernel', () => {
    expect(kernelOfFamily('gaussian', h).name).toBe(gaussian(h).name);
    expect(kernelOfFamily('polynomial', h, 3).name).toBe(polynomial(h, 3).name);
    expect(kernelOfFamily('cosine', h).name).toBe('cosine');
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('bandwidth_%s_is_refused', (bad) => {
    for (const make of [
      gaussian,
      laplace,
      matern32,
      matern52,
      inverseMultiquadric,
      polynomial,
      rationalQuadratic,
      (b: number) => periodic(b, 1),
    ])
      expect(() => make(bad)).toThrow(OptionError);
  });

  it('any_bandwidth_gives_the_formula_or_an_error_that_names_it', () => {
    const limits: [(bandwidth: number) => Kernel, (s: number) => number][] = [
      [gaussian, (s) => Math.exp(-(s * s) / 2)],
      [laplace, (s) => Math.exp(-s)],
      [inverseMultiquadric, (s) => 1 / Math.sqrt(1 + s * s)],
      [matern32, (s) => (s > 1000 ? 0 : (1 + Math.sqrt(3) * s) * Math.exp(-Math.sqrt(3) * s))],
      [matern52, (s) => (s > 1000 ? 0 : (1 + Math.sqrt(5) * s + (5 * s * s) / 3) * Math.exp(-Math.sqrt(5) * s))],
    ];
    const exponents = [
      -323, -320, -308, -200, -160, -155, -154, -153, -100, -30, 0, 30, 100, 153, 154, 155, 160, 200, 300, 308,
    ];
    const lengths = Float64Array.from([
      0,
      5e-324,
      ...exponents.filter((e) => e > -320).flatMap((e) => [Number(`1e${e}`), Number(`1.7e${e}`)]),
    ]);
    let refused = 0;
    for (const exponent of exponents)
      for (const [make, limit] of limits) {
        const bandwidth = Number(`1.6e${exponent}`);
        let kernel: Kernel;
        try {
          kernel = make(bandwidth);
        } catch (error) {
          expect(error).toBeInstanceOf(OptionError);
          expect((error as Error).message).toContain(
            `bandwidth ${bandwidth} is too ${bandwidth < 1 ? 'small' : 'large'}`,
          );
          expect((error as OptionError).data.option).toBe('bandwidth');
          refused++;
          continue;
        }
        // x·exp(−x) ≤ 1/e: rounding of the argument moves no value by more than some eps.
        valuesOf(kernel, lengths).forEach((value, i) => {
          expect(
            Math.abs(value - limit(Math.sqrt(lengths[i]) / bandwidth)),
            `${kernel.name}, r² = ${lengths[i]}`,
          ).toBeLessThanOrEqual(16 * Number.EPSILON);
        });
      }
    expect(refused).toBe(limits.length * exponents.filter((e) => e < -154 || e >= 154).length);
    for (const bandwidth of [1e-320, 1e300]) {
      expect(() => polynomial(bandwidth)).toThrow(/bandwidth/);
    }
  });

  it('rational_quadratic_of_extreme_alpha_is_its_limit', () => {
    // α → ∞ is the Gaussian; 1 − k_α/k_∞ is about r⁴/(8αh⁴). α → 0 is 1 − α·log(…).
    const few = squared.filter((r2) => r2 < 25);
    const limit = valuesOf(gaussian(h), few);
    for (const alpha of [1e12, 1e100])
      valuesOf(rationalQuadratic(h, alpha), few).forEach((value, i) => {
        expect(Math.abs(value - limit[i])).toBeLessThan(few[i] ** 2 / (4 * alpha * h ** 4) + 16 * Number.EPSILON);
      });
    expect(valuesOf(rationalQuadratic(h, 1e-100)).every((value) => value === 1)).toBe(true);
    const wide = Float64Array.of(0, 1e-300, 1, 1e300, 1e308);
    valuesOf(rationalQuadratic(1e-100, 0.01), wide).forEach((value, i) => {
      const exact = wide[i] === 0 ? 1 : Math.exp(-0.01 * Math.log1p((Math.sqrt(wide[i]) * 1e100) ** 2 / 0.02));
      const far = Math.exp(-0.01 * (Math.log(wide[i]) + 200 * Math.log(10) - Math.log(0.02)));
      expect(Math.abs(value - (exact > 0 ? exact : far))).toBeLessThan(1e-13);
    });
    for (const bad of [0, -1, Number.NaN, Infinity, 1e-101])
      expect(() => rationalQuadratic(1, bad)).toThrow(/alpha must be a number from 1e-100 to 1e\+100/);
  });

  it.each([0, -1, Number.NaN, Infinity])('period_%s_is_refused', (period) => {
    expect(() => periodic(1, period)).toThrow(`The period must be a positive number, not ${period}.`);
  });

  it.each([0, 1.5, -2, Number.NaN])('polynomial_degree_%s_is_refused', (degree) => {
    expect(() => polynomial(1, degree)).toThrow(OptionError);
  });
});

describe('kernels from expressions', () => {
  const cases: [string, (r: number) => number][] = [
    ['exp(-r^2/2)', (r) => Math.exp((-r * r) / 2)],
    ['exp(-(r)^2/(2*h^2))', (r) => Math.exp((-r * r) / (2 * h * h))],
    ['exp(-r/h)', (r) => Math.exp(-r / h)],
    ['(1+sqrt(3)*r/h)*exp(-sqrt(3)*r/h)', (r) => (1 + (Math.sqrt(3) * r) / h) * Math.exp((-Math.sqrt(3) * r) / h)],
    ['(1 + r^2/h^2)^-0.5', (r) => (1 + (r / h) ** 2) ** -0.5],
    ['1/(1+r^4)', (r) => 1 / (1 + r ** 4)],
    ['2^(-r)', (r) => 2 ** -r],
    ['max(1 - r/20, 0)^4*(4*r/20 + 1) + 1e-3', (r) => Math.max(1 - r / 20, 0) ** 4 * ((4 * r) / 20 + 1) + 1e-3],
    [
      'r < 5 ? 1.5 - 0.01 r^3 : square(0.2 + e) + 2 pi',
      (r) => (r < 5 ? 1.5 - 0.01 * r ** 3 : (0.2 + Math.E) ** 2 + 2 * Math.PI),
    ],
    ['2 + cos(tau*r) - min(r, 1, 2)/4', (r) => 2 + Math.cos(2 * Math.PI * r) - Math.min(r, 1) / 4],
    ['(1 + r)^1.5 / cbrt(8)', (r) => (1 + r) ** 1.5 / 2],
    ['3', () => 3],
    ['10 - 2 - 3 + (-1)*r/30 - +r/30', (r) => 5 - r / 15],
    ['pow(1 + r, -2) + abs(-1)', (r) => (1 + r) ** -2 + 1],
  ];
  it.each(cases)('%s_means_what_it_says', async (text, f) => {
    const kernel = await expressionKernel(text, h);
    // Fewer than a dozen operations, the exponent's rounding amplified as above; r^2 is r·r here and the squared
    // distance there.
    expect(relativeError(kernel, f)).toBeLessThan(16 * 500 * Number.EPSILON);
    expect(valuesOf(kernelFromDefinition(structuredClone(kernel.definition!)))).toEqual(valuesOf(kernel));
  });

  it('of_an_entry_does_not_depend_on_its_neighbors', async () => {
    const kernel = await expressionKernel('r < 3 ? exp(-r^2/8) : cosh(1)/exp(2 r)');
    const whole = valuesOf(kernel);
    for (const i of [0, 1, 299, 511, 512, 2999]) expect(valuesOf(kernel, squared.slice(i, i + 1))[0]).toBe(whole[i]);
  });

  it.each([
    ['exp(-r^2', 'parse'],
    ['', 'holds'],
    ['exp(-x^2)', 'unknown symbol, x'],
    ['foo(r)', 'unknown function, foo'],
    ['1/r', 'r = 0'],
    ['log(r)', 'r = 0'],
    ['-exp(-r)', 'negative at r = 0'],
    ['[1, r]', 'array'],
    ['"text"', 'not a number'],
    ['r = 3', 'assignment'],
    ['exp(r, 2)', '2 arguments'],
    ['r; r', 'block'],
    ['r!', 'operator'],
    ['f(x) = x', 'function'],
    ['import("fs")', 'unknown function'],
    ['foo.exp(-r)', 'calls a part of something'],
    ['foo["exp"](-r)', 'calls a part of something'],
    ['r.exp(2)', 'calls a part of something'],
    ['exp.exp', 'accessor'],
    ['(exp)(-r)', 'unknown symbol, exp'],
    ['0 < r < 1', 'relational'],
    ['exp(-r)[1]', 'accessor'],
    ["r'", 'operator'],
    ['r%2', 'operator'],
    ['r to e', 'operator'],
    ['{a: r}', 'object'],
    ['1:3', 'range'],
  ])('%s_is_refused_with_its_reason', async (text, reason) => {
    await expect(expressionKernel(text)).rejects.toThrow(OptionError);
    await expect(expressionKernel(text)).rejects.toThrow(reason);
  });

  it('any_length_and_any_depth_is_read_or_refused_at_once', async () => {
    const at = (text: string): Promise<number> =>
      expressionKernel(text).then((kernel) => valuesOf(kernel, Float64Array.of(0.25))[0]);
    expect(await at(Array(4000).fill('r').join('+'))).toBe(2000);
    expect(await at(`1${'-r'.repeat(2000)}+1000`)).toBe(1);
    expect(await at(`max(${Array(4000).fill('r').join(',')})`)).toBe(0.5);
    expect(await at(`${'('.repeat(100)}r${')'.repeat(100)}`)).toBe(0.5);
    const deep = [
      ...[200, 500, 4000].flatMap((n) => [
        `${'('.repeat(n)}r${')'.repeat(n)}`,
        `${'-'.repeat(n)}r`,
        `${'r^'.repeat(n)}r`,
        `${'r?1:'.repeat(n / 2)}${'-'.repeat(200)}r`,
        `${'abs('.repeat(n / 4)}${'-'.repeat(200)}r${')'.repeat(n / 4)}`,
      ]),
      '('.repeat(9999),
    ];
    for (const text of deep)
      await expect(expressionKernel(text), text.slice(0, 20)).rejects.toThrow(/nested too deeply|does not parse/);
    for (const text of [Array(20_000).fill('r').join('+'), `min(${Array(50_000).fill('r').join(',')})`]) {
      const error: unknown = await expressionKernel(text).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(OptionError);
      expect((error as Error).message).toMatch(new RegExp(`has ${text.length} characters; at most 10000`));
      expect((error as Error).message.length).toBeLessThan(500);
    }
  });

  it('h_needs_a_bandwidth', async () => {
    // At the call: a promise that nobody awaits would end the process later.
    for (const text of ['exp(-r/h)', '1/(1+2h*r)'])
      expect(() => expressionKernel(text)).toThrow(
        /uses the bandwidth h, but none is given: expressionKernel\('.*', 0/,
      );
    for (const bad of [-1, 1e-320, 1e300, null as never])
      expect(() => expressionKernel('exp(-r/h)', bad)).toThrow(OptionError);
    expect(() => expressionKernel(2 as never)).toThrow(/a text in r/);
    expect((await expressionKernel('exp(-r/h)', 2)).name).toBe('exp(-r/h)');
    expect(
      (await expressionKernel('cosh(r) - 2 * hypot').catch((error: unknown) => error as Error)) as Error,
    ).toBeInstanceOf(OptionError);
  });

  it('a_bandwidth_that_is_no_number_is_told_what_takes_it', () => {
    for (const [given, message] of [
      [[0.5, 2], /positive number, not an array of 2: .*ard\(matern52\(1\), \[0.5, 2\]\)/],
      [Float64Array.of(1, 2), /not a Float64Array of 2 numbers: a length scale for each/],
      [{ bandwidth: 0.5 }, /not an object with bandwidth: kernels take numbers, matern52\(0.5\);.*ard/],
      [{ dimension: 1, count: 1, coordinates: [0] }, /not points: medianBandwidth/],
      [undefined, /not undefined\.$/],
    ] as const)
      for (const make of [gaussian, matern52]) expect(() => make(given as never)).toThrow(message);
  });
});
