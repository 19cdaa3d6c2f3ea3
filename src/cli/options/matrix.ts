/**
 * The options that say where a matrix comes from, and how it is compressed.
 */
import type { Command } from 'commander';
import { DEVICE_CHOICES } from '../../device/open.js';
import { OBJECTIVES } from '../../hierarchical/matrix/chosen-options.js';
import { FORMAT_TABLE, FORMATS } from '../../hierarchical/matrix/format.js';
import { familiesWith, kernelFamilies } from '../../source/kernels/table.js';
import { describedDistances, DISTANCES } from '../../tree/distances/table.js';
import { bandwidth, byteCount, columnList, finiteNumber, wholeNumber } from '../usage.js';
import { MAX_SIZE, nonNegative, positive, withCommon, named, withTableReading } from './common.js';

/** How a hierarchical matrix is made, but for its tolerance; `near`: whether it may have near blocks. */
export function withShape(command: Command, near = true): Command {
  command
    .option('--leaf-size <m>', 'most indices in a leaf (default: chosen, 64 to 2048)', wholeNumber(2, 16_384))
    .option('--max-rank <s>', 'most skeletons of a node (default: what the tolerance needs)', wholeNumber(1, 16_384))
    .option('--neighbors <k>', 'nearest neighbors per index (default: 32)', wholeNumber(1, 4096));
  if (near)
    command.option(
      '--budget <b>',
      'share of each row that near blocks may hold, fmm only (default: 0.03 for fmm)',
      finiteNumber('a number in [0, 1]', (b) => b >= 0 && b <= 1),
    );
  return command
    .addOption(named('--distance <name>', `what orders the indices: ${describedDistances} (default: auto)`, DISTANCES))
    .addOption(named('--dtype <name>', 'precision of the stored blocks (default: f64)', ['f64', 'f32']));
}

/** The formats that a factorization takes. */
const FACTORED = FORMATS.filter((name) => name !== 'fmm');

/** How a matrix is compressed; `factored`: into a format that can be. */
function withCompression(command: Command, factored = false): Command {
  const formats = factored ? FACTORED : FORMATS;
  const described = formats.map((name) => `${name}: ${FORMAT_TABLE[name].description}`).join('; ');
  return withShape(
    withCommon(command)
      .addOption(
        named('--format <name>', `${described} (default: hss${factored ? '' : ', fmm with a budget'})`, formats),
      )
      .option(
        '--tolerance <t>',
        'asked relative error, Frobenius norm (default: 1e-5)',
        finiteNumber('a number in [0, 1)', (t) => t >= 0 && t < 1),
      ),
    !factored,
  ).addOption(
    named('--preserve <property>', 'positive-definite: positive semidefinite by construction, format hss', [
      'positive-definite',
    ]),
  );
}

/** How a matrix is factored, and compressed before where it is no saved one. */
export function withFactor(command: Command): Command {
  return withInput(withCompression(command, true))
    .option('--shift <λ>', 'added to the diagonal', nonNegative, 0)
    .option('--seed <s>', 'of everything random', wholeNumber(0), 0)
    .option('--memory-limit <bytes>', 'refuse to begin what may need more, e.g. 8G (default: what is free)', byteCount)
    .option('--record <file>', 'write the record of the run as JSON')
    .option('--quiet', 'print nothing but failures');
}

/** What leaf size and ranks are chosen for. */
const withObjective = (command: Command): Command =>
  command.addOption(
    named(
      '--objective <what>',
      'what the leaf size is chosen for: least memory, fast products, or a cheap factorization',
      OBJECTIVES,
    ),
  );

/** The options of `hmatrix tune`. */
export function withTune(command: Command): Command {
  return withInput(withObjective(withCompression(command)))
    .option('--seed <s>', 'of everything random', wholeNumber(0), 0)
    .option('--memory-limit <bytes>', 'choose ranks that need no more, e.g. 8G (default: what is free)', byteCount)
    .option('--record <file>', 'write the record of the run as JSON')
    .option('--quiet', 'print nothing but failures');
}

/** Where the factorization goes. */
export function withFactorsOut(command: Command): Command {
  return command.option('--out <file>', 'save the factorization, for solve FILE; - is standard output');
}

/** How the log determinant of the matrix itself is estimated. */
export function withProbes(command: Command): Command {
  return command.option(
    '--probes <p>',
    'random vectors that log det(A + λI) of the matrix itself is estimated with, 0: none of it (default: 16 up to ' +
      'N = 20,000, else 0)',
    wholeNumber(0, 65_536),
  );
}

/** How a run of a compression is made, named and kept. */
export function withRun(command: Command): Command {
  return withObjective(withCompression(command))
    .addOption(
      named(
        '--device <name>',
        'where skeletons of kernel matrices are found: auto, a graphics card where there is one; cuda; webgpu; cpu ' +
          '(default: the processor)',
        DEVICE_CHOICES,
      ),
    )
    .option('--vectors <p>', 'vectors that products are timed with', wholeNumber(1, 65_536), 64)
    .option('--seed <s>', 'of everything random', wholeNumber(0), 0)
    .option('--memory-limit <bytes>', 'refuse to begin what may need more, e.g. 8G (default: what is free)', byteCount)
    .option('--out <file>', 'save the hierarchical matrix; - is standard output')
    .option('--record <file>', 'write the record of the run as JSON')
    .option('--quiet', 'print nothing but failures');
}
/** Where a matrix comes from; of networks the options are `withNetwork`'s. */
export function withInput(command: Command): Command {
  return withTableReading(command)
    .option('--matrix <file>', 'a symmetric matrix, .npy, .npz, .safetensors, .h5 or .mtx; - is standard input')
    .option(
      '--points <points>',
      'points: .npy, .npz, .safetensors, .h5, .mtx, .csv, IDX images (MNIST, .gz too), normal:N,d or uniform:N,d',
    )
    .option(
      '--kernel <kernel>',
      `${kernelFamilies.join(', ')}, or an expression in r (and h) such as "exp(-r^2/2)" (default: gaussian)`,
    )
    .option(
      '--bandwidth <h>',
      "the kernel's bandwidth, or 'median' for the median distance (default: median)",
      bandwidth,
    )
    .option('--degree <n>', `of the ${familiesWith('degree').join(', ')} kernel (default: 2)`, wholeNumber(1, 64))
    .option('--alpha <a>', `of the ${familiesWith('alpha').join(', ')} kernel (default: 1)`, positive)
    .option('--period <p>', `of the ${familiesWith('period').join(', ')} kernel's coordinates (default: 1)`, positive)
    .option('--ridge <x>', 'added to the diagonal of a kernel matrix (default: 0)', nonNegative)
    .option('--limit <n>', 'only the first n points', wholeNumber(1, MAX_SIZE))
    .option(
      '--values <list>',
      'columns of a table of points that are no coordinates, as y of solve: a row that lacks one counts as incomplete',
      columnList,
    )
    .option('--named <name>', 'a test matrix: K02, K13, K15, COV, EXP, MATERN')
    .option('--size <n>', 'size of the test matrix; but for COV a perfect square', wholeNumber(1, MAX_SIZE));
}
