/**
 * A missed tolerance in words: what was hit, and what can be done about it.
 */
import type { RunControl } from '../../core/context.js';
import { warn } from '../../core/warning.js';
import { chosenSentences } from './chosen-options.js';
import type { HierarchicalMatrix } from './hierarchical-matrix.js';
import type { CommonReport, EntriesReport } from './report.js';
import type { ToleranceLimit, ToleranceLimitKind } from './tolerance-limits.js';

/** How an option and its value are written: `maxRank: 512` by the library, `--max-rank 512` by the command. */
export type OptionText = (option: string, value?: number | string) => string;

const inLibrary: OptionText = (option, value) =>
  value === undefined ? option : `${option}: ${typeof value === 'string' ? `'${value}'` : value}`;

const capital = (text: string): string => text[0].toUpperCase() + text.slice(1);

/** [1, 2, 3, 5] → "levels 1–3 and 5". */
function levelsInWords(levels: readonly number[]): string {
  const runs: string[] = [];
  for (let i = 0; i < levels.length;) {
    let last = i;
    while (last + 1 < levels.length && levels[last + 1] === levels[last] + 1) last++;
    runs.push(last === i ? `${levels[i]}` : `${levels[i]}–${levels[last]}`);
    i = last + 1;
  }
  const text = runs.length < 2 ? runs.join('') : `${runs.slice(0, -1).join(', ')} and ${runs[runs.length - 1]}`;
  return `level${levels.length === 1 ? '' : 's'} ${text}`;
}

/** What advice is given from: a report, or the part of it that a record keeps. */
export type AdvisedReport = Pick<CommonReport, 'size' | 'format' | 'leafSize' | 'maxRank' | 'dtype' | 'limits'> &
  Partial<Pick<EntriesReport, 'budget' | 'distance' | 'preserve' | 'chosen'>>;

/**
 * What was hit and what may help, in sentences for people. Options are written by `option`: in the command by its
 * flags.
 */
export function toleranceAdvice(report: AdvisedReport, option: OptionText = inLibrary): string {
  const { limits, maxRank, leafSize, size, format, budget, dtype } = report;
  if (limits.length === 0) return `No limit was hit: ask for a smaller ${option('tolerance')}.`;
  const of = (kind: ToleranceLimitKind): readonly ToleranceLimit[] => limits.filter(({ limit }) => limit === kind);
  const sentences = report.chosen === undefined ? [] : chosenSentences(report.chosen);
  const ranks = of('maxRank');
  // Near blocks come from entries, and are no part of what keeps K̃ positive semidefinite.
  const near = format !== 'fmm' && report.preserve === undefined && report.distance !== undefined;
  if (ranks.length > 0) {
    const levels = ranks.flatMap(({ level }) => (level === undefined ? [] : [level]));
    const more = Math.min(size, 4 * maxRank, 16_384);
    const highest = Math.max(...ranks.map(({ rank = maxRank }) => rank));
    const at =
      highest < maxRank
        ? `near their limit, at rank ${highest} of ${maxRank}`
        : `at rank ${maxRank}${maxRank === leafSize ? ', the leaf size' : ''}`;
    const help = more > maxRank ? option('maxRank', more) : `a larger ${option('leafSize')}`;
    sentences.push(
      `${capital(levelsInWords(levels))} ${levels.length === 1 ? 'is' : 'are'} ${at}: ` +
        `${help}${near ? `, or near blocks: ${option('format', 'fmm')} with ${option('budget', 0.03)}` : ''}.`,
    );
  }
  if (of('budget').length > 0)
    sentences.push(`The near blocks use all of their budget of ${budget}: raise ${option('budget')}.`);
  if (of('rows').length > 0) {
    const levels = of('rows').flatMap(({ level }) => (level === undefined ? [] : [level]));
    const where = levels.length === 0 ? '' : ` (${levelsInWords(levels)}, at ranks below the limit)`;
    sentences.push(
      `The sampled rows do not show all of the matrix${where}: a larger ${option('leafSize')} samples more of ` +
        `them, and more ${option('neighbors')} find those that matter.`,
    );
  }
  if (of('oversampling').length > 0)
    sentences.push(`The random vectors do not show all of the operator: raise ${option('oversampling')}.`);
  if (of('preserve').length > 0)
    sentences.push(
      `${option('preserve')} costs accuracy at these ranks: ask for a smaller ${option('tolerance')}, or leave it out.`,
    );
  if (of('dtype').length > 0)
    sentences.push(
      `The tolerance lies below the rounding of ${dtype}: ` +
        `${dtype === 'f32' ? option('dtype', 'f64') : `raise ${option('tolerance')}`}.`,
    );
  return sentences.join(' ');
}

/** Warns once (core/warning.ts) where the matrix missed the tolerance it was asked for; returns it. */
export function warnIfMissed<M extends HierarchicalMatrix>(matrix: M, control: RunControl = {}): M {
  const { met, tolerance, seen } = matrix.report;
  if (met === false)
    warn(
      'HMATRIX_TOLERANCE',
      (
        `The asked tolerance was missed: asked ${tolerance}, relative error about ${seen.toPrecision(2)}. ` +
        `${toleranceAdvice(matrix.report)}`
      ).trimEnd(),
      control,
    );
  return matrix;
}
