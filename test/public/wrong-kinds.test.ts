/** What one hands over wrongly is named: what was given, what is taken, and the call that fits. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Matrix as MlMatrix } from 'ml-matrix';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kindOf } from '#hmatrix/core/kind.js';
import * as hmatrix from '#hmatrix/index.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { failureOf, fixtures, fractions, network, SIZE, type Fixtures } from './fixtures.js';

const folder = temporaryFolder();
let f: Fixtures;

beforeAll(async () => {
  f = await fixtures();
});
afterAll(async () => {
  await f.team.close();
  await hmatrix.teams.closeDefaultTeam();
});

const products = { format: 'hss', maxRank: 8, tolerance: 1e-6, seed: 0 } as const;

describe('a value of another kind', () => {
  const b = new Float64Array(SIZE).fill(1);
  const rows: readonly (readonly [string, () => unknown, RegExp])[] = [
    [
      'operator to compress',
      () => hmatrix.compress(f.operator as never),
      /compress takes a source of entries.*not an operator \(40 × 40\): .*compressOperator\(operator, tree, options\)/,
    ],
    [
      'curvature operator to compress',
      () => hmatrix.compress(hmatrix.gaussNewton(f.model) as never),
      /not a curvature operator \(gauss-newton\) \(26 × 26\): gaussNewtonSource\(model\).*compressOperator/,
    ],
    [
      'matrix to compress',
      () => hmatrix.compress(hmatrix.dense.zeros(3, 3) as never),
      /not a matrix \(3 × 3\): denseSource\(matrix\)/,
    ],
    [
      'ml-matrix to compress',
      () => hmatrix.compress(new MlMatrix([[1]]) as never),
      /not an ml-matrix Matrix \(1 × 1\): denseSource/,
    ],
    [
      'rows to compress',
      () =>
        hmatrix.compress([
          [1, 0],
          [0, 1],
        ] as never),
      /not an array of 2 arrays/,
    ],
    ['model to compress', () => hmatrix.compress(f.model as never), /not a model: gaussNewtonSource\(model\)/],
    ['points to compress', () => hmatrix.compress(f.points as never), /not points: kernelSource\(points, kernel\)/],
    ['compressed matrix to compress', () => hmatrix.compress(f.matrix as never), /it is compressed already/],
    [
      'promise to compress',
      () => hmatrix.compress(Promise.resolve(f.source) as never),
      /not a promise: await it first/,
    ],
    ['nothing to compress', () => hmatrix.compress(undefined as never), /not undefined/],
    [
      'Gauss–Newton operator to factor',
      () => hmatrix.factor(hmatrix.gaussNewton(f.model) as never),
      /factor takes a hierarchical matrix.*not a curvature operator.*compressHessian\(model\)/,
    ],
    ['source to factor', () => hmatrix.factor(f.source as never), /compress\(source\) makes one/],
    [
      'Kronecker matrix to factor',
      () => hmatrix.factor(f.kronecker as never),
      /factorKronecker\(matrix, \{ shift \}\)/,
    ],
    [
      'Kronecker sum to factor',
      async () => hmatrix.factor((await hmatrix.curvature.kroneckerSum(f.model, {}, { team: f.team })) as never),
      /not a sum of Kronecker products.*compress\(matrix\.source\(\)\)/,
    ],
    [
      'source to save',
      () => hmatrix.io.save(join(folder, 's.hm'), f.source as never),
      /save takes a matrix that .*made, or what factor.*not a source of entries.*compress\(source\)/,
    ],
    [
      'operator to plot',
      () => hmatrix.report.plot(f.operator as never),
      /plot takes a hierarchical matrix or its factorization, the record of a run, .* returned, not an operator/,
    ],
    ['nothing to plot', () => hmatrix.report.plot(undefined as never), /not undefined/],
    ['a matrix to report', () => hmatrix.report.report(f.matrix as never), /report takes a list .* not a hierarchical/],
    [
      'an operator to report',
      () => hmatrix.report.report([f.matrix, f.operator] as never),
      /report, number 2 takes a hierarchical matrix/,
    ],
    ['promise to factor', () => hmatrix.factor(hmatrix.compress(f.source) as never), /await it first/],
    [
      'matrix to factorKronecker',
      () => hmatrix.curvature.factorKronecker(f.matrix as never, { shift: 1 }),
      /factor\(matrix, \{ shift \}\)/,
    ],
    [
      'result to factor',
      async () => hmatrix.factor((await hmatrix.curvature.compressHessian(f.model)) as never),
      /pass its \.matrix/,
    ],
    ['model to solve', () => hmatrix.solve(f.model as never, b), /gaussNewton\(model\)/],
    ['oblong matrix to solve', () => hmatrix.solve(hmatrix.dense.zeros(2, 3), b), /square/],
    [
      'approximation to solve',
      async () => hmatrix.solve((await hmatrix.approximate(f.operator, 'rsvd', { share: 0.5 })) as never, b),
      /pass its \.operator/,
    ],
    [
      'function as preconditioner',
      () => hmatrix.solve(f.operator, b, { preconditioner: ((r: unknown) => r) as never }),
      /preconditioner of solve takes a linear operator.*not a function/,
    ],
    ['nested b', () => hmatrix.solve(f.operator, [[1], [2]] as never), /b\[0\] must be a number, not an array: nested/],
    ['rows as b', () => hmatrix.solve(f.operator, hmatrix.dense.zeros(1, SIZE)), /b is 1 × 40/],
    [
      'transposed x',
      () => hmatrix.operators.apply(f.operator, hmatrix.dense.zeros(1, SIZE)),
      /vectors are columns, transpose it/,
    ],
    ['transposed x of a matrix', () => f.matrix.apply(hmatrix.dense.zeros(1, SIZE)), /transpose it/],
    ['name as a device', () => f.matrix.to('cpu' as never), /takes a device.*not the text "cpu": openDevice\(name\)/],
    ["name as a model's device", () => hmatrix.devices.putModel(f.model, 'cpu' as never), /putModel takes a device/],
    ['team as a device', () => f.matrix.to(f.team as never), /takes a device.*openDevice\('cpu', \{\}, \{ team \}\)/],
    ['ml-matrix as x', () => f.matrix.apply(new MlMatrix([[1]]) as never), /not an ml-matrix Matrix/],
    [
      'function as kernel',
      () => hmatrix.kernelSource(f.points, ((r: number) => Math.exp(-r)) as never),
      /kernelSource takes a kernel.*not a function: .*expressionKernel/,
    ],
    ['maker of kernels', () => hmatrix.kernelSource(f.points, hmatrix.kernels.gaussian as never), /gaussian\(0\.5\)/],
    [
      'promise as kernel',
      () => hmatrix.kernelSource(f.points, hmatrix.kernels.expressionKernel('exp(-r)') as never),
      /not a promise: await it first/,
    ],
    [
      'text as kernel',
      () => hmatrix.kernelSource(f.points, 'gaussian' as never),
      /not the text "gaussian": kernelOfFamily/,
    ],
    [
      'numbers as points',
      () => hmatrix.kernelSource(f.points.coordinates as never, hmatrix.kernels.gaussian(1)),
      /takes points.*not a Float64Array of 80 numbers/,
    ],
    [
      'arguments of save in the wrong order',
      () => hmatrix.io.save(f.matrix as never, join(folder, 'm.hm') as never),
      new RegExp(
        /save takes a path, not a hierarchical matrix \(40 × 40\): /.source +
          /the path comes first: save\(path, matrix\)/.source,
      ),
    ],
    [
      'operator to save',
      () => hmatrix.io.save(join(folder, 'm.hm'), f.operator as never),
      /not an operator \(40 × 40\): compressOperator/,
    ],
    [
      'arguments of writeNpyMatrix in the wrong order',
      () => hmatrix.io.writeNpyMatrix(hmatrix.dense.zeros(1, 1) as never, 'x.npy' as never),
      /the path comes first: writeNpyMatrix\(path, matrix\)/,
    ],
    ['network for a model', () => hmatrix.gaussNewton(network as never), /gaussNewton takes a model.*not a network/],
    [
      'model without data',
      () => hmatrix.gaussNewton({ ...f.model, data: hmatrix.dense.zeros(3, 7) } as never),
      /takes a data set.*memoryDataSet/,
    ],
    [
      'result for a tree',
      async () =>
        hmatrix.hierarchical.compressOperator(
          f.operator,
          (await hmatrix.curvature.hessianTree(f.model, hmatrix.curvature.gaussNewtonSource(f.model), {
            leafSize: 8,
          })) as never,
          products,
        ),
      /pass the tree itself: hessianTree returns it as \.tree/,
    ],
    [
      'operator to estimateError',
      () => f.matrix.estimateError(f.operator as never),
      /estimateError takes a source of entries/,
    ],
    [
      'function of no kind for quadrature',
      () => hmatrix.krylov.stochasticLanczosQuadrature(f.operator, 'log' as never),
      /takes a function, not the text "log"/,
    ],
    [
      'promise as a team',
      () => hmatrix.gaussNewton(f.model, { team: Promise.resolve(f.team) as never }),
      /option team of gaussNewton takes a team.*not a promise: await it first/,
    ],
    [
      'name as a backend',
      () => hmatrix.gaussNewton(f.model, { blas: 'portable' as never }),
      /option blas of gaussNewton is a dense backend, as openBlas\(name\) opens it, not the text "portable"/,
    ],
    [
      'widths that are none',
      () => hmatrix.networks.defineNetwork({ widths: 3 as never }),
      /array of whole numbers, input first.*not 3/,
    ],
  ];

  it.each(rows)('%s', async (_what, call, message) => {
    const failure = await failureOf(call);
    expect(failure).toBeInstanceOf(hmatrix.errors.HmatrixError);
    expect((failure as Error).message).toMatch(message);
  });

  it('is told by its members, whatever it is', async () => {
    const kroneckerSum = await hmatrix.curvature.kroneckerSum(f.model, {}, { team: f.team });
    const kinds: readonly (readonly [unknown, string])[] = [
      [f.source, 'source'],
      [f.matrix, 'hierarchical matrix'],
      [f.kronecker, 'Kronecker matrix'],
      [kroneckerSum, 'Kronecker sum'],
      [f.operator, 'operator'],
      [hmatrix.gaussNewton(f.model), 'curvature operator'],
      [f.model, 'model'],
      [network, 'network'],
      [f.model.data, 'data set'],
      [f.tree, 'tree'],
      [f.team, 'team'],
      [hmatrix.kernels.gaussian(1), 'kernel'],
      [f.points, 'points'],
      [hmatrix.dense.zeros(1, 1), 'matrix'],
      [new MlMatrix([[1]]), 'ml-matrix'],
      [[1], 'numbers'],
      [new Float32Array(1), 'numbers'],
      [new DataView(new ArrayBuffer(8)), 'object'],
      [new Map(), 'object'],
      [null, 'other'],
      [3, 'other'],
      ['x', 'text'],
      [Math.abs, 'function'],
      [Promise.resolve(), 'promise'],
      [{}, 'object'],
    ];
    for (const [value, kind] of kinds) expect(kindOf(value)).toBe(kind);
  });
});

describe('samples', () => {
  const [inputs, targets] = [
    hmatrix.dense.matrixOver(fractions(6, 1), 3, 2),
    hmatrix.dense.matrixOver(fractions(3, 2), 3, 1),
  ];

  it('as_rows_are_told_by_sizes_and_taken_where_it_is_said', () => {
    expect(() => hmatrix.networks.memoryDataSet(inputs, targets)).toThrow(
      new RegExp(
        /2 samples of inputs, 1 of targets\. /.source +
          /They have as many rows, 3: if those are the samples, pass \{ samples: 'rows' \}/.source,
      ),
    );
    const data = hmatrix.networks.memoryDataSet(inputs, targets, { samples: 'rows' });
    expect([data.samples, data.inputs, data.outputs]).toEqual([3, 2, 1]);
    const batch = data.batch(1, 1);
    expect(Array.from({ length: 2 }, (_, i) => batch.inputs.data[batch.inputs.offset + i])).toEqual([
      inputs.data[1],
      inputs.data[4],
    ]);
    expect(() => hmatrix.networks.memoryDataSet(inputs, hmatrix.dense.zeros(1, 1), { samples: 'rows' })).toThrow(
      /3 samples of inputs, 1 of targets\.$/,
    );
    expect(() => hmatrix.networks.memoryDataSet(inputs, targets, { samples: 'lines' as never })).toThrow(
      hmatrix.errors.OptionError,
    );
  });

  it('as_rows_are_told_by_the_network', () => {
    // An autoencoder's inputs the wrong way round: 3 × 5, five samples meant as five inputs.
    const images = hmatrix.dense.matrixOver(fractions(15, 3), 3, 5);
    const model = {
      network: hmatrix.networks.defineNetwork({ widths: [5, 2, 5] }),
      parameters: new Float64Array(27),
      loss: 'mse',
      data: hmatrix.networks.memoryDataSet(images, images),
    } as const;
    expect(() => hmatrix.networks.meanLoss(model)).toThrow(
      /takes 5 inputs, and the data has 3 for each of 5 samples: samples are columns, transpose the inputs/,
    );
  });

  it('of_square_matrices_are_to_be_said', () => {
    const square = hmatrix.dense.matrixOver(fractions(9, 4), 3, 3);
    expect(() => hmatrix.networks.memoryDataSet(square, square)).toThrow(
      /both 3 × 3: whether samples are columns or rows cannot be told/,
    );
    expect(hmatrix.networks.memoryDataSet(square, square, { samples: 'columns' }).batch(0, 3).inputs.data).toBe(
      square.data,
    );
    const turned = hmatrix.networks.memoryDataSet(square, square, { samples: 'rows' }).batch(0, 3);
    expect(turned.inputs.data[1]).toBe(square.data[3]);
    expect(turned.targets.data).toBe(turned.inputs.data);
    // Where the targets tell, and where there is one sample, nothing is asked.
    expect(hmatrix.networks.memoryDataSet(square, hmatrix.dense.zeros(1, 3)).samples).toBe(3);
    expect(hmatrix.networks.memoryDataSet(hmatrix.dense.zeros(1, 1), hmatrix.dense.zeros(1, 1)).samples).toBe(1);
  });
});

describe('the module of a descriptor', () => {
  const text = `export function open({ size }) {
    return {
      size, descriptor: undefined,
      entries: (rows, cols, out) => {
        for (let b = 0; b < cols.length; b++)
          for (let a = 0; a < rows.length; a++)
            out.data[out.offset + a + b * out.ld] = rows[a] === cols[b] ? 2 : Math.exp(-Math.abs(rows[a] - cols[b]));
      },
      diagonal: (out) => { out.fill(2); },
    };
  }`;
  // Characters that mean something in a URL.
  const file = join(folder, 'mine #1 100%.mjs');
  const withModule = (module: unknown, name: unknown = 'open'): hmatrix.EntrySource => ({
    size: SIZE,
    descriptor: { module, name, data: { size: SIZE } } as hmatrix.SourceDescriptor,
    entries: (rows, cols, out) => {
      for (let b = 0; b < cols.length; b++)
        for (let a = 0; a < rows.length; a++)
          out.data[out.offset + a + b * out.ld] = rows[a] === cols[b] ? 2 : Math.exp(-Math.abs(rows[a] - cols[b]));
    },
    diagonal: (out) => {
      out.fill(2);
    },
  });

  it('is_a_URL_or_an_absolute_path', async () => {
    await writeFile(file, text);
    for (const module of [pathToFileURL(file).href, file]) {
      const matrix = await hmatrix.compress(withModule(module), { leafSize: 8, tolerance: 1e-8 }, { team: f.team });
      expect(matrix.report.workers).toBe(f.team.workers);
      expect(Math.abs(matrix.diagonal()[3] - 2)).toBe(0);
    }
  });

  it('that_would_be_looked_for_beside_this_library_is_refused', async () => {
    for (const [module, message] of [
      [
        './mine.mjs',
        new RegExp(
          /by a URL or an absolute path, not the text "\.\/mine\.mjs"/.source +
            /.*new URL\("\.\/mine\.mjs", import\.meta\.url\)\.href/.source,
        ),
      ],
      ['../mine.mjs', /new URL\("\.\.\/mine\.mjs"/],
      ['mine', /import\.meta\.resolve/],
      ['', /URL or an absolute path/],
      [undefined, /URL or an absolute path, not undefined/],
      [new URL('file:///mine.mjs'), /not an? URL/],
    ] as const) {
      const failure = await failureOf(() => hmatrix.compress(withModule(module), {}, { team: f.team }));
      expect(failure).toBeInstanceOf(hmatrix.errors.OptionError);
      expect((failure as Error).message).toMatch(message);
    }
  });

  it('that_is_missing_or_lacks_the_export_is_named', async () => {
    await writeFile(file, text);
    expect(
      ((await failureOf(() => hmatrix.compress(withModule(join(folder, 'none.mjs')), {}, { team: f.team }))) as Error)
        .message,
    ).toMatch(/The module file:.*none\.mjs cannot be imported/);
    expect(
      ((await failureOf(() => hmatrix.compress(withModule(file, 'close'), {}, { team: f.team }))) as Error).message,
    ).toMatch(/names close, which file:.* does not export as a function/);
    expect(
      ((await failureOf(() => hmatrix.compress(withModule(file, null), {}, { team: f.team }))) as Error).message,
    ).toMatch(/must name the export that builds a copy, not null/);
  });
});

it('gradients_go_into_solve_as_they_come', async () => {
  const { gradient } = hmatrix.networks.lossAndGradient(f.model);
  const { x, outcome } = await hmatrix.solve(hmatrix.gaussNewton(f.model), gradient, { shift: 0.1 }, { team: f.team });
  expect([x.rows, x.cols, outcome]).toEqual([network.parameters, 1, 'converged']);
});
