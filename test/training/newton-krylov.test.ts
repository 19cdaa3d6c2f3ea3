import { describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { defaultBlas } from '#hmatrix/dense/default-blas.js';
import { conjugateGradients as conjugateGradientSteps } from '#hmatrix/training/newton/conjugate-gradients.js';
import { LanczosBasis } from '#hmatrix/training/newton/lanczos-basis.js';
import { steihaug as steihaugSteps } from '#hmatrix/training/newton/steihaug.js';
import { now, ready } from '#hmatrix/training/newton/steps.js';
import type { Product } from '#hmatrix/training/newton/vectors.js';
import { denseSolve, distance, dot, norm, smallSpace, symmetricCase } from './newton-cases.js';

const conjugateGradients = (...given: Parameters<typeof conjugateGradientSteps>) =>
  now(conjugateGradientSteps(...given));
const steihaug = (...given: Parameters<typeof steihaugSteps>) => now(steihaugSteps(...given));

const normal = (n: number, seed: number): Float64Array => {
  const x = new Float64Array(n);
  new RandomStream(seed).fillNormal(x);
  return x;
};
const spread = (n: number, from: number, to: number): number[] =>
  Array.from({ length: n }, (_, k) => from + ((to - from) * k) / (n - 1));

function cg(values: readonly number[], options: Parameters<typeof conjugateGradients>[4], seed = 1) {
  const n = values.length;
  const { space, vector } = smallSpace(n);
  const { a, product } = symmetricCase(values, seed);
  const b = vector(normal(n, seed + 1));
  const x = vector();
  const places = { r: vector(), p: vector(), q: vector(), z: vector() };
  const found = conjugateGradients(space, product, { b, x }, places, options);
  const model = (y: ArrayLike<number>): number => {
    const out = vector();
    const z = vector(y);
    product(z, out);
    return 0.5 * dot(z, out) - dot(b, z);
  };
  return { a, b, x, found, model, space, vector, product, places };
}

describe('conjugate gradients', () => {
  it('solves_as_a_dense_solve_does_and_tells_residual_and_model', () => {
    const { a, b, x, found, model } = cg(spread(30, 0.5, 8), { iterations: 60, tolerance: 1e-12 });
    expect(found.stop).toBe('tolerance');
    expect(distance(x, denseSolve(a, 0, b))).toBeLessThan(1e-10);
    expect(found.model).toBeCloseTo(model(x), 9);
    expect(found.residual).toBeLessThanOrEqual(1e-12);
    expect(found.negativeCurvature).toBeNull();
  });

  it('begins_warm_where_it_is_told_to', () => {
    const { a, b, x, space, product, places } = cg(spread(30, 0.5, 8), { iterations: 3 });
    const exact = denseSolve(a, 0, b);
    x.set(exact);
    const found = conjugateGradients(space, product, { b, x }, places, {
      iterations: 60,
      tolerance: 1e-9,
      warm: true,
    });
    expect(found.iterations).toBe(0);
    expect(found.products).toBe(1);
    expect(distance(x, exact)).toBe(0);
  });

  it('keeps_iterates_with_their_models_the_last_one_among_them', () => {
    const n = 40;
    const { space, vector: own } = smallSpace(n);
    const { product } = symmetricCase(spread(n, 0.01, 10), 4);
    const b = own(normal(n, 5));
    const x = own();
    const keep = Array.from({ length: 6 }, () => own());
    const found = conjugateGradients(
      space,
      product,
      { b, x },
      { r: own(), p: own(), q: own(), z: own() },
      { iterations: 25, keep },
    );
    expect(found.kept.map(({ iteration }) => iteration)).toEqual([1, 2, 3, 4, 6, 25]);
    expect(Array.from(keep[5])).toEqual(Array.from(x));
    const models = found.kept.map(({ model }) => model);
    expect([...models].sort((p, q) => q - p)).toEqual(models);
    for (const { at, model } of found.kept) {
      const out = own();
      product(keep[at], out);
      expect(0.5 * dot(keep[at], out) - dot(b, keep[at])).toBeCloseTo(model, 9);
    }
  });

  it('stops_where_the_model_makes_no_more_progress', () => {
    const long = cg(spread(200, 1e-4, 10), { iterations: 400 });
    const short = cg(spread(200, 1e-4, 10), { iterations: 400, progress: 5e-4 });
    expect(short.found.stop).toBe('progress');
    expect(short.found.iterations).toBeLessThan(long.found.iterations);
    // The last k iterations brought less than kε of what was reached.
    expect(short.found.iterations).toBeGreaterThan(10);
  });

  it('takes_a_preconditioner', () => {
    const n = 60;
    const { space, vector } = smallSpace(n);
    const diagonal = spread(n, 0.001, 100);
    const product: Product = (v, out) => {
      for (let k = 0; k < n; k++) out[k] = diagonal[k] * v[k];
      return ready(undefined);
    };
    const b = vector(normal(n, 6));
    const x = vector();
    const found = conjugateGradients(
      space,
      product,
      { b, x },
      { r: vector(), p: vector(), q: vector(), z: vector() },
      {
        iterations: 60,
        tolerance: 1e-10,
        precondition: (r, z) => {
          for (let k = 0; k < n; k++) z[k] = r[k] / diagonal[k];
        },
      },
    );
    expect(found.iterations).toBe(1);
  });

  it('follows_negative_curvature_down_and_tells_it', () => {
    const { b, x, found, model } = cg([-2, ...spread(29, 0.5, 8)], { iterations: 60, tolerance: 1e-12 });
    expect(found.stop).toBe('negative-curvature');
    expect(found.negativeCurvature).toBeLessThan(0);
    expect(found.negativeCurvature).toBeGreaterThanOrEqual(-2);
    expect(dot(x, b)).toBeGreaterThan(0);
    expect(found.model).toBeCloseTo(model(x), 9);
    const before = cg([-2, ...spread(29, 0.5, 8)], { iterations: found.iterations - 1 });
    expect(found.model).toBeLessThan(before.found.model);
  });
});

describe('the truncated iteration of Steihaug and Toint', () => {
  const run = (values: readonly number[], radius: number, seed: number) => {
    const n = values.length;
    const { space, vector } = smallSpace(n);
    const { a, product } = symmetricCase(values, seed);
    const g = vector(normal(n, seed + 7));
    const d = vector();
    const found = steihaug(
      space,
      product,
      { g, d },
      { r: vector(), p: vector(), q: vector(), z: vector() },
      {
        radius,
        iterations: 3 * n,
        tolerance: 1e-10,
      },
    );
    const ad = vector();
    product(d, ad);
    const ag = vector();
    product(g, ag);
    return { a, g, d, found, model: dot(g, d) + 0.5 * dot(d, ad), bend: dot(g, ag) };
  };

  it('ends_at_the_boundary_along_negative_curvature', () => {
    const { d, found, model } = run([-6, -3, -1, ...spread(9, 0.5, 3)], 50, 3);
    expect(found.stop).toBe('negative-curvature');
    expect(norm(d)).toBeCloseTo(50, 9);
    expect(found.negativeCurvature).toBeLessThan(0);
    expect(found.model / model).toBeCloseTo(1, 9);
  });

  it('lowers_the_model_at_least_as_far_as_the_point_of_Cauchy', () => {
    for (let seed = 0; seed < 30; seed++) {
      const random = new RandomStream(seed);
      const values = Array.from({ length: 12 }, () => 3 * random.normal() + 1);
      const radius = 0.05 + 3 * random.uniform();
      const { g, found, model, bend, d } = run(values, radius, seed);
      const length = norm(g);
      const τ = bend <= 0 ? 1 : Math.min(1, length ** 3 / (radius * bend));
      const step = (τ * radius) / length;
      const cauchy = -step * length * length + 0.5 * step * step * bend;
      expect(model).toBeLessThanOrEqual(cauchy + 1e-10);
      expect(found.model).toBeCloseTo(model, 8);
      expect(norm(d)).toBeLessThanOrEqual(radius * (1 + 1e-9));
    }
  });

  it('gives_the_solution_where_the_radius_is_wide', () => {
    const { a, g, d, found } = run(spread(12, 1, 4), 1e6, 5);
    expect(found.stop).toBe('tolerance');
    expect(
      distance(
        d,
        denseSolve(
          a,
          0,
          g.map((value) => -value),
        ),
      ),
    ).toBeLessThan(1e-8);
  });
});

describe('a Lanczos basis', () => {
  const basisOf = (values: readonly number[], seed: number, precision: 'f32' | 'f64' = 'f64', most = values.length) => {
    const n = values.length;
    const { space, vector } = smallSpace(n, precision);
    const { a, product } = symmetricCase(values, seed);
    const g = vector(normal(n, seed + 3));
    const basis = new LanczosBasis(
      space,
      defaultBlas(),
      Array.from({ length: most }, () => vector()),
      vector(),
    );
    now(basis.build(product, g, { most, tolerance: 0 }));
    const model = (d: ArrayLike<number>): number => {
      const out = vector();
      product(vector(d), out);
      return dot(g, d) + 0.5 * dot(d, out);
    };
    return { a, g, basis, vector, model, product };
  };

  it('solves_for_every_radius_as_exact_eigenpairs_do', () => {
    for (const [seed, values] of [
      [1, spread(14, 0.3, 5)],
      [2, [-3, -1, ...spread(12, 0.2, 4)]],
      [3, [-0.01, ...spread(13, 0.5, 100)]],
    ] as const) {
      const { a, g, basis, vector, model } = basisOf(values, seed);
      const d = vector();
      for (const radius of [1e-3, 0.1, 1, 3, 10, 1e3]) {
        const { damping, model: told } = basis.solve({ radius }, d);
        expect(norm(d)).toBeLessThanOrEqual(radius * (1 + 1e-7));
        expect(told / model(d)).toBeCloseTo(1, 7);
        // The conditions of Moré and Sorensen: (A + λI)d = −g, A + λI ≥ 0, λ(Δ − ‖d‖) = 0.
        const minus = g.map((value) => -value);
        expect(damping).toBeGreaterThanOrEqual(Math.max(0, -Math.min(...values)) - 1e-9);
        if (damping > 1e-9) expect(norm(d) / radius).toBeCloseTo(1, 6);
        if (damping > -Math.min(...values) + 1e-3 && damping * norm(d) < 1e6)
          expect(distance(d, denseSolve(a, damping, minus))).toBeLessThan(1e-5);
      }
    }
  });

  it('solves_for_every_damping', () => {
    const { a, g, basis, vector } = basisOf(spread(14, 0.3, 5), 1);
    const d = vector();
    for (const damping of [0, 1e-3, 1, 100]) {
      basis.solve({ damping }, d);
      expect(
        distance(
          d,
          denseSolve(
            a,
            damping,
            g.map((value) => -value),
          ),
        ),
      ).toBeLessThan(1e-9);
    }
  });

  it('fills_the_ball_in_the_hard_case', () => {
    // g has no part along the eigenvector of −1: A = diag, g = e₂; the basis alone cannot see it, and says λ ≥ 0.
    const n = 4;
    const { space, vector } = smallSpace(n);
    const diagonal = [1, 2, 3, -1];
    const g = vector([1, 1, 1, 1e-13]);
    const basis = new LanczosBasis(
      space,
      defaultBlas(),
      Array.from({ length: n }, () => vector()),
      vector(),
    );
    const product: Product = (v, out) => {
      for (let k = 0; k < n; k++) out[k] = diagonal[k] * v[k];
      return ready(undefined);
    };
    now(basis.build(product, g, { most: n, tolerance: 0 }));
    const d = vector();
    const { damping } = basis.solve({ radius: 10 }, d);
    if (basis.ritzValues[0] < 0) {
      expect(damping).toBeCloseTo(1, 6);
      expect(norm(d)).toBeCloseTo(10, 5);
    } else expect(damping).toBe(0);
  });

  it('stays_orthogonal_in_single_precision', () => {
    const values = Array.from({ length: 60 }, (_, k) => 1.3 ** k * 1e-3);
    const { basis, g, vector } = basisOf(values, 9, 'f32', 40);
    const d = vector();
    const { y } = basis.solve({ damping: 1 }, d);
    expect(norm(d)).toBeCloseTo(norm(y), 4);
    expect(dot(d, g)).toBeLessThan(0);
  });

  it('ends_early_where_the_residual_is_small_enough', () => {
    const n = 50;
    const { space, vector } = smallSpace(n);
    const { product } = symmetricCase(spread(n, 1, 2), 2);
    const g = vector(normal(n, 11));
    const basis = new LanczosBasis(
      space,
      defaultBlas(),
      Array.from({ length: n }, () => vector()),
      vector(),
    );
    now(basis.build(product, g, { most: n, tolerance: 1e-4 }));
    expect(basis.size).toBeLessThan(15);
    const d = vector();
    basis.solve({ damping: 0 }, d);
    const r = vector();
    product(d, r);
    space.add(1, g, r);
    expect(norm(r)).toBeLessThan(1.1e-4 * norm(g));
  });
});
