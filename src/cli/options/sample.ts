/**
 * The options of hmatrix sample.
 */
import type { Command } from 'commander';
import { byteCount, finiteNumber, wholeNumber } from '../usage.js';
import { withNetwork } from './network.js';
import { withTableReading } from './common.js';

/** The options of `hmatrix sample`. */
export function withSample(command: Command): Command {
  return withNetwork(withTableReading(command))
    .option('--count <k>', 'how many draws', wholeNumber(1, 65_536), 10)
    .requiredOption(
      '--shift <λ>',
      'the prior is N(0, I/(nλ)) for n samples: weight decay of the mean loss',
      finiteNumber('a positive number', (λ) => λ > 0),
    )
    .option(
      '--share <s>',
      'keep so much of the dense G, in its Kronecker eigenbasis (default: all of it, dense, up to N = 4096)',
      finiteNumber('a number in (0, 1]', (s) => s > 0 && s <= 1),
    )
    .option('--seed <s>', 'of everything random', wholeNumber(0), 0)
    .option('--memory-limit <bytes>', 'refuse to begin what may need more, e.g. 8G (default: what is free)', byteCount)
    .option('--out <file>', 'write the draws, .npz, .safetensors or .h5: an array (k, …) for each weight, by its name')
    .option('--record <file>', 'write the record of the run as JSON')
    .option('--quiet', 'print nothing but failures');
}
