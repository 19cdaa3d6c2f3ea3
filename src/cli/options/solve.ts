/**
 * The options of hmatrix solve.
 */
import type { Command } from 'commander';
import { FORMATS } from '../../hierarchical/matrix/format.js';
import { SOLVE_METHODS } from '../../solve/options.js';
import { PRECONDITIONERS } from '../../solve/preconditioners/table.js';
import { byteCount, columnList, finiteNumber, wholeNumber } from '../usage.js';
import { named, nonNegative } from './common.js';
import { withShape, withInput } from './matrix.js';
import { withNetwork } from './network.js';

/** The options of `hmatrix solve`. */
export function withSolve(command: Command): Command {
  return withShape(
    withNetwork(withInput(command))
      .option('--shift <λ>', 'added to the diagonal (default: 0)', nonNegative)
      .option('--shift-relative <x>', 'the same in units of ‖A‖₂, which is measured', nonNegative)
      .addOption(
        named('--preconditioner <name>', 'what makes the iteration short; auto lets several race and says why', [
          'auto',
          ...PRECONDITIONERS,
        ]).default('auto'),
      )
      .addOption(
        named(
          '--method <name>',
          'cg: conjugate gradients, of A + λI positive semidefinite; minres: minimal residuals, of any signs, ' +
            'without a preconditioner unless one is named',
          SOLVE_METHODS,
        ).default('cg'),
      )
      .option('--rates <file>', 'how fast this machine is, as doctor --calibrate wrote it: auto predicts with it')
      .option('--rank <r>', 'of the preconditioner nystrom (default: 256, at most N/4)', wholeNumber(1, 65_536))
      .option(
        '--rhs <b>',
        "right-hand sides, N rows: .npy, .npz, .safetensors, .h5, .mtx, a table with --rhs-column, or 'seeded'",
        'seeded',
      )
      .option('--rhs-column <list>', "columns of --rhs, a table (default: the points' own), that are b", columnList)
      .option('--vectors <p>', "how many vectors 'seeded' makes", wholeNumber(1, 65_536), 1)
      .option(
        '--tolerance <t>',
        'asked relative residual of each right-hand side (default: 1e-8, or in float32 what that allows)',
        finiteNumber('a number in [0, 1)', (t) => t >= 0 && t < 1),
      )
      .option('--max-iterations <k>', 'most iterations (default: 10·N, at most 10,000)', wholeNumber(0))
      .addOption(
        named(
          '--format <name>',
          'solve with the compressed matrix of this format in place of the matrix itself; the residual is still ' +
            'that of the matrix itself',
          FORMATS,
        ),
      )
      .option(
        '--compress-tolerance <t>',
        'of what is compressed, Frobenius norm (default: an error of about λ for a preconditioner, 1e-5 with --format)',
        finiteNumber('a number in [0, 1)', (t) => t >= 0 && t < 1),
      ),
  )
    .option('--seed <s>', 'of everything random', wholeNumber(0), 0)
    .option('--memory-limit <bytes>', 'refuse to begin what may need more, e.g. 8G (default: what is free)', byteCount)
    .option(
      '--out <file>',
      'write the solution, .npy, .npz, .safetensors, .h5, .mtx or .csv, in the shape of b, if the tolerance was met',
    )
    .option('--keep-failed', 'write --out also where the tolerance was missed')
    .option('--record <file>', 'write the record of the run as JSON')
    .option('--quiet', 'print nothing but failures');
}
