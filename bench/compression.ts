/**
 * One case in a process of its own: `node dist/bench/compression.js NAME REPEATS [IMAGES]` prints the records of
 * REPEATS runs as JSON lines. The first run of a process is cold (nothing compiled yet) and tells the peak memory; the
 * others are warm.
 */
import { digitImages } from '../datasets/digits.js';
import { named } from '../datasets/named.js';
import { normalPoints } from '../datasets/points.js';
import type { Blas } from '../src/dense/blas.js';
import { runCompression, type CompressionSetup } from '../src/experiment/compression-run.js';
import { EXACT_SIZE } from '../src/hierarchical/measure/error-estimate.js';
import { readPoints } from '../src/io/points.js';
import { Team } from '../src/parallel/team.js';
import { kernelSource } from '../src/source/kernel-source.js';
import { gaussian } from '../src/source/kernels/named.js';
import { medianBandwidth } from '../src/source/points.js';
import { CASES, IMAGES, type BenchCase } from './cases.js';

async function setUp(
  { input, options, vectors }: BenchCase,
  blas: Blas,
  images: string | undefined,
): Promise<CompressionSetup> {
  const errorColumns = input.size <= EXACT_SIZE ? input.size : undefined;
  const rest = { options: { ...options, seed: 0 }, vectors, products: 15, errorColumns };
  if (input.kind === 'named') {
    return {
      ...rest,
      source: named(input.matrix, input.size, { blas }),
      input: { kind: 'named', name: input.matrix, size: input.size },
    };
  }
  if (input.kind === 'gaussian') {
    const points = normalPoints(input.size, input.dimension, 1);
    const described = {
      kind: 'points',
      name: 'normal',
      size: input.size,
      dimension: input.dimension,
      kernel: 'gaussian',
      bandwidth: input.bandwidth,
    };
    return { ...rest, source: kernelSource(points, gaussian(input.bandwidth), { blas }), input: described };
  }
  const points =
    images === undefined ? digitImages(input.size, 0).images : await readPoints(images, { limit: input.size });
  const bandwidth = medianBandwidth(points, 0);
  const described = {
    kind: 'points',
    name: images === undefined ? IMAGES.generated : IMAGES.file,
    size: points.count,
    dimension: points.dimension,
    kernel: 'gaussian',
    bandwidth,
  };
  return { ...rest, source: kernelSource(points, gaussian(bandwidth), { blas }), input: described };
}

const [name, repeats, images] = process.argv.slice(2);
const chosen = CASES.find((c) => c.name === name);
if (chosen === undefined)
  throw new Error(`No case is called ${name}; there are ${CASES.map((c) => c.name).join(', ')}.`);
const team = await Team.open({});
const setup = await setUp(chosen, team.blas, images);
for (let repeat = 0; repeat < Number(repeats); repeat++) {
  const { matrix, record } = await runCompression(setup, { team });
  matrix.release();
  console.log(JSON.stringify(record));
}
await team.close();
