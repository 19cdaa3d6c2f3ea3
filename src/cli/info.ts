/**
 * hmatrix info: what a saved matrix or factorization is.
 */
import { describeFactorizationFile, type FactorizationFileSummary } from '../hierarchical/factor/file.js';
import { describeMatrixFile, type MatrixFileSummary } from '../hierarchical/matrix/file.js';
import { readOrigin } from '../experiment/origin.js';
import type { CompressionReport } from '../hierarchical/matrix/report.js';
import { grouped, inBytes, inDigits, inPercent, inPowers, inSeconds } from '../core/number-text.js';
import { EXIT_STATUS, interruptSignal } from './outcome.js';
import { errorLine, inputLine, memoryTable, optionsLine, rankTable, table } from './tables.js';
import { holdsFactors, requireSaved } from './saved.js';
import { printJson, printReport } from './terminal.js';
import type { CommonOptions } from './command-options.js';

/** What the compression itself saw of its error, where nothing was measured afterwards. */
const seenLine = ({ met, seen, tolerance }: CompressionReport): string =>
  met === undefined
    ? `asked relative error ${inDigits(tolerance)}; whether it was met the file does not tell`
    : `relative error as far as the compression saw: ${inPowers(seen)}; asked: ` +
      `${inDigits(tolerance)}, ${met ? 'met' : 'MISSED'}`;

/** What a matrix is, and where it came from: a line or a table each. */
function matrixLines(
  { report, size, depth, budgetUsed, format, dtype }: Omit<MatrixFileSummary, 'fileBytes' | 'about'>,
  about: MatrixFileSummary['about'],
  fileBytes: number,
): string[] {
  const origin = readOrigin(about);
  return [
    `${grouped(size)} × ${grouped(size)}, ${2 ** depth} leaves, file of ${inBytes(fileBytes)}` +
      (budgetUsed > 0 ? `, near blocks hold ${inPercent(budgetUsed)} of the matrix` : ''),
    origin === undefined ? 'The file does not tell what was compressed.' : `of the ${inputLine(origin.input)}`,
    optionsLine({
      options: { ...report, ...(origin === undefined ? {} : { distance: origin.distance }), format, dtype },
      seed: report.seed,
      workers: report.workers,
    }),
    origin === undefined ? seenLine(report) : errorLine(origin),
  ];
}

/** What a saved matrix is. */
function matrixInfo(summary: MatrixFileSummary): string {
  const { report, ranks, memory, about, fileBytes } = summary;
  const seconds = Object.entries(report.seconds).flatMap(([phase, value]) =>
    value === undefined ? [] : [[phase, inSeconds(value)]],
  );
  return [
    ...matrixLines(summary, about, fileBytes),
    table(['compressed in', 'seconds'], seconds),
    ...(ranks.length > 0 ? [rankTable(ranks)] : []),
    memoryTable(memory),
    `BLAS: ${report.blas}`,
  ].join('\n');
}

/** What a saved factorization is. */
function factorizationInfo(summary: FactorizationFileSummary): string {
  const { matrix, shift, precision, indefinite, logdet, factorBytes, about, fileBytes } = summary;
  const { ranks, memory } = matrix;
  return [
    `factorization of K̃ + λI, λ = ${inDigits(shift)}, ${indefinite ? 'indefinite, ' : ''}${precision}; ` +
      `K̃ the compressed matrix:`,
    ...matrixLines(matrix, about, fileBytes),
    `log ${indefinite ? '|det(K̃ + λI)|' : 'det(K̃ + λI)'} = ${inDigits(logdet, 10)}`,
    ...(ranks.length > 0 ? [rankTable(ranks)] : []),
    memoryTable(memory, factorBytes),
  ].join('\n');
}

/** Prints what a saved matrix or factorization is, its blocks unread; resolves to the exit status. */
export async function info(file: string, options: CommonOptions): Promise<number> {
  requireSaved(file);
  const { signal, dispose } = interruptSignal();
  try {
    if (await holdsFactors(file, { signal })) {
      const summary = await describeFactorizationFile(file, { signal });
      if (options.json === true) printJson({ content: 'factorization', ...summary });
      else printReport(factorizationInfo(summary));
    } else {
      const summary = await describeMatrixFile(file, { signal });
      if (options.json === true) printJson(summary);
      else printReport(matrixInfo(summary));
    }
    return EXIT_STATUS.done;
  } finally {
    dispose();
  }
}
