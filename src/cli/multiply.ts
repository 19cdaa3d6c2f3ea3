/**
 * hmatrix multiply: products with a saved matrix.
 */
import { NonFiniteError, ShapeError } from '../core/errors.js';
import { sharedFloat32, sharedFloat64 } from '../core/shared-array.js';
import { view, type Matrix } from '../dense/matrix.js';
import { frobeniusNorm } from '../dense/norm.js';
import { randomVectors } from '../experiment/compression-run.js';
import { loadMatrix } from '../hierarchical/matrix/file.js';
import { peakMemory } from '../io/machine.js';
import { readNpyOrdered, writeNpy, writeNpyMatrix } from '../io/npy.js';
import type { TeamControl } from '../parallel/team-control.js';
import { grouped, inBytes, inSeconds } from './numbers.js';
import { requireWritable, withTeam } from './run.js';
import { EXIT_STATUS } from './outcome.js';
import { print, printJson } from './terminal.js';
import type { MultiplyOptions } from './command-options.js';

/** Vectors, and whether they came as one of shape (N,), in which what is computed from it is to be written too. */
export interface OpenVectors {
  readonly vectors: Matrix;
  readonly flat: boolean;
}

/** Vectors from a file, or seeded ones. Throws ShapeError, NonFiniteError, and the errors of files. */
export async function openVectors(
  options: Pick<MultiplyOptions, 'x' | 'vectors' | 'seed'>,
  size: number,
  control: TeamControl,
): Promise<OpenVectors> {
  if (options.x === 'seeded') return { vectors: randomVectors(size, options.vectors, options.seed), flat: false };
  const { shape, rows, cols, data } = await readNpyOrdered(options.x, 'F', undefined, control);
  const x = view(data, 0, rows, cols);
  if (x.rows !== size)
    throw new ShapeError(`${options.x} has ${x.rows} rows; the matrix is ${size} × ${size}, so ${size} are needed.`, {
      rows: x.rows,
      expected: size,
    });
  if (x.cols < 1) throw new ShapeError(`${options.x} holds no vectors: it has 0 columns.`, { cols: x.cols });
  const bad = x.data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw new NonFiniteError(
      `${options.x}: row ${bad % size}, column ${Math.floor(bad / size)} (from 0) is ${x.data[bad]}; vectors ` +
        'must be finite.',
      { row: bad % size, column: Math.floor(bad / size) },
    );
  return { vectors: x, flat: shape.length === 1 };
}

/** Writes what was computed from vectors in their shape, (N,) if they were `flat`, else (N, p). Throws as writeNpy. */
export async function writeVectors(path: string, y: Matrix, flat: boolean, control: TeamControl): Promise<void> {
  if (flat) await writeNpy(path, { shape: [y.rows], data: y.data.subarray(y.offset, y.offset + y.rows) }, control);
  else await writeNpyMatrix(path, y, control);
}

/** Multiplies, saves the product and reports; resolves to the exit status. */
export async function multiply(file: string, options: MultiplyOptions): Promise<number> {
  await requireWritable(options.out);
  const result = await withTeam(options, async (control) => {
    const began = performance.now();
    const matrix = await loadMatrix(file, control);
    const loaded = performance.now();
    const { vectors: x, flat } = await openVectors(options, matrix.size, control);
    const y = view(
      x.data instanceof Float64Array ? sharedFloat64(x.rows * x.cols) : sharedFloat32(x.rows * x.cols),
      0,
      x.rows,
      x.cols,
    );
    const start = performance.now();
    matrix.apply(x, y);
    const apply = (performance.now() - start) / 1000;
    if (options.out !== undefined) await writeVectors(options.out, y, flat, control);
    return {
      size: matrix.size,
      vectors: x.cols,
      seconds: { load: (loaded - began) / 1000, apply },
      gflops: { apply: matrix.flops(x.cols) / apply / 1e9 },
      norm: { x: frobeniusNorm(x), y: frobeniusNorm(y) },
      memory: { bytes: matrix.memory().bytes, peakBytes: peakMemory() },
      blas: control.team.blas.description,
      workers: control.team.workers,
      seed: options.x === 'seeded' ? options.seed : null,
    };
  });
  const { size, vectors, seconds, gflops, norm, memory } = result;
  if (options.json === true) printJson(result);
  else if (options.quiet !== true) {
    print(
      `N = ${grouped(size)}, ${inBytes(memory.bytes)} read in ${inSeconds(seconds.load)} s; product with ` +
        `${vectors} vector${vectors === 1 ? '' : 's'} in ${inSeconds(seconds.apply)} s ` +
        `(${gflops.apply.toPrecision(3)} GFLOP/s, the first one)`,
    );
    print(`‖X‖ = ${norm.x.toPrecision(6)}, ‖Y‖ = ${norm.y.toPrecision(6)} (Frobenius)`);
    if (options.out !== undefined) print(`Y written to ${options.out}`);
  }
  return EXIT_STATUS.done;
}
