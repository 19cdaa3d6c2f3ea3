/**
 * Charts as figures: each kind with its drawing, its legend and its table.
 */
import { blockLegend, blockTable, drawBlocks } from './blocks.js';
import type { Chart, ChartTable } from './chart.js';
import { curveLegend, curveTable, drawCurves, hiddenNote, showsCurves } from './curves.js';
import { drawLegend, FIGURE_WIDTH, type LegendEntry } from './legend.js';
import { openDrawer, type Drawer, type Drawing, type Plot } from './plot-library.js';
import { drawSpans, showsSpans, spanLegend, spanTable } from './spans.js';

/** A figure that is drawn. Pixels. */
export interface Figure {
  readonly id: string;
  readonly title: string;
  readonly alt: string;
  readonly caption: string | undefined;
  readonly table: ChartTable;
  readonly width: number;
  readonly height: number;
  /** SVG elements for an area of `width` × `height`: legend and drawing, without the title. */
  readonly body: string;
}

/** How a kind of chart is drawn. */
interface Kind<C> {
  readonly draw: (plot: Plot, chart: C) => Drawing;
  readonly legend: (chart: C) => LegendEntry[];
  readonly table: (chart: C) => ChartTable;
  readonly shows: (chart: C) => boolean;
}

const KINDS: { readonly [K in Chart['kind']]: Kind<Extract<Chart, { readonly kind: K }>> } = {
  curves: { draw: drawCurves, legend: curveLegend, table: curveTable, shows: showsCurves },
  spans: { draw: drawSpans, legend: spanLegend, table: spanTable, shows: showsSpans },
  blocks: { draw: drawBlocks, legend: blockLegend, table: blockTable, shows: () => true },
};

/** Whether there is anything in a chart's picture. */
export const showsSomething = (chart: Chart): boolean => (KINDS[chart.kind] as Kind<Chart>).shows(chart);

const GAP = 4;
const FONT = { fontSize: '11px', fontFamily: 'inherit' } as const;

/** Puts an SVG element of Plot's at a height of another. */
const placed = (svg: string, y: number): string => svg.replace('<svg ', `<svg y="${y}" `);

function figureOf({ plot, draw }: Drawer, chart: Chart): Figure {
  const kind = KINDS[chart.kind] as Kind<Chart>;
  const entries = kind.legend(chart);
  const drawing = kind.draw(plot, chart);
  const legend = entries.length === 0 ? undefined : drawLegend(plot, entries);
  const above = legend === undefined ? 0 : legend.height + GAP;
  const { id, title, alt } = chart;
  const notes = [chart.caption, chart.kind === 'curves' ? hiddenNote(chart) : undefined];
  const caption = notes.filter((note) => note !== undefined).join(' ');
  return {
    id,
    title,
    alt,
    caption: caption === '' ? undefined : caption,
    table: kind.table(chart),
    width: FIGURE_WIDTH,
    height: above + drawing.height!,
    body:
      (legend === undefined ? '' : draw({ ...legend, style: FONT })) +
      placed(draw({ ...drawing, width: FIGURE_WIDTH, style: FONT }), above),
  };
}

/** Draws charts, in their order. The same charts give the same bits. */
export async function drawCharts(charts: readonly Chart[]): Promise<Figure[]> {
  const drawer = await openDrawer();
  return charts.map((chart) => figureOf(drawer, chart));
}
