/**
 * hmatrix info: what a saved matrix is.
 */
import { describeMatrixFile } from '../hierarchical/matrix/file.js';
import { grouped, inBytes, inPercent, inSeconds } from './numbers.js';
import { EXIT_STATUS, interruptSignal } from './outcome.js';
import { memoryTable, optionsLine, rankTable, table } from './tables.js';
import { print, printJson } from './terminal.js';
import type { CommonOptions } from './command-options.js';

/** Prints what a saved matrix is, its blocks unread; resolves to the exit status. */
export async function info(file: string, options: CommonOptions): Promise<number> {
  const { signal, dispose } = interruptSignal();
  try {
    const summary = await describeMatrixFile(file, { signal });
    if (options.json === true) {
      printJson(summary);
      return EXIT_STATUS.done;
    }
    const { report, ranks, memory, size, depth, fileBytes } = summary;
    const { seconds } = report;
    print(
      `${grouped(size)} × ${grouped(size)}, ${2 ** depth} leaves, file of ` +
        inBytes(fileBytes) +
        (summary.budgetUsed > 0 ? `, near blocks hold ${inPercent(summary.budgetUsed)} of the matrix` : ''),
    );
    print(
      optionsLine({
        options: { ...report, format: summary.format, dtype: summary.dtype },
        seed: report.seed,
        workers: report.workers,
      }),
    );
    print(
      table(
        ['compressed in', 'seconds'],
        Object.entries(seconds).map(([phase, value]) => [phase, inSeconds(value)]),
      ),
    );
    if (ranks.length > 0) print(rankTable(ranks));
    print(memoryTable(memory));
    print(`BLAS: ${report.blas}`);
    return EXIT_STATUS.done;
  } finally {
    dispose();
  }
}
