/**
 * What colours, marks and dashes mean, above a picture.
 */
import type { Drawing, Plot } from './plot-library.js';

/** One of the things that are told apart. */
export interface LegendEntry {
  readonly name: string;
  readonly colour: string;
  /** A mark, a line of dashes, or both; neither: a filled square. */
  readonly symbol?: string | undefined;
  readonly open?: boolean | undefined;
  readonly dash?: string | undefined;
  /** Of the filled square. Default 1. */
  readonly opacity?: number | undefined;
}

const sampleOf = ({ dash }: LegendEntry): number => (dash === undefined ? MARK : LINE);

interface Placed extends LegendEntry {
  readonly x: number;
  readonly y: number;
}

/** Pixels of every figure: what a telephone shows without shrinking letters much. */
export const FIGURE_WIDTH = 360;

const ROW = 17;
/** Widths of what stands before a name: a line of dashes, or a mark alone. */
const LINE = 22;
const MARK = 12;
const GAP = 14;
const SIZE = 11;

/** About how wide a text of this size is: no font is measured, so that all machines agree. */
export const widthOf = (text: string, size: number): number => 0.61 * size * [...text].length;

/** A text in lines that are at most so wide. */
export function linesOf(text: string, width: number, size: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)!} ${word}`;
    if (lines.length > 0 && widthOf(longer, size) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** Entries side by side, in as many rows as they take. */
function placed(entries: readonly LegendEntry[]): Placed[] {
  let [x, y] = [4, ROW / 2];
  return entries.map((entry) => {
    const needed = sampleOf(entry) + 4 + widthOf(entry.name, SIZE);
    if (x > 4 && x + needed > FIGURE_WIDTH) [x, y] = [4, y + ROW];
    const at = { ...entry, x, y };
    x += needed + GAP;
    return at;
  });
}

/** The legend as a drawing of its own. */
export function drawLegend(plot: Plot, entries: readonly LegendEntry[]): Drawing & { height: number } {
  const all = placed(entries);
  return {
    width: FIGURE_WIDTH,
    height: (all.at(-1)?.y ?? 0) + ROW / 2,
    margin: 0,
    axis: null,
    x: { type: 'identity' },
    y: { type: 'identity' },
    marks: [
      ...all.flatMap((entry) => {
        const { x, y, colour, symbol, open, dash, opacity = 1 } = entry;
        const [middle, end] = [x + sampleOf(entry) / 2, x + sampleOf(entry)];
        return [
          ...(dash === undefined
            ? []
            : [
                plot.link([entry], {
                  x1: x,
                  x2: end,
                  y1: y,
                  y2: y,
                  stroke: colour,
                  strokeWidth: 1.8,
                  strokeDasharray: dash,
                }),
              ]),
          ...(symbol === undefined && dash !== undefined
            ? []
            : [
                plot.dot([entry], {
                  x: middle,
                  y,
                  symbol: (symbol ?? 'square') as 'square',
                  r: symbol === undefined ? 6 : 4,
                  stroke: symbol === undefined ? 'currentColor' : colour,
                  strokeWidth: symbol === undefined ? 0.5 : 1.5,
                  fill: open === true ? 'none' : colour,
                  fillOpacity: opacity,
                }),
              ]),
        ];
      }),
      plot.text(all, {
        x: (entry: Placed) => entry.x + sampleOf(entry) + 4,
        y: 'y',
        text: 'name',
        textAnchor: 'start',
        fontSize: SIZE,
      }),
    ],
  };
}
