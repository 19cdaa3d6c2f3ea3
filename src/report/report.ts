/**
 * One page of several runs and matrices.
 */
import { requireControl, type RunControl } from '../core/context.js';
import { OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { drawCharts } from './charts/draw.js';
import { pageOf, type DrawnView } from './page/page.js';
import { viewOf, type Subject, type View } from './view.js';

/** Options of {@link report}. */
export interface ReportOptions {
  /** Of the page; default: that of the only run, or how many there are. */
  readonly title?: string | undefined;
}
const REPORT_KEYS: KeysOf<ReportOptions> = { title: 'text' };

/**
 * A page of HTML with pictures of everything in `subjects` (as `plot` takes them), their options, seeds and machines,
 * and the commands that repeat them where records tell those. It is whole by itself: neither scripts nor fonts nor
 * pictures are loaded. The same subjects give the same text. Throws OptionError, FileFormatError, AbortedError.
 */
export async function report(
  subjects: readonly Subject[],
  options: ReportOptions = {},
  control: RunControl = {},
): Promise<string> {
  requireKnownOptions(options, REPORT_KEYS, 'report');
  requireControl(control, 'report');
  if (!Array.isArray(subjects) || subjects.length === 0)
    throw new OptionError(`report takes a list of runs and matrices, at least one, not ${describe(subjects)}.`, {});
  const views: View[] = [];
  for (const [k, subject] of subjects.entries())
    views.push(await viewOf(subject as Subject, `report, number ${k + 1}`, {}, control));
  return drawnPage(views, options.title);
}

/** The page of views. */
export async function drawnPage(views: readonly View[], title?: string): Promise<string> {
  const drawn: DrawnView[] = [];
  for (const { charts, ...view } of views) drawn.push({ ...view, figures: await drawCharts(charts) });
  return pageOf(drawn, title);
}
