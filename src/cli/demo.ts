/**
 * hmatrix demo: the main job, on images of digits. Layer 8.
 */
import type { CompressionRecord } from '../experiment/record.js';
import type { Points } from '../source/entry-source.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { DemoOptions } from './commands.js';
import { prepareRun, runAndSave, statusOf } from './compress.js';
import { openKernel, openPoints } from './input.js';
import { grouped, inBytes, inPercent, inPowers } from './numbers.js';
import { print, printJson, withTeam } from './run.js';

async function openImages({ images, size, seed }: DemoOptions, control: TeamControl): Promise<{ points: Points; name: string }> {
  if (images !== undefined) return openPoints(images, size, seed, control);
  const { digitImages } = await import('../../datasets/digits.js');
  return { points: digitImages(size, seed).images, name: 'generated digits' };
}

/** What was found, in one sentence of measured numbers. */
export function verdict({ input, error, memory, options }: Pick<CompressionRecord, 'input' | 'error' | 'memory' | 'options'>): string {
  const measured = error.exact ? `${inPowers(error.relative)}, measured on all columns,` : `${inPowers(error.relative)} (95 % interval ${inPowers(error.low)} to ${inPowers(error.high)})`;
  const dense = input.size ** 2 * (options.dtype === 'f64' ? 8 : 4);
  return `The hierarchical matrix stands for the ${grouped(input.size)} × ${grouped(input.size)} kernel matrix with a relative error of ${measured}, `
    + `which ${error.met ? 'meets' : 'misses'} the asked tolerance of ${error.tolerance}, and takes ${inBytes(memory.bytes)} where the dense matrix would take ${inBytes(dense)} (${inPercent(memory.share)} of it).`;
}

export async function demo(options: DemoOptions): Promise<number> {
  await prepareRun(options);
  const talk = options.json !== true && options.quiet !== true;
  const { record, portable } = await withTeam(options, async (control) => {
    const { points, name } = await openImages(options, control);
    const opened = await openKernel(points, name, { kernel: 'gaussian', bandwidth: 'median' }, options.seed, control.team.blas);
    if (talk) {
      const { bandwidth = 0 } = opened.input;
      print(`${grouped(points.count)} images of digits (${options.images === undefined ? 'generated; --images FILE takes real ones' : name}), ${points.dimension} pixels each.`);
      print(`K(i, j) = exp(−‖x_i − x_j‖²/(2h²)) with h = ${bandwidth.toPrecision(4)}, the median distance: stored densely, ${inBytes(8 * points.count ** 2)}.`);
      print('Now neighbours, cluster tree, skeletons and blocks; then products; then the error, against exact columns of K.');
    }
    return { record: await runAndSave(opened, options, control), portable: control.team.blas.kind === 'portable' };
  });
  if (options.json === true) printJson(record);
  else if (talk) {
    const { runReport } = await import('./tables.js');
    print(runReport(record, portable));
    if (options.out !== undefined) print(`saved to ${options.out}`);
    print(verdict(record));
  }
  return statusOf(record);
}
