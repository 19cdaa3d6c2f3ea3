/**
 * What plot and report draw: saved matrices, and records of runs.
 */
import { basename } from 'node:path';
import { readOrigin } from '../experiment/origin.js';
import type { RunControl } from '../core/context.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { HierarchicalMatrix } from '../hierarchical/matrix/hierarchical-matrix.js';
import type { MatrixPictures } from '../report/records/matrix.js';
import { checkedRecord } from '../report/records/check.js';
import { factsOf, viewOf, type View } from '../report/view.js';
import { readJsonObject } from './config-file.js';
import { openFactors, openSaved, requireSaved } from './saved.js';
import { inputLine } from './tables.js';

/** Whether a file's name says that it holds a record. */
export const isRecordFile = (file: string): boolean => /\.json$/i.test(file);

/** What is shown of a record's file. Throws UsageError for what is no JSON, FileFormatError, FileAccessError. */
export async function recordFileView(file: string, control: RunControl): Promise<View> {
  const record = checkedRecord(await readJsonObject(file, 'what is drawn'), file);
  return viewOf(record, file, {}, control);
}

/** What is shown of a saved matrix or factorization, and the matrix, which is the caller's to release. */
export async function matrixFileView(
  file: string,
  options: MatrixPictures,
  control: TeamControl,
): Promise<{ readonly view: View; readonly matrix: HierarchicalMatrix }> {
  requireSaved(file);
  const { matrix, factorization, about } = (await openFactors(file, control)) ?? {
    ...(await openSaved(file, control)),
    factorization: undefined,
  };
  const { signal, onProgress } = control;
  const view = await viewOf(factorization ?? matrix, file, options, { signal, onProgress });
  factorization?.release();
  const origin = readOrigin(about);
  const note = origin === undefined ? undefined : `Compressed of the ${inputLine(origin.input)}.`;
  const facts = [...(origin === undefined ? [] : factsOf(origin)), ...view.facts];
  return { view: { ...view, note, title: `${basename(file)}: ${view.title}`, facts }, matrix };
}
