/**
 * hmatrix table: approximations of a Gauss–Newton Hessian at equal memory.
 */
import { basename } from 'node:path';
import type { TableModelName } from '../experiment/model-names.js';
import { TABLE_METHODS } from '../experiment/table-plan.js';
import type { TableRecord } from '../experiment/table-record.js';
import type { TableSetup } from '../experiment/table-run.js';
import { EXIT_STATUS } from './outcome.js';
import { requireKind, requireWritable, runRecorded } from './run.js';
import { checkData, EPOCHS, openData, samplesOf, tellAssumed } from './samples.js';
import { UsageError } from './usage.js';
import type { TableOptions } from './command-options.js';

/** The run's setup, without its data. */
function setupOf(options: TableOptions): Omit<TableSetup, 'data'> {
  const {
    network,
    activation,
    loss,
    bias,
    samples,
    epochs,
    learningRate,
    batchSize,
    weights,
    low,
    high,
    methods,
    vectors,
    seed,
    memoryLimit,
  } = options;
  return {
    widths: network,
    activation: activation.length === 1 ? activation[0] : activation,
    loss,
    bias,
    samples,
    epochs: epochs ?? (weights === undefined ? EPOCHS : 0),
    batchSize,
    learningRate,
    weights: weights === undefined ? undefined : { path: weights, name: basename(weights) },
    low,
    high,
    methods: methods.length === 1 && methods[0] === 'all' ? TABLE_METHODS : methods,
    vectors,
    seed,
    memoryLimit,
  };
}

/** Runs the table and prints it; `announce` is called when the run begins. */
export async function tableOf(
  options: TableOptions,
  announce?: (setup: Omit<TableSetup, 'data'>) => void,
): Promise<TableRecord> {
  if (options.model !== undefined) return tableOfModel(options, options.model);
  const { checkTable, runTable } = await import('../experiment/table-run.js');
  const setup = setupOf(options);
  const misplaced = (['size', 'matrices'] as const).find((name) => options[name] !== undefined);
  if (misplaced !== undefined) throw new UsageError(`--${misplaced} goes with --preconditioners.`);
  checkData(options);
  checkTable(setup);
  requireKind('record', options.record, 'record');
  await requireWritable(options.record);
  tellAssumed(options, options.activationGiven !== false);
  return runRecorded(
    options,
    async (control) => {
      const data = await openData(options, control);
      const fitted = { ...setup, samples: samplesOf(data, setup.samples, options.samplesGiven !== false) };
      announce?.(fitted);
      return runTable({ ...fitted, data }, control);
    },
    async () => (await import('./table-report.js')).tableReport,
  );
}

/** What a network of layers does not go with: it has its own. */
const NOT_OF_MODELS = ['data', 'targets', 'target', 'weights', 'size', 'matrices'] as const;

/** The table of a network of layers. */
async function tableOfModel(options: TableOptions, model: TableModelName): Promise<TableRecord> {
  const misplaced = NOT_OF_MODELS.find((name) => options[name] !== undefined);
  if (misplaced !== undefined) throw new UsageError(`--${misplaced} does not go with --model.`);
  if (options.networkGiven === true || options.activationGiven === true)
    throw new UsageError('--network, --activation, --loss and --bias are of perceptrons: a --model has its own.');
  checkData(options);
  requireKind('record', options.record, 'record');
  await requireWritable(options.record);
  const { low, high, methods, vectors, seed, memoryLimit, batchSize, learningRate } = options;
  const settings = { low, high, vectors, seed, memoryLimit, batchSize, learningRate };
  const named = methods.length === 1 && methods[0] === 'all' ? TABLE_METHODS : methods;
  return runRecorded(
    options,
    async (control) => {
      const { openTableModel } = await import('./model-data.js');
      const { runGraphTable } = await import('../experiment/graph-table-run.js');
      const opened = await openTableModel(model, options, control);
      const { epochs = opened.epochs } = options;
      return runGraphTable({ ...opened, ...settings, epochs, methods: named }, control);
    },
    async () => (await import('./table-report.js')).tableReport,
  );
}

/** Runs the table of approximations, records and reports it; resolves to the exit status. */
export async function table(options: TableOptions): Promise<number> {
  await tableOf(options);
  return EXIT_STATUS.done;
}
