/**
 * hmatrix eigs.
 */
import { throwIfAborted } from '../core/context.js';
import { HmatrixError } from '../core/errors.js';
import type { EigsRecord, EigsSetup } from '../experiment/eigs-run.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { EigsCommandOptions } from './command-options.js';
import { checkInputOptions, INPUT_OPTIONS, openInput } from './input.js';
import { openNetwork } from './network-input.js';
import { EXIT_STATUS, withFlags } from './outcome.js';
import { requireKind, requireWritable, runRecorded } from './run.js';
import { openSaved, refuseBesides } from './saved.js';
import { sayOnce } from './terminal.js';
import { writeVectors } from './vectors.js';

/** A saved matrix, entries, or a trained network. */
async function openMatrix(
  file: string | undefined,
  options: EigsCommandOptions,
  control: TeamControl,
): Promise<Pick<EigsSetup, 'input' | 'source' | 'model' | 'matrix'>> {
  if (file !== undefined) return openSaved(file, control);
  const { seed, network } = options;
  if (network !== undefined) return openNetwork(options, network, seed, control);
  const { input, source } = await openInput(options, seed, control);
  return { input, source };
}

/** The exit status of a run that is done, and on standard error why the tolerance was not met. */
function statusOf({ outcome, residuals, tolerance, products }: EigsRecord): number {
  if (outcome === 'converged') return EXIT_STATUS.done;
  const why = {
    maxProducts:
      `after ${products} products residuals are up to ${Math.max(...residuals).toExponential(1)}: allow more ` +
      '(--max-products)',
    inaccurate: 'products do not fit a symmetric matrix so well: give a larger --tolerance',
    nonFinite: 'a product is NaN or infinite',
  }[outcome];
  sayOnce(`the asked tolerance was missed (${outcome}, asked ${tolerance}·‖A‖): ${why}.`);
  return EXIT_STATUS.toleranceMissed;
}

/** Computes eigenvalues, saves their vectors, records and reports; resolves to the exit status. Throws UsageError. */
export async function eigs(file: string | undefined, options: EigsCommandOptions): Promise<number> {
  if (file !== undefined) refuseBesides(file, options, INPUT_OPTIONS, []);
  else checkInputOptions(options, ', or the file of a matrix that hmatrix compress --out wrote');
  requireKind('out', options.out, 'vectors');
  await requireWritable(options.out);
  requireKind('record', options.record, 'record');
  await requireWritable(options.record);
  const work = async (control: TeamControl): Promise<EigsRecord> => {
    const { runEigs } = await import('../experiment/eigs-run.js');
    const { count, seed, which, tolerance, maxProducts, memoryLimit } = options;
    const asked = { count, seed, options: { which, tolerance, maxProducts, memoryLimit } };
    try {
      const done = await runEigs({ ...(await openMatrix(file, options, control)), ...asked }, control);
      throwIfAborted(control.signal);
      if (options.out !== undefined) await writeVectors(options.out, 'v', done.vectors, count === 1, control);
      return done.record;
    } catch (error) {
      if (error instanceof HmatrixError) error.message = withFlags(error.message, ['memoryLimit', 'maxProducts']);
      throw error;
    }
  };
  const record = await runRecorded(options, work, async () => (await import('./eigs-report.js')).eigsReport);
  return statusOf(record);
}
