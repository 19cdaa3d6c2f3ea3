/**
 * hmatrix plot: pictures of a saved matrix, or of the record of a run.
 */
import { extname } from 'node:path';
import type { RunControl } from '../core/context.js';
import { writeAtomically } from '../io/atomic-write.js';
import type { Chart } from '../report/charts/chart.js';
import { chosenCharts, drawnPicture, type Picture } from '../report/picture.js';
import type { View } from '../report/view.js';
import { EXIT_STATUS, interruptSignal } from './outcome.js';
import { requireKind, requireWritable, withTeam } from './run.js';
import { isRecordFile, matrixFileView, recordFileView } from './subjects.js';
import { table } from './tables.js';
import { print, printJson } from './terminal.js';
import { blockPicture } from './terminal-blocks.js';
import { asFlag, UsageError } from './usage.js';
import type { PlotCommandOptions } from './command-options.js';

/** What each kind of file holds. */
const FILES: Readonly<Record<string, (picture: Picture, options: PlotCommandOptions) => string | Promise<Uint8Array>>> =
  {
    '.svg': (picture, { theme }) => picture.toSvg({ theme }),
    '.png': (picture, { theme }) => picture.toPng({ theme }),
    '.html': (picture) => picture.toHtml(),
  };

/** What only pictures of a matrix take. */
const OF_MATRICES = ['singularValues', 'spectrum'] as const;

async function check(file: string, options: PlotCommandOptions): Promise<void> {
  const { out, theme } = options;
  requireKind('out', out, 'picture');
  if (out !== undefined && !Object.hasOwn(FILES, extname(out).toLowerCase()))
    throw new UsageError(`--out ${out}: the name of a picture ends in .svg, .png or .html.`);
  if (theme !== undefined && !/\.(svg|png)$/i.test(out ?? ''))
    throw new UsageError('--theme goes with --out FILE.svg or FILE.png; a page lets its reader choose.');
  const misplaced = OF_MATRICES.find((name) => options[name] === true);
  if (misplaced !== undefined && isRecordFile(file))
    throw new UsageError(`${asFlag(misplaced)} goes with a saved matrix; ${file} is the record of a run.`);
  await requireWritable(out);
}

/** What is shown of the file. */
async function open(file: string, options: PlotCommandOptions): Promise<View> {
  if (isRecordFile(file)) return recordFileView(file, {});
  return withTeam(options, async (control) => {
    const { singularValues, spectrum, seed } = options;
    const { view, matrix } = await matrixFileView(file, { singularValues, spectrum, seed }, control);
    matrix.release();
    return view;
  });
}

/** The figures in the terminal: the partition in characters, of others their numbers. */
function printAll(view: View, charts: readonly Chart[], picture: Picture): void {
  print(view.title);
  for (const [k, chart] of charts.entries()) {
    const figure = picture.figures[k];
    print(`\n${figure.title} (${figure.id})`);
    if (chart.kind === 'blocks') print(blockPicture(chart.structure));
    print(table(figure.table.head, figure.table.rows));
  }
}

/** Writes the picture that was asked for. */
async function write(picture: Picture, options: PlotCommandOptions, control: RunControl): Promise<void> {
  const { out = '' } = options;
  const content = await FILES[extname(out).toLowerCase()](picture, options);
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  await writeAtomically(out, control, (file) => file.append(bytes));
}

/** Draws, writes or prints; resolves to the exit status. */
export async function plotCommand(file: string, options: PlotCommandOptions): Promise<number> {
  await check(file, options);
  const { signal, dispose } = interruptSignal();
  try {
    const view = await open(file, options);
    const charts = chosenCharts(view.charts, options.figures);
    const picture = await drawnPicture({ ...view, charts });
    const { out } = options;
    if (out !== undefined) await write(picture, options, { signal });
    if (options.json === true)
      printJson({
        title: view.title,
        out: out ?? null,
        figures: picture.figures.map(({ id, title, alt, caption, table }) => ({ id, title, alt, caption, table })),
      });
    else if (options.quiet === true) return EXIT_STATUS.done;
    else if (out === undefined) printAll(view, charts, picture);
    else print(`${picture.figures.map(({ id }) => id).join(', ')}: written to ${out}`);
    return EXIT_STATUS.done;
  } finally {
    dispose();
  }
}
