/**
 * hmatrix sample.
 */
import { HmatrixError, OptionError } from '../core/errors.js';
import type { SampleRecord } from '../experiment/sample-run.js';
import type { Matrix } from '../dense/matrix.js';
import type { Network } from '../network/network.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { SampleCommandOptions } from './command-options.js';
import { openNetwork } from './network-input.js';
import { EXIT_STATUS, withFlags } from './outcome.js';
import { requireKind, requireWritable, runRecorded } from './run.js';
import { checkData } from './samples.js';
import { print, writesResults } from './terminal.js';
import { UsageError } from './usage.js';

/** Writes the draws by the names and in the precision of the weights that they are of. Throws as writeTensors does. */
async function writeDraws(
  { out, weights }: SampleCommandOptions & { readonly out: string },
  network: Network,
  draws: Matrix,
  { signal, onProgress }: TeamControl,
): Promise<void> {
  const { conventionalNames, weightDraws } = await import('../network/weight-draws.js');
  const { readWeights } = await import('../network/weights-file.js');
  const { writeTensors } = await import('../io/tensors.js');
  const found = weights === undefined ? undefined : await readWeights(weights, network, { signal });
  const names = found?.layers ?? conventionalNames(network, 'pytorch');
  const precision = found?.parameters instanceof Float32Array ? 'f32' : 'f64';
  await writeTensors(out, weightDraws(network, draws, names, precision), { signal, onProgress });
}

/** Throws UsageError, OptionError, FileAccessError for what can be found wrong before anything is opened. */
async function checkOptions(options: SampleCommandOptions): Promise<void> {
  const { out, record, network } = options;
  if (network === undefined) throw new UsageError('--network WIDTHS says whose parameters are drawn: give it.');
  if (out === undefined)
    throw new UsageError('--out FILE takes the draws: .npz, .safetensors or .h5, an array for each weight.');
  checkData(options);
  requireKind('out', out, 'weights');
  if (!/\.(npz|safetensors|h5|hdf5)$/i.test(out))
    throw new UsageError(`--out ${out}: the name of a file of weights ends in .safetensors, .npz or .h5.`);
  await requireWritable(out);
  requireKind('record', record, 'record');
  await requireWritable(record);
}

/** Draws, writes, records and reports; resolves to the exit status. Throws UsageError. */
export async function sample(options: SampleCommandOptions): Promise<number> {
  await checkOptions(options);
  const { out, network: widths, count, shift, share, seed, memoryLimit } = options;
  const work = async (control: TeamControl): Promise<SampleRecord> => {
    const { runSample } = await import('../experiment/sample-run.js');
    const { model, input } = await openNetwork(options, widths!, seed, control);
    try {
      const done = await runSample({ model, input, count, shift, share, seed, memoryLimit }, control);
      if (writesResults()) await writeDraws({ ...options, out: out! }, model.network, done.draws, control);
      return done.record;
    } catch (error) {
      if (error instanceof HmatrixError && !(error instanceof OptionError))
        error.message = withFlags(error.message, ['memoryLimit', 'share', 'shift']);
      throw error;
    }
  };
  await runRecorded(options, work, async () => (await import('./sample-report.js')).sampleReport);
  if (options.json !== true && options.quiet !== true) print(`draws written to ${out}`);
  return EXIT_STATUS.done;
}
