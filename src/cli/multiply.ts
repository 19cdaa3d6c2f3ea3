/**
 * hmatrix multiply: products with a saved matrix.
 */
import { sharedFloat32, sharedFloat64 } from '../core/shared-array.js';
import { view } from '../dense/matrix.js';
import { frobeniusNorm } from '../dense/norm.js';
import { peakMemory } from '../io/machine.js';
import { grouped, inBytes, inSeconds } from '../core/number-text.js';
import { printRanks, requireKind, requireWritable, withTeam } from './run.js';
import { EXIT_STATUS } from './outcome.js';
import { openSaved, requireSaved } from './saved.js';
import { print, printJson, printReport } from './terminal.js';
import { checkVectors, openVectors, writeVectors } from './vectors.js';
import type { MultiplyOptions } from './command-options.js';

/** Multiplies, saves the product and reports; resolves to the exit status. */
export async function multiply(file: string, options: MultiplyOptions): Promise<number> {
  requireSaved(file);
  checkVectors('x', options, undefined);
  requireKind('out', options.out, 'vectors');
  await requireWritable(options.out);
  const result = await withTeam(options, async (control) => {
    const began = performance.now();
    const { matrix } = await openSaved(file, control);
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
    if (options.out !== undefined) await writeVectors(options.out, 'y', y, flat, control);
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
    printReport(
      `N = ${grouped(size)}, ${inBytes(memory.bytes)} read in ${inSeconds(seconds.load)} s; product with ` +
        `${vectors} vector${vectors === 1 ? '' : 's'} in ${inSeconds(seconds.apply)} s ` +
        `(${gflops.apply.toPrecision(3)} GFLOP/s, the first one)`,
    );
    await printRanks(result.workers);
    print(`‖X‖ = ${norm.x.toPrecision(6)}, ‖Y‖ = ${norm.y.toPrecision(6)} (Frobenius)`);
    if (options.out !== undefined) print(`Y written to ${options.out}`);
  }
  return EXIT_STATUS.done;
}
