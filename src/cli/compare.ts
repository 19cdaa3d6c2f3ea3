/**
 * hmatrix compare: how soon optimizers reach a target.
 */
import type { ComparisonSetup, Point } from '../experiment/comparison-run.js';
import type { ComparisonRecord } from '../experiment/comparison-record.js';
import { nearestName } from '../core/known-options.js';
import { gridOf, OPTIMIZERS, type OptimizerName } from '../training/optimizers/table.js';
import { readJsonObject } from './config-file.js';
import { EXIT_STATUS } from './outcome.js';
import { requireKind, requireWritable, runRecorded } from './run.js';
import { checkTask, openTaskData } from './training-setup.js';
import { UsageError } from './usage.js';
import type { CompareCommandOptions } from './command-options.js';

/** The optimizers that are compared, adam first where it was not named. */
function optimizersOf({ optimizers }: CompareCommandOptions): OptimizerName[] {
  const named = optimizers[0] === 'all' ? [...OPTIMIZERS] : (optimizers as readonly OptimizerName[]);
  return [...new Set<OptimizerName>(named.includes('adam') ? named : ['adam', ...named])];
}

/** Grids of a file: {"adam": [{"learningRate": 0.01}]}; optimizers that it lacks have their small one. */
async function gridsOfFile(path: string): Promise<Readonly<Record<string, readonly Point[]>>> {
  const given = await readJsonObject(path, 'the grid');
  for (const [name, points] of Object.entries(given)) {
    if (!(OPTIMIZERS as readonly string[]).includes(name)) {
      const near = nearestName(name, OPTIMIZERS);
      const hint = near === undefined ? `there are ${OPTIMIZERS.join(', ')}.` : `did you mean "${near}"?`;
      throw new UsageError(`${path}: there is no optimizer "${name}": ${hint}`);
    }
    const isPoint = (point: unknown): boolean => typeof point === 'object' && point !== null && !Array.isArray(point);
    if (!Array.isArray(points) || points.length === 0 || !points.every(isPoint))
      throw new UsageError(
        `${path}: "${name}" must be an array of settings, at least one: [{"learningRate": 0.01}, …].`,
      );
  }
  return given as Readonly<Record<string, readonly Point[]>>;
}

async function gridsOf(options: CompareCommandOptions): Promise<ComparisonSetup['grids']> {
  const { grid } = options;
  const names = optimizersOf(options);
  if (grid === 'small' || grid === 'default')
    return names.map((optimizer) => ({ optimizer, points: gridOf(optimizer, grid) }));
  const file = await gridsOfFile(grid);
  return names.map((optimizer) => ({
    optimizer,
    points: Object.hasOwn(file, optimizer) ? file[optimizer] : gridOf(optimizer, 'small'),
  }));
}

/** The contract's object: rows without their curves, which --record keeps. */
function printed(record: ComparisonRecord): object {
  return { ...record, rows: record.rows.map(({ evaluations: _, ...row }) => row) };
}

/** Compares, records and reports; resolves to the exit status. */
export async function compareCommand(options: CompareCommandOptions): Promise<number> {
  const { targetLoss, targetAccuracy, seconds, epochs, batchSize, lastLayer, seeds, grid } = options;
  checkTask(options, options.activationGiven !== false);
  if (targetLoss !== undefined && targetAccuracy !== undefined)
    throw new UsageError('Give --target-loss or --target-accuracy, not both: a run ends at one of them.');
  requireKind('record', options.record, 'record');
  await requireWritable(options.record);
  const grids = await gridsOf(options);
  const { planComparison, runComparison } = await import('../experiment/comparison-run.js');
  planComparison({ grids, batchSize });
  const record = await runRecorded(
    options,
    async (control) => {
      const task = await openTaskData(options, control);
      return runComparison(
        { ...task, grids, grid, seeds, targetLoss, targetAccuracy, seconds: seconds!, epochs, batchSize, lastLayer },
        control,
      );
    },
    async () => (await import('./compare-report.js')).compareReport,
    printed,
  );
  return record.best.some(({ reached }) => reached > 0) ? EXIT_STATUS.done : EXIT_STATUS.toleranceMissed;
}
