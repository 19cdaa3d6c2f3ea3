/**
 * Figures of a matrix or a run, and the files that they become.
 */
import { OptionError } from '../core/errors.js';
import { requireControl, type RunControl } from '../core/context.js';
import { requireName, requireSeed } from '../core/checks.js';
import { describe, quoted } from '../core/kind.js';
import { nearestName, requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { requireSource } from '../source/entry-source.js';
import type { Chart } from './charts/chart.js';
import { drawCharts, type Figure } from './charts/draw.js';
import { pageOf } from './page/page.js';
import { pngOf } from './png.js';
import type { MatrixPictures } from './records/matrix.js';
import { svgDocument, THEMES, type Theme } from './svg.js';
import { viewOf, type Subject, type View } from './view.js';

/** Options of {@link plot}. */
export interface PlotOptions extends MatrixPictures {
  /** The ids of the figures that are drawn; default: all that there are. */
  readonly figures?: readonly string[] | undefined;
}
/** The keys of {@link PlotOptions}. */
const PLOT_KEYS: KeysOf<PlotOptions> = {
  figures: true,
  source: true,
  singularValues: 'boolean',
  spectrum: 'boolean',
  seed: 'number',
};

/** Options of a picture's files. */
export interface PictureOptions {
  /** Default: 'auto' in SVG, what the viewer prefers; 'light' in PNG, where 'auto' is that too. */
  readonly theme?: Theme | undefined;
}
const PICTURE_KEYS: KeysOf<PictureOptions> = { theme: true };

/** Figures, and the files that they become. The same subject gives the same bytes. */
export class Picture {
  /** The figures, each with its id, title, alternative text and numbers (`table`). */
  readonly figures: readonly Figure[];
  readonly #view: View;

  constructor(view: View, figures: readonly Figure[]) {
    this.#view = view;
    this.figures = figures;
  }

  /** An SVG document of its own, the figures side by side. Throws OptionError. */
  toSvg(options: PictureOptions = {}): string {
    return svgDocument(this.figures, themeOf(options, 'toSvg') ?? 'auto');
  }

  /** A PNG file of twice the size in pixels. Throws OptionError. */
  toPng(options: PictureOptions = {}): Promise<Uint8Array> {
    return pngOf(svgDocument(this.figures, themeOf(options, 'toPng') ?? 'light', false));
  }

  /** A page of its own, as `report` makes it of several. */
  toHtml(): string {
    return pageOf([{ ...this.#view, figures: this.figures }]);
  }
}

function themeOf(options: PictureOptions, of: string): Theme | undefined {
  requireKnownOptions(options, PICTURE_KEYS, of);
  const { theme } = options;
  return theme === undefined ? undefined : requireName(theme, 'theme', of, THEMES);
}

/** The charts that were asked for, in the order of the names. Throws OptionError for names of none. */
export function chosenCharts(charts: readonly Chart[], names: readonly string[] | undefined): readonly Chart[] {
  if (names === undefined) return charts;
  const known = charts.map(({ id }) => id);
  if (!Array.isArray(names) || names.length === 0)
    throw new OptionError(`figures must be a list of ${known.join(', ')}, not ${describe(names)}.`, {
      option: 'figures',
    });
  return [...new Set(names)].map((name: string) => {
    const found = charts.find(({ id }) => id === name);
    if (found !== undefined) return found;
    const near = typeof name === 'string' ? nearestName(name, known) : undefined;
    throw new OptionError(
      `There is no figure ${quoted(name)} of this; there are ${known.join(', ')}.` +
        (near === undefined ? '' : ` Did you mean ${near}?`),
      { option: 'figures', given: name },
    );
  });
}

/** The picture of a view. */
export const drawnPicture = async (view: View): Promise<Picture> => new Picture(view, await drawCharts(view.charts));

/**
 * Pictures of a hierarchical matrix or its factorization (blocks, ranks and memory; by `singularValues` and `spectrum`
 * more), of the record of a run (as `--record` writes it and JSON.parse reads it), or of what `solve` or `train`
 * returned. `source`, `singularValues`, `spectrum` and `seed` are about matrices alone. Throws OptionError,
 * FileFormatError for a record that lacks what is drawn of it, AbortedError, and what products and the source throw.
 */
export async function plot(subject: Subject, options: PlotOptions = {}, control: RunControl = {}): Promise<Picture> {
  requireKnownOptions(options, PLOT_KEYS, 'plot');
  requireControl(control, 'plot');
  const { figures, source, seed } = options;
  if (source !== undefined) requireSource(source, 'plot');
  if (seed !== undefined) requireSeed(seed);
  const view = await viewOf(subject, 'plot', options, control);
  return drawnPicture({ ...view, charts: chosenCharts(view.charts, figures) });
}
