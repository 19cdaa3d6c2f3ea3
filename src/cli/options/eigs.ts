/**
 * The options of hmatrix eigs.
 */
import type { Command } from 'commander';
import { byteCount, finiteNumber, wholeNumber } from '../usage.js';
import { named } from './common.js';
import { withInput } from './matrix.js';
import { withNetwork } from './network.js';

/** The options of `hmatrix eigs`. */
export function withEigs(command: Command): Command {
  return withNetwork(withInput(command))
    .option('--count <k>', 'how many eigenvalues', wholeNumber(1, 65_536), 10)
    .addOption(
      named('--which <end>', 'by value, or of either sign by size', ['largest', 'smallest', 'magnitude']).default(
        'largest',
      ),
    )
    .option(
      '--tolerance <t>',
      'asked ‖A v − λ v‖ relative to ‖A‖₂ (default: 1e-6)',
      finiteNumber('a number between 0 and 1', (t) => t > 0 && t < 1),
    )
    .option('--max-products <m>', 'most products with a vector (default: 50·k, at least 2000)', wholeNumber(1))
    .option('--seed <s>', 'of everything random', wholeNumber(0), 0)
    .option('--memory-limit <bytes>', 'refuse to begin what may need more, e.g. 8G (default: what is free)', byteCount)
    .option(
      '--out <file>',
      'write the eigenvectors, .npy, .npz, .safetensors, .h5, .mtx or .csv, a column for each value',
    )
    .option('--record <file>', 'write the record of the run as JSON')
    .option('--quiet', 'print nothing but failures');
}
