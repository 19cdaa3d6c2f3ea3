/**
 * hmatrix table --preconditioners: the published table of preconditioners, a sweep over shifts, and Gauss–Newton
 * matrices.
 */
import { lossOf } from '../network/losses/table.js';
import type { PreconditionerRecord } from '../experiment/preconditioner-record.js';
import type { MatrixCase, NetworkSetup, PreconditionerSetup } from '../experiment/preconditioner-run.js';
import type { TeamControl } from '../parallel/team-control.js';
import { EXIT_STATUS } from './outcome.js';
import { requireKind, requireWritable, runRecorded } from './run.js';
import { checkData, openData, samplesOf } from './samples.js';
import { UsageError } from './usage.js';
import type { PreconditionerTableOptions } from './command-options.js';

const SIZE = 4096;
/** Of the command's own networks: enough for about two minutes in all. */
const EPOCHS = 5;
const [BATCH_SIZE, LEARNING_RATE] = [50, 1e-3];

/** Options of the other table. */
const FOREIGN = ['low', 'high', 'weights', 'vectors'] as const;

/** What can be found wrong before anything is opened. Throws UsageError, OptionError. */
async function check(options: PreconditionerTableOptions): Promise<readonly string[]> {
  const { DEFAULT_PRECONDITIONERS, PRECONDITIONER_CHOICES, planPreconditioners } =
    await import('../experiment/preconditioner-plan.js');
  const misplaced = FOREIGN.find((name) => options[name] !== undefined);
  if (misplaced !== undefined) throw new UsageError(`--${misplaced} goes without --preconditioners.`);
  checkData(options);
  if (options.data !== undefined && options.network === undefined)
    throw new UsageError('--data goes with --network: the usual networks see images.');
  if (options.network === undefined) {
    const named = (['activation', 'loss', 'bias'] as const).find((name) => options[name] !== undefined);
    if (named !== undefined) throw new UsageError(`--${named} goes with --network: the usual networks have their own.`);
  }
  const { methods = DEFAULT_PRECONDITIONERS } = options;
  const wanted =
    methods.length === 1 && methods[0] === 'all'
      ? PRECONDITIONER_CHOICES.map((name) => name.replace('RANK', '256'))
      : methods;
  planPreconditioners(wanted);
  return wanted;
}

/**
 * The network of the options, else the usual ones, each with its data; with images but no labels, those that need none.
 */
async function openNetworks(options: PreconditionerTableOptions, control: TeamControl): Promise<NetworkSetup[]> {
  const { NETWORKS } = await import('../experiment/preconditioner-plan.js');
  const {
    network,
    activation = ['tanh'],
    loss = 'mse',
    bias = false,
    samples,
    epochs = EPOCHS,
    batchSize = BATCH_SIZE,
    learningRate = LEARNING_RATE,
    seed = 0,
  } = options;
  const cases =
    network === undefined
      ? NETWORKS.filter(
          (one) => options.images === undefined || options.labels !== undefined || !lossOf(one.loss).classes,
        ).map((one) => ({ ...one, samples: samples ?? one.samples }))
      : [
          {
            widths: network,
            activation: activation.length === 1 ? activation[0] : activation,
            loss,
            bias,
            samples: samples ?? NETWORKS[0].samples,
          },
        ];
  const most = Math.max(...cases.map((one) => one.samples));
  const data = await openData({ ...options, samples: most, seed }, control);
  return cases.map((one) => ({
    ...one,
    samples: samplesOf(data, one.samples, samples !== undefined),
    data,
    epochs,
    batchSize,
    learningRate,
  }));
}

/** Which matrices: those of the options at the asked size. */
async function matricesOf({
  matrices,
  size = SIZE,
}: PreconditionerTableOptions): Promise<Pick<PreconditionerSetup, 'printed' | 'swept'>> {
  const { PRINTED_MATRICES, SWEPT_MATRICES } = await import('../experiment/preconditioner-plan.js');
  const chosen = (names: readonly string[]): MatrixCase[] =>
    names.filter((name) => matrices === undefined || matrices.includes(name)).map((name) => ({ name, size }));
  return { printed: chosen(PRINTED_MATRICES), swept: chosen(SWEPT_MATRICES) };
}

/** Runs the table of preconditioners, records and reports it; resolves to the exit status. */
export async function preconditioners(options: PreconditionerTableOptions): Promise<number> {
  const methods = await check(options);
  requireKind('record', options.record, 'record');
  await requireWritable(options.record);
  const { seed = 0, memoryLimit } = options;
  const matrices = await matricesOf(options);
  const { named } = await import('../../datasets/named.js');
  await runRecorded(
    options,
    async (control): Promise<PreconditionerRecord> => {
      const { runPreconditioners } = await import('../experiment/preconditioner-run.js');
      const { blas } = control.team;
      const networks = await openNetworks(options, control);
      return runPreconditioners(
        { open: ({ name, size }) => named(name, size, { blas }), ...matrices, networks, methods, seed, memoryLimit },
        control,
      );
    },
    async () => (await import('./preconditioner-report.js')).preconditionerReport,
  );
  return EXIT_STATUS.done;
}
