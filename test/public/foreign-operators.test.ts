/** An operator of the caller's that does not keep to the contract is refused by every function that takes one. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as hmatrix from '#hmatrix/index.js';
import { SAME } from './solver-places.js';
import { failureOf, fixtures, SIZE, type Fixtures } from './fixtures.js';

let f: Fixtures;

beforeAll(async () => {
  f = await fixtures();
});
afterAll(async () => {
  await f.team.close();
  await hmatrix.teams.closeDefaultTeam();
});

type Apply = hmatrix.LinearOperator['applyUnchecked'];
/** An operator of the caller's. */
const mine = (applyUnchecked: Apply, symmetric = true): hmatrix.LinearOperator => ({
  rows: SIZE,
  cols: SIZE,
  symmetric,
  applyUnchecked,
});
const products = { format: 'hss', maxRank: 8, tolerance: 1e-6, seed: 0 } as const;

/** The tridiagonal matrix 2, −1 by its contract, and what becomes of it where a part of that is forgotten. */
const honest = (out: hmatrix.Matrix, x: hmatrix.Matrix, alpha: number, beta: number, upper = -1): void => {
  for (let j = 0; j < x.cols; j++) {
    const at = (i: number): number => (i < 0 || i >= SIZE ? 0 : x.data[x.offset + i + j * x.ld]);
    for (let i = 0; i < SIZE; i++) {
      const to = out.offset + i + j * out.ld;
      out.data[to] = alpha * (2 * at(i) - at(i - 1) + upper * at(i + 1)) + (beta === 0 ? 0 : beta * out.data[to]);
    }
  }
};
const tight = ({ data, rows, cols }: hmatrix.Matrix): hmatrix.Matrix => ({ data, offset: 0, rows, cols, ld: rows });
const forgetful: readonly (readonly [string, Apply, RegExp])[] = [
  [
    'alpha and beta',
    (out, x) => {
      honest(out, x, 1, 0);
    },
    /ignores α and β/,
  ],
  [
    'beta',
    (out, x, alpha) => {
      honest(out, x, alpha, 0);
    },
    /ignores β/,
  ],
  [
    'alpha',
    (out, x, _alpha, beta) => {
      honest(out, x, 1, beta);
    },
    /ignores α, by which/,
  ],
  [
    'beta, adding',
    (out, x, alpha, beta) => {
      honest(out, x, alpha, beta === 0 ? 0 : 1);
    },
    /adds to out without multiplying/,
  ],
  [
    'offset and ld',
    (out, x, alpha, beta) => {
      honest(tight(out), tight(x), alpha, beta);
    },
    /ignores offset or ld/,
  ],
  [
    'all columns but the first',
    (out, x, alpha, beta) => {
      honest({ ...out, cols: 1 }, { ...x, cols: 1 }, alpha, beta);
    },
    /does not compute out ← α·A·X \+ β·out/,
  ],
  [
    'linearity',
    (out, x, alpha, beta) => {
      honest(out, x, alpha * alpha, beta);
    },
    /the result is not 2·A·X − out/,
  ],
];

/** Every public function that takes an operator of the caller's. */
const WITH_OPERATOR: Readonly<Record<string, (operator: hmatrix.LinearOperator) => unknown>> = {
  solve: (a) => hmatrix.solve(a, new Float64Array(SIZE).fill(1), {}, { team: f.team }),
  approximate: (a) => hmatrix.approximate(a, 'rsvd', { share: 0.5 }, {}, { team: f.team }),
  compressOperator: (a) => hmatrix.hierarchical.compressOperator(a, f.tree, products, { team: f.team }),
  operatorError: (a) => hmatrix.approximation.operatorError(f.source, a, {}, { team: f.team }),
  'operatorError, exact': (a) => hmatrix.approximation.operatorError(a, f.operator, {}, { team: f.team }),
  randomizedSvd: (a) => hmatrix.lowrank.randomizedSvd(a, { rank: 2 }, { team: f.team }),
  nystrom: (a) => hmatrix.lowrank.nystrom(a, { rank: 2 }, { team: f.team }),
  extremeEigenvalues: (a) => hmatrix.krylov.extremeEigenvalues(a),
  topEigenvalues: (a) => hmatrix.krylov.topEigenvalues(a, 1, {}, { team: f.team }),
  trace: (a) => hmatrix.krylov.trace(a, {}, { team: f.team }),
  estimateDiagonal: (a) => hmatrix.krylov.estimateDiagonal(a, {}, { team: f.team }),
  toDense: (a) => hmatrix.operators.toDense(a),
  add: (a) => hmatrix.hierarchical.add(f.matrix, a, { maxRank: 16 }, { team: f.team }),
  logDeterminant: (a) => hmatrix.krylov.logDeterminant(a),
  preconditionedLogDeterminant: (a) => hmatrix.krylov.preconditionedLogDeterminant(a, {}, { team: f.team }),
  stochasticLanczosQuadrature: (a) => hmatrix.krylov.stochasticLanczosQuadrature(a, Math.abs),
  spectralDensity: (a) => hmatrix.krylov.spectralDensity(a),
  makePreconditioner: (a) => hmatrix.preconditioners.makePreconditioner(a, 'nystrom', {}, { team: f.team }),
  conjugateGradientSolver: (a) => hmatrix.krylov.conjugateGradientSolver(a),
  conjugateGradients: (a) => hmatrix.krylov.conjugateGradients(a, new Float64Array(SIZE), hmatrix.dense.zeros(SIZE, 1)),
  minresSolver: (a) => hmatrix.krylov.minresSolver(a),
  minres: (a) => hmatrix.krylov.minres(a, new Float64Array(SIZE), hmatrix.dense.zeros(SIZE, 1)),
  refine: (a) => hmatrix.krylov.refine(a, SAME, new Float64Array(SIZE), hmatrix.dense.zeros(SIZE, 1)),
  flexibleConjugateGradientSolver: (a) => hmatrix.krylov.flexibleConjugateGradientSolver(a),
  blockConjugateGradientSolver: (a) => hmatrix.krylov.blockConjugateGradientSolver(a),
};

describe('an operator of the callers', () => {
  it.each(Object.entries(WITH_OPERATOR))('that ignores what its contract says is refused by %s', async (name, call) => {
    for (const [what, apply, message] of forgetful) {
      // What is made of it goes wrong in ways of its own.
      for (const operator of [
        mine(apply),
        hmatrix.operators.shifted(mine(apply), 0.5),
        hmatrix.operators.sum(mine(apply), f.operator),
      ]) {
        const failure = await failureOf(() => call(operator));
        expect(failure, what).toBeInstanceOf(hmatrix.errors.OptionError);
        expect((failure as Error).message, what).toMatch(
          `The operator given to ${name.split(',')[0]} does not compute out ← α·A·X + β·out`,
        );
      }
      expect(((await failureOf(() => call(mine(apply)))) as Error).message).toMatch(message);
    }
  });

  it.each(Object.entries(WITH_OPERATOR))('that keeps it passes, and is looked at once: %s', async (_name, call) => {
    let calls = 0;
    const operator = mine((out, x, alpha, beta) => {
      calls++;
      honest(out, x, alpha, beta);
    });
    expect(await failureOf(() => call(operator))).toBeUndefined();
    const first = calls;
    calls = 0;
    expect(await failureOf(() => call(operator))).toBeUndefined();
    expect(first - calls).toBe(2);
  });

  it('that says it is symmetric and is not is refused, one that says it is not is not multiplied twice', async () => {
    const lopsided: Apply = (out, x, alpha, beta) => {
      honest(out, x, alpha, beta, 1.5);
    };
    expect(await failureOf(() => hmatrix.solve(mine(lopsided), new Float64Array(SIZE).fill(1)))).toBeInstanceOf(
      hmatrix.errors.AsymmetryError,
    );
    expect(await failureOf(() => hmatrix.approximation.operatorError(f.source, mine(lopsided, false)))).toBeUndefined();
  });

  it(
    'in single precision passes where single precision is asked for, and products that are not finite are for the ' +
      'method to tell',
    async () => {
      const single: Apply = (out, x, alpha, beta) => {
        if (!(x.data instanceof Float32Array)) throw new TypeError('float32 alone');
        honest(out, x, alpha, beta);
      };
      expect(
        await failureOf(() =>
          hmatrix.hierarchical.compressOperator(mine(single), f.tree, { ...products, productPrecision: 'f32' }),
        ),
      ).toBeUndefined();
      const broken = mine((out) => {
        for (let j = 0; j < out.cols; j++)
          out.data.fill(Number.NaN, out.offset + j * out.ld, out.offset + j * out.ld + SIZE);
      });
      expect((await hmatrix.krylov.extremeEigenvalues(broken)).outcome).toBe('nonFinite');
    },
  );

  it('without sizes or symmetry is named', async () => {
    for (const [operator, message] of [
      [{ ...mine(honest), rows: 1.5 }, /has rows 1\.5 and cols 40/],
      [{ ...mine(honest), symmetric: undefined }, /must say whether it is symmetric/],
    ] as const) {
      expect(
        ((await failureOf(() => hmatrix.solve(operator as never, new Float64Array(SIZE)))) as Error).message,
      ).toMatch(message);
    }
  });

  it('of the library is taken on trust: no product is spent', async () => {
    const before = f.matrix.applyUnchecked.bind(f.matrix);
    let calls = 0;
    Object.defineProperty(f.matrix, 'applyUnchecked', {
      configurable: true,
      value: (...args: Parameters<Apply>) => {
        calls++;
        before(...args);
      },
    });
    hmatrix.krylov.conjugateGradientSolver(
      hmatrix.operators.sum(
        hmatrix.operators.scaled(hmatrix.operators.shifted(f.matrix, 1), 2),
        hmatrix.operators.identityOperator(SIZE),
      ),
    );
    delete (f.matrix as { applyUnchecked?: unknown }).applyUnchecked;
    expect(calls).toBe(0);
  });
});
