/** Every method behind one interface: bytes that are those of the arrays, budgets that hold, errors that are true. */
import { beforeAll, describe, expect, it } from 'vitest';
import { approximateSubject } from '#hmatrix/approximation/approximate.js';
import { type Approximation } from '#hmatrix/approximation/approximation.js';
import { APPROXIMATION_METHODS, type ApproximationMethod, METHOD_TABLE } from '#hmatrix/approximation/methods/table.js';
import { nextTolerance } from '#hmatrix/approximation/methods/hierarchical.js';
import { MemoryError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import type { BlockDiagonalOperator } from '#hmatrix/source/block-diagonal.js';
import type { EigenvalueCorrected } from '#hmatrix/curvature/kronecker/ekfac.js';
import { isRounding } from '#hmatrix/hierarchical/matrix/tolerance-limits.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import type { KroneckerFactored } from '#hmatrix/curvature/kronecker/kfac.js';
import { sumMemory } from '#hmatrix/curvature/kronecker-sum/cost.js';
import { KroneckerSumMatrix } from '#hmatrix/curvature/kronecker-sum/matrix.js';
import type { KroneckerHierarchicalMatrix } from '#hmatrix/curvature/eigenbasis/matrix.js';
import type { SampleOperator } from '#hmatrix/curvature/products/sample-operator.js';
import { squaredNorm, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import type { HierarchicalMatrix } from '#hmatrix/hierarchical/matrix/hierarchical-matrix.js';
import type { LowRankOperator } from '#hmatrix/lowrank/low-rank-operator.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import type { Model } from '#hmatrix/network/model.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { sharedTeam } from '../teams.js';
import { columnsOf, relativeDistance } from './dense-copies.js';

/** Methods whose memory the matrix decides, not the budget. */
const FIXED_METHODS = APPROXIMATION_METHODS.filter((method) => METHOD_TABLE[method].rows.length === 1);

/** Methods whose memory the budget decides. */
const BUDGETED = APPROXIMATION_METHODS.filter((method) => METHOD_TABLE[method].rows.length === 2);

let team: Team;
let model: Model;
let operator: SampleOperator;
let exact: Matrix;
const SHARE = 0.3;

const make = (method: ApproximationMethod, share = SHARE, of: LinearOperator = operator): Promise<Approximation> =>
  approximateSubject(of, method, { share }, {}, { team });

beforeAll(async () => {
  team = await sharedTeam(2);
  // Smooth inputs, so that there is something to compress.
  const inputs = zeros(30, 80);
  const random = new RandomStream(3);
  for (let i = 0; i < 80; i++) {
    const [a, b] = [random.normal(), random.normal()];
    for (let q = 0; q < 30; q++)
      inputs.data[q + 30 * i] = Math.exp(-((q / 30 - 0.5 - 0.2 * a) ** 2) * 8) + 0.2 * b * Math.cos(q / 5);
  }
  const network = defineNetwork({ widths: [30, 6, 30], activation: 'tanh', bias: true });
  model = { network, parameters: initialParameters(network, 1), loss: 'mse', data: memoryDataSet(inputs, inputs) };
  operator = gaussNewton(model, { blas: team.blas, team });
  exact = columnsOf(operator);
});

/** Bytes of the arrays that a product reads, from the arrays themselves. */
function bytesOf({ method, operator: a }: Approximation): number {
  const arrays = new Set<ArrayBufferView>();
  switch (method) {
    case 'rsvd':
    case 'nystrom': {
      const { vectors, values } = a as LowRankOperator;
      arrays.add(vectors.data).add(values);
      break;
    }
    case 'kfac':
    case 'kfac-mc':
      for (const { input, output } of (a as unknown as KroneckerFactored).layers)
        arrays.add(input.data).add(output.kind === 'dense' ? output.matrix.data : output.values);
      break;
    case 'ekfac':
      for (const { inputVectors, outputVectors, eigenvalues } of (a as unknown as EigenvalueCorrected).layers) {
        arrays.add(inputVectors.data).add(eigenvalues.data);
        if (outputVectors !== null) arrays.add(outputVectors.data);
      }
      break;
    case 'diagonal':
      return 8 * a.rows;
    case 'block-diagonal': {
      const { values, ranges } = a as unknown as BlockDiagonalOperator;
      arrays.add(values).add(ranges);
      break;
    }
    case 'hm':
    case 'kronecker-sum':
    case 'eigenbasis': {
      const { layers } = a as unknown as KroneckerHierarchicalMatrix | KroneckerSumMatrix;
      let bytes = 0;
      if (a instanceof KroneckerSumMatrix) {
        const { groups, panels, mixingBegin, valuesBegin, mixing, values } = a.data;
        for (const array of [groups, panels, mixingBegin, valuesBegin, mixing, values]) bytes += array.byteLength;
        for (const term of a.data.terms) bytes += (term?.inputs.byteLength ?? 0) + (term?.units.byteLength ?? 0);
      } else bytes = (a as unknown as KroneckerHierarchicalMatrix).core?.memory().bytes ?? 0;
      for (const { inputVectors, outputVectors, complement } of layers)
        bytes +=
          inputVectors.data.byteLength + (outputVectors?.data.byteLength ?? 0) + (complement?.data.byteLength ?? 0);
      return bytes;
    }
    case 'hss':
    case 'hodlr':
    case 'fmm': {
      const { tree, lists, skeletons, offsets, values } = (a as unknown as HierarchicalMatrix).data;
      for (const array of [
        tree.order,
        tree.begin,
        tree.end,
        lists.nearBegin,
        lists.near,
        lists.far,
        skeletons.begin,
        skeletons.indices,
        skeletons.gather,
        skeletons.picked,
        offsets.basis,
        offsets.coupling,
        offsets.near,
        offsets.diagonal,
        values,
      ])
        arrays.add(array);
    }
  }
  return [...arrays].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

describe.each(APPROXIMATION_METHODS)('%s', (method) => {
  it('stores_the_bytes_it_says_keeps_its_budget_and_knows_its_error', async () => {
    const made = await make(method);
    const n = operator.rows;
    expect(made.bytes).toBe(bytesOf(made));
    expect(made.share).toBe(made.bytes / (8 * n * n));
    if (made.share > SHARE) {
      expect(FIXED_METHODS).toContain(method);
      expect(made.note).toContain('more than the budget');
    } else expect(made.note).toBeUndefined();
    const dense = columnsOf(made.operator);
    const error = await made.error();
    // Squares of N² numbers, each to a few eps; small errors of low rank are differences of such sums down to 3e-6, see
    // operator-error.ts.
    const truth = relativeDistance(exact, dense);
    const cancelled = method === 'rsvd' || method === 'nystrom' ? (1000 * Number.EPSILON) / 3e-6 : 0;
    expect(error).toMatchObject({ exact: true, columns: n, low: error.relative, high: error.relative });
    expect(Math.abs(error.relative - truth)).toBeLessThanOrEqual(1e-12 + cancelled);
    if (made.knownError !== undefined) expect(Math.abs(made.knownError - truth)).toBeLessThanOrEqual(1e-12);
    made.release();
  });

  it('is_symmetric_and_its_smallest_eigenvalue_is_true_where_it_is_told', async () => {
    const made = await make(method);
    const dense = columnsOf(made.operator);
    const n = dense.rows;
    const scale = Math.sqrt(squaredNorm(dense));
    for (let j = 0; j < n; j += 7)
      for (let i = 0; i < n; i += 5)
        expect(Math.abs(dense.data[i + j * n] - dense.data[j + i * n])).toBeLessThanOrEqual(1e-13 * scale);
    if (made.smallestEigenvalue !== undefined) {
      const values = new Float64Array(n);
      expect(team.blas.syevd(false, 'L', dense, values)).toBe(0);
      // Backward error of syevd: n·eps·‖A‖.
      expect(Math.abs(values[0] - made.smallestEigenvalue.value)).toBeLessThanOrEqual(
        n * Number.EPSILON * scale + made.smallestEigenvalue.bound,
      );
    }
    made.release();
  });
});

describe('the budget', () => {
  it.each(BUDGETED)('buys_accuracy: %s', async (method) => {
    const [less, more] = [await make(method, 0.16), await make(method, 0.5)];
    expect(less.share).toBeLessThanOrEqual(0.16);
    expect((await more.error()).relative).toBeLessThanOrEqual((await less.error()).relative + 1e-14);
    less.release();
    more.release();
  });

  it.each(BUDGETED)('that_holds_nothing_is_refused_with_the_least_share: %s', async (method) => {
    const refused = await make(method, 1e-4).catch((error: unknown) => error as OptionError);
    expect(refused).toBeInstanceOf(OptionError);
    expect((refused as OptionError).data['least']).toBeGreaterThan(1e-4);
  });

  it.each([0, -1, 1.5, Number.NaN])('of_%s_is_none', async (share) => {
    await expect(make('rsvd', share)).rejects.toThrow(/share of the dense matrix above 0 and at most 1/);
  });
});

describe('the search of a tolerance', () => {
  const law = (tolerance: number, power: number): number => 1e6 * tolerance ** -power;
  it.each([0.3, 0.6, 1.2])('fills_a_budget_where_memory_grows_with_power_%s', (power) => {
    const most = 3e7;
    const attempts = [{ tolerance: 0.02, bytes: law(0.02, power) }];
    while (attempts.length < 4 && !(attempts.at(-1)!.bytes <= most && attempts.at(-1)!.bytes >= 0.8 * most)) {
      const tolerance = nextTolerance(attempts, most)!;
      attempts.push({ tolerance, bytes: law(tolerance, power) });
    }
    expect(attempts.at(-1)!.bytes).toBeLessThanOrEqual(most);
    expect(attempts.at(-1)!.bytes).toBeGreaterThanOrEqual(0.8 * most);
  });
});

describe('hm of a network', () => {
  it.each([0.08, 0.16, 0.3])('is_the_better_of_both_forms_and_says_which_at_%s', async (share) => {
    const [hm, sum, basis] = [
      await make('hm', share),
      await make('kronecker-sum', share),
      await make('eigenbasis', share),
    ];
    // Where both err by rounding alone, the smaller one.
    const exact = isRounding(sum.knownError!, 'f64') && isRounding(basis.knownError!, 'f64');
    const better = (exact ? sum.bytes <= basis.bytes : sum.knownError! <= basis.knownError!) ? sum : basis;
    expect(hm.knownError).toBe(better.knownError);
    expect(hm.details).toEqual(better.details);
    expect(hm.bytes).toBe(better.bytes);
    expect([sum.details['form'], basis.details['form']]).toEqual(['Kronecker sum', 'Kronecker eigenbasis']);
  });

  it('is_the_eigenbasis_where_the_modes_need_too_much_memory', async () => {
    const { workers } = team;
    const memoryLimit = sumMemory(model, workers) - 1;
    const hm = await approximateSubject(operator, 'hm', { share: 0.16 }, { memoryLimit }, { team });
    expect(hm.details).toMatchObject({ form: 'Kronecker eigenbasis' });
    await expect(
      approximateSubject(operator, 'kronecker-sum', { share: 0.16 }, { memoryLimit }, { team }),
    ).rejects.toBeInstanceOf(MemoryError);
  });
});

describe('hierarchical formats', () => {
  it.each(['hss', 'hodlr'] as const)('are_made_from_what_is_asked_for: %s', async (method) => {
    for (const from of ['entries', 'products'] as const) {
      const made = await approximateSubject(operator, method, { share: 0.5 }, { from }, { team });
      expect(made.details).toMatchObject({ from });
      expect(made.share).toBeLessThanOrEqual(0.5);
      made.release();
    }
    await expect(
      approximateSubject(operator, method, { share: 0.5 }, { from: 'guesses' as 'auto' }, { team }),
    ).rejects.toThrow(/from must be auto, entries or products/);
  });
});

describe('operators without a network', () => {
  const plain = (): LinearOperator => denseOperator(exact, true, { blas: team.blas });

  it.each(['kfac', 'kfac-mc', 'ekfac', 'block-diagonal', 'kronecker-sum', 'eigenbasis'] as const)(
    'have_no_%s',
    async (method) => {
      await expect(make(method, SHARE, plain())).rejects.toThrow(/follows the layers of a network.*pass the model/);
    },
  );

  it.each(['diagonal', 'fmm'] as const)('need_entries_for_%s', async (method) => {
    await expect(make(method, SHARE, plain())).rejects.toThrow(/entries/);
  });

  it.each(['hm', 'hss', 'hodlr', 'rsvd', 'nystrom'] as const)(
    'are_approximated_from_products_by_%s',
    async (method) => {
      const made = await make(method, 0.5, plain());
      expect(
        Math.abs((await made.error()).relative - relativeDistance(exact, columnsOf(made.operator))),
      ).toBeLessThanOrEqual(1e-12 + (1000 * Number.EPSILON) / 3e-6);
      made.release();
    },
  );

  it('have_no_matrix_from_entries', async () => {
    await expect(approximateSubject(plain(), 'hss', { share: 0.5 }, { from: 'entries' }, { team })).rejects.toThrow(
      /from entries needs entries/,
    );
  });

  it('that_are_not_square_or_not_symmetric_are_refused', async () => {
    await expect(make('rsvd', SHARE, denseOperator(zeros(3, 2), false, { blas: team.blas }))).rejects.toBeInstanceOf(
      ShapeError,
    );
    await expect(
      make('rsvd', SHARE, { ...diagonalOperator(new Float64Array(4)), symmetric: false }),
    ).rejects.toBeInstanceOf(OptionError);
    await expect(make('cholesky' as ApproximationMethod)).rejects.toThrow(
      /no method "cholesky"; there are hm, kronecker-sum, eigenbasis, rsvd/,
    );
    await expect(
      approximateSubject(diagonalOperator(new Float64Array(4)), 'kfac', { share: 0.5 }, { model }, { team }),
    ).rejects.toThrow(/parameters, the operator 4 rows/);
  });
});
