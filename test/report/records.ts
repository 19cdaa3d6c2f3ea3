/** A small record of each kind of run, made by the command, and a saved matrix. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hmatrix } from '../cli/command.js';

const points = (count: number, dimension = 2): string[] => ['--points', `normal:${count},${dimension}`, '--seed', '3'];
const network = ['--network', '196-4-196', '--samples', '40', '--epochs', '1'];

/** The command of each record. */
const RUNS: Readonly<Record<string, readonly string[]>> = {
  compression: [
    'compress',
    ...points(600),
    '--tolerance',
    '1e-4',
    '--format',
    'fmm',
    '--budget',
    '0.1',
    '--leaf-size',
    '32',
  ],
  solve: ['solve', ...points(300), '--shift', '0.1', '--preconditioner', 'jacobi'],
  eigs: ['eigs', ...points(300), '--count', '6'],
  factor: ['factor', ...points(400), '--tolerance', '1e-6', '--shift', '0.1', '--leaf-size', '64'],
  logdet: ['logdet', ...points(400), '--tolerance', '1e-4', '--shift', '0.1', '--leaf-size', '64'],
  tune: ['tune', ...points(1000), '--tolerance', '1e-4'],
  table: ['table', ...network, '--high', '0.2'],
  preconditioners: [
    ...['table', '--preconditioners', '--matrices', 'K02', '--size', '256', ...network, '--methods', 'none,jacobi'],
  ],
  training: ['train', '--samples', '200', '--hidden', '8', '--epochs', '3', '--target-loss', '0.01'],
  comparison: [
    ...['compare', '--samples', '120', '--hidden', '6', '--optimizers', 'adam,lbfgs', '--seeds', '2', '--epochs', '3'],
    ...['--target-loss', '2.2'],
  ],
};
/** The kinds of records. */
export const KINDS = Object.keys(RUNS);

/** Runs all of them in a folder; the records there are KIND.json, the matrix is matrix.hm. */
export async function makeRecords(folder: string): Promise<void> {
  for (const [kind, args] of Object.entries(RUNS)) {
    const out = kind === 'compression' ? ['--out', 'matrix.hm'] : [];
    const { status, stderr } = await hmatrix([...args, ...out, '--record', `${kind}.json`, '--quiet'], { cwd: folder });
    // 3: a target or a tolerance was missed, and the record tells so.
    if (status !== 0 && status !== 3) throw new Error(`hmatrix ${args.join(' ')}: ${stderr}`);
  }
}

/** A record as whoever has the file reads it. */
export const recordOf = (folder: string, kind: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, `${kind}.json`), 'utf8')) as Record<string, unknown>;
