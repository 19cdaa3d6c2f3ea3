/**
 * hmatrix report: one page of records and saved matrices.
 */
import type { RunControl } from '../core/context.js';
import { inBytes } from '../core/number-text.js';
import { writeAtomically } from '../io/atomic-write.js';
import { drawnPage } from '../report/report.js';
import type { View } from '../report/view.js';
import { EXIT_STATUS } from './outcome.js';
import { requireKind, requireWritable, withTeam } from './run.js';
import { isRecordFile, matrixFileView, recordFileView } from './subjects.js';
import { print, printJson } from './terminal.js';
import type { ReportCommandOptions } from './command-options.js';

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** Draws views and writes them as one page; returns its size in bytes. */
export async function writePage(
  path: string,
  views: readonly View[],
  title: string | undefined,
  control: RunControl,
): Promise<number> {
  const page = new TextEncoder().encode(await drawnPage(views, title));
  await writeAtomically(path, control, (file) => file.append(page));
  return page.length;
}

/** What is shown of each file; workers are opened where one of them is a matrix. */
async function open(files: readonly string[], options: ReportCommandOptions): Promise<View[]> {
  const records = new Map<string, View>();
  // Records first: what is wrong with one is known before matrices are read.
  for (const file of files.filter(isRecordFile)) records.set(file, await recordFileView(file, {}));
  if (records.size === new Set(files).size) return files.map((file) => records.get(file)!);
  return withTeam(options, async (control) => {
    const views: View[] = [];
    for (const file of files) {
      const known = records.get(file);
      if (known !== undefined) {
        views.push(known);
        continue;
      }
      const { view, matrix } = await matrixFileView(file, {}, control);
      matrix.release();
      views.push(view);
    }
    return views;
  });
}

/** Writes the page; resolves to the exit status. */
export async function reportCommand(files: readonly string[], options: ReportCommandOptions): Promise<number> {
  const { out, title } = options;
  requireKind('out', out, 'page');
  await requireWritable(out);
  const views = await open(files, options);
  const bytes = await writePage(out, views, title, {});
  const figures = views.reduce((count, { charts }) => count + charts.length, 0);
  if (options.json === true) printJson({ out, bytes, runs: views.map((view) => view.title), figures });
  else if (options.quiet !== true)
    print(`${counted(figures, 'figure')} of ${counted(views.length, 'file')} (${inBytes(bytes)}): ${out}`);
  return EXIT_STATUS.done;
}
