/**
 * The options of hmatrix plan.
 */
import type { Command } from 'commander';
import { DEFAULT_SPEEDS, MOST_RANKS, MOST_SIZE, PLAN_DEFAULTS } from '../../experiment/plan/options.js';
import { byteCount, finiteNumber, wholeNumber } from '../usage.js';
import { named, positive } from './common.js';

const size = finiteNumber(
  `a whole number from 1 to ${MOST_SIZE}, such as 64000000 or 64e6`,
  (value) => Number.isInteger(value) && value >= 1 && value <= MOST_SIZE,
);

/** The options of `hmatrix plan`; numbers that a record tells have no default of the command's own. */
export function withPlan(command: Command): Command {
  const { size: n, ranks, workers, rank, leafSize, vectors, dimension, neighbors, memory } = PLAN_DEFAULTS;
  return command
    .option('--size <n>', 'indices, such as 64e6', size, n)
    .option('--ranks <p>', 'processes', wholeNumber(1, MOST_RANKS), ranks)
    .option('--workers <n>', 'workers of each, a core each', wholeNumber(1, 1024), workers)
    .option('--rank <r>', `skeletons of every node (default: ${rank})`, wholeNumber(1, MOST_RANKS))
    .option('--leaf-size <m>', `most indices of a leaf (default: ${leafSize})`, wholeNumber(2, 16_384))
    .option('--from <file>', 'ranks by level, leaf size and precision of the record of a compress --record run')
    .option('--vectors <p>', 'of the product and of the solve', wholeNumber(1, 65_536), vectors)
    .addOption(named('--dtype <type>', 'precision (default: f64)', ['f64', 'f32']))
    .option('--dimension <d>', 'of the points', wholeNumber(1, 65_536), dimension)
    .option('--whole-points', 'every rank has all points, not a part of them')
    .option('--neighbors <k>', 'of each index', wholeNumber(0, 65_536), neighbors)
    .option('--memory <bytes>', 'that a rank has, e.g. 192G', byteCount, memory)
    .option('--latency <s>', 'of a message, in seconds', positive, DEFAULT_SPEEDS.latency)
    .option('--bandwidth <b>', 'of a rank, in bytes a second each way', positive, DEFAULT_SPEEDS.bandwidth)
    .option('--gemm <f>', 'flops a second of one core', positive, DEFAULT_SPEEDS.gemm)
    .option('--memory-bandwidth <b>', 'of one core, in bytes a second', positive, DEFAULT_SPEEDS.memory);
}
