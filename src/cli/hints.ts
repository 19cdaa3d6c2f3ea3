/**
 * What the command says of words that it does not know: options by the names of other programs, and arguments that an
 * option was meant to take.
 */
import type { Command } from 'commander';
import { UsageError } from './usage.js';

const NOISE =
  '--ridge adds a noise variance to the diagonal of a kernel matrix, --shift adds λ in solve, factor, logdet';
const LENGTH = "--bandwidth is the kernel's length scale";
const TOLERANCE = '--tolerance is the asked relative error';

/** Options by other names, without hyphens. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  noise: NOISE,
  noisevariance: NOISE,
  sigma: NOISE,
  sigma2: NOISE,
  lambda: NOISE,
  nugget: NOISE,
  jitter: NOISE,
  alphanoise: NOISE,
  damping: NOISE,
  lengthscale: LENGTH,
  lengthscales: LENGTH,
  length: LENGTH,
  ell: LENGTH,
  gamma: LENGTH,
  tol: TOLERANCE,
  rtol: TOLERANCE,
  eps: TOLERANCE,
  epsilon: TOLERANCE,
  n: '--limit takes the first n points, --size is the size of a test matrix',
  threads: '--workers is how many work',
  jobs: '--workers is how many work',
  y: '--rhs-column names the column of b in solve, --values leaves it out of the coordinates elsewhere',
  output: '--out names the file that is written',
  o: '--out names the file that is written',
};

/** A message of commander on an option that there is none of, with what is called otherwise here. */
export function withHint(message: string): string {
  const [, name] = /unknown option '--?([\w-]+)/.exec(message) ?? [];
  const key = (name ?? '').replaceAll('-', '').toLowerCase();
  if (!Object.hasOwn(ELSEWHERE, key)) return message;
  const own = message.split('\n')[0];
  return message.replace(own, () => `${own}: ${ELSEWHERE[key]}`).replace(/\n\(Did you mean [^)]*\)/, '');
}

/** Options whose names or numbers stand in one word, commas between. */
const LISTS = ['--columns', '--values', '--rhs-column', '--target', '--methods', '--matrices', '--activation'];

/**
 * Throws UsageError for an argument that an option was meant to take ("--columns x1 x2"), or of which there are too
 * many. `args` are those of the command line.
 */
export function checkArguments(command: Command, args: readonly string[]): void {
  const { registeredArguments } = command;
  // Takes as many as there are.
  if (registeredArguments.at(-1)?.variadic === true) return;
  const options = command.opts<{ points?: unknown; data?: unknown; matrix?: unknown }>();
  for (const [k, argument] of command.args.entries()) {
    const at = args.indexOf(argument);
    const list = at >= 2 && LISTS.includes(args[at - 2]) ? args[at - 2] : undefined;
    const needless = options.points !== undefined || options.data !== undefined || options.matrix !== undefined;
    if (list !== undefined && (k >= registeredArguments.length || needless))
      throw new UsageError(
        `${JSON.stringify(argument)} belongs to no option: ${list} takes one word, commas between: ${list} ` +
          `${args[at - 1]},${argument}.`,
      );
    if (k < registeredArguments.length) continue;
    const most = registeredArguments.length;
    const takes = most === 0 ? 'takes options alone, no arguments' : `takes ${most} argument${most === 1 ? '' : 's'}`;
    throw new UsageError(`hmatrix ${command.name()} ${takes}: ${JSON.stringify(argument)} is one too many.`);
  }
}
