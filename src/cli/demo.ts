/**
 * hmatrix demo: the main job, on a network that takes less than a minute.
 */
import { resolve } from 'node:path';
import type { TableRecord } from '../experiment/table-record.js';
import { viewOf } from '../report/view.js';
import { commandLine } from './command-line.js';
import { writePage } from './report.js';
import { requireKind, requireWritable } from './run.js';
import { grouped, inBytes, inPercent, inPowers } from '../core/number-text.js';
import { EXIT_STATUS } from './outcome.js';
import { tableOf } from './table.js';
import { print, printReport } from './terminal.js';
import type { DemoOptions } from './command-options.js';

/** What was found, in one sentence of measured numbers. */
export function verdict({ rows, size }: Pick<TableRecord, 'rows' | 'size'>): string {
  const dense = 8 * size ** 2;
  const figures = rows
    .filter(({ method }) => /-high$|^EKFAC$/.test(method))
    .map(({ method, share, error }) => `${method} ${inPowers(error.relative)} at ${inPercent(share)}`);
  const best = rows.reduce<TableRecord['rows'][number] | undefined>(
    (least, row) => (least === undefined || row.error.relative < least.error.relative ? row : least),
    undefined,
  );
  if (best === undefined) return 'No method fitted its budget: raise --low and --high.';
  return (
    `Of the ${grouped(size)} × ${grouped(size)} Gauss–Newton Hessian, which stored densely takes ` +
    `${inBytes(dense)}, ${best.method} keeps the most: ${inBytes(best.bytes)} with a relative error of ` +
    `${inPowers(best.error.relative)} (${figures.join('; ')}).`
  );
}

/** Runs the table on a network of a minute, with comments, and draws it on a page; resolves to the exit status. */
export async function demo(options: DemoOptions): Promise<number> {
  const talk = options.json !== true && options.quiet !== true;
  requireKind('report', options.report, 'page');
  await requireWritable(options.report);
  const record = await tableOf(options, ({ widths, samples, epochs }) => {
    if (!talk) return;
    printReport(
      `A network of ${widths.join('-')} units sees ${grouped(samples)} ` +
        (options.data === undefined
          ? `images of digits (${options.images ?? 'generated; --images FILE takes real ones'}), `
          : `samples of ${options.data}, `) +
        `${epochs} epochs of training.`,
    );
    printReport(
      'G = (1/n) Σ_i J_iᵀ Q_i J_i, its Gauss–Newton Hessian, is then approximated at equal memory, and the error of ' +
        'every approximation measured against G itself.',
    );
  });
  // Where no method fitted its budget there is nothing to draw.
  const found = record.rows.length > 0;
  if (found) {
    const view = await viewOf({ ...record, command: commandLine() }, 'demo', {}, {});
    await writePage(options.report, [view], undefined, {});
  }
  if (!talk) return EXIT_STATUS.done;
  printReport(verdict(record));
  if (!found) return EXIT_STATUS.done;
  print(`Pictures of it, with all numbers and options: ${resolve(options.report)}`);
  return EXIT_STATUS.done;
}
