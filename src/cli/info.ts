/**
 * hmatrix info: what a saved matrix is.
 */
import { describeMatrixFile } from '../hierarchical/matrix/file.js';
import { readOrigin } from '../experiment/origin.js';
import type { CompressionReport } from '../hierarchical/matrix/report.js';
import { grouped, inBytes, inDigits, inPercent, inPowers, inSeconds } from '../core/number-text.js';
import { EXIT_STATUS, interruptSignal } from './outcome.js';
import { errorLine, inputLine, memoryTable, optionsLine, rankTable, table } from './tables.js';
import { requireSaved } from './saved.js';
import { print, printJson } from './terminal.js';
import type { CommonOptions } from './command-options.js';

/** What the compression itself saw of its error, where nothing was measured afterwards. */
const seenLine = ({ met, seen, tolerance }: CompressionReport): string =>
  met === undefined
    ? `asked relative error ${inDigits(tolerance)}; whether it was met the file does not tell`
    : `relative error as far as the compression saw: ${inPowers(seen)}; asked: ` +
      `${inDigits(tolerance)}, ${met ? 'met' : 'MISSED'}`;

/** Prints what a saved matrix is, its blocks unread; resolves to the exit status. */
export async function info(file: string, options: CommonOptions): Promise<number> {
  requireSaved(file);
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
    const origin = readOrigin(summary.about);
    print(origin === undefined ? 'The file does not tell what was compressed.' : `of the ${inputLine(origin.input)}`);
    print(
      optionsLine({
        options: {
          ...report,
          ...(origin === undefined ? {} : { distance: origin.distance }),
          format: summary.format,
          dtype: summary.dtype,
        },
        seed: report.seed,
        workers: report.workers,
      }),
    );
    print(origin === undefined ? seenLine(report) : errorLine(origin));
    print(
      table(
        ['compressed in', 'seconds'],
        Object.entries(seconds).flatMap(([phase, value]) => (value === undefined ? [] : [[phase, inSeconds(value)]])),
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
