/**
 * Stretches of an axis, row by row.
 */
import { written, type ChartTable, type Span, type SpanChart } from './chart.js';
import { ruleMarks, shownRules } from './curves.js';
import { linesOf, widthOf, type LegendEntry } from './legend.js';
import { isFaint, styleOf } from './palette.js';
import type { Drawing, Plot } from './plot-library.js';
import { axisMarks, isShown, scaleOf } from './scales.js';

/** Pixels of a row, and of each where there are many. */
const [ROW, THIN_ROW, MOST_ROWS] = [26, 12, 16];
const SIZE = 11;
/** Pixels of a line of a row's name, and of the longest one. */
const [LINE, NAME_WIDTH] = [14, 150];
/** How opaque those groups are whose colours others have already. */
const FAINT = 0.4;

const groupsOf = ({ spans }: Pick<SpanChart, 'spans'>): string[] => [
  ...new Set(spans.flatMap(({ group }) => group ?? [])),
];

/** What the axis can show: of a stretch that it cannot show wholly, from its point on. */
const shownOf = ({ x, spans }: SpanChart): Span[] =>
  spans
    .map((span) => ({
      ...span,
      start: isShown(x, span.start) ? span.start : (span.point ?? span.end),
      end: isShown(x, span.end) ? span.end : (span.point ?? span.start),
    }))
    .filter(({ start, end }) => isShown(x, start) && isShown(x, end));

/** Whether its axis can show a stretch of it. */
export const showsSpans = (chart: SpanChart): boolean => shownOf(chart).length > 0;

/** The stretches, drawn by Plot. */
export function drawSpans(plot: Plot, chart: SpanChart): Drawing {
  const { spans } = chart;
  const rules = shownRules(chart);
  const rows = [...new Set(spans.map(({ row }) => row))];
  // Long names of rows are broken into lines, and all rows are as high as the highest.
  const names = new Map(rows.map((row) => [row, linesOf(row, NAME_WIDTH, SIZE)]));
  const lines = Math.max(1, ...[...names.values()].map(({ length }) => length));
  const groups = groupsOf(chart);
  const place = ({ group }: Span): number => Math.max(0, groups.indexOf(group ?? ''));
  const colourOf = (span: Span): string => styleOf(place(span)).colour;
  const shown = shownOf(chart);
  const title = ({ row, label, note }: Span): string => note ?? `${row}: ${label}`;
  const [bars, points] = [
    shown.filter(({ point }) => point === undefined),
    shown.filter((span) => span.point !== undefined),
  ];
  const widest = (texts: readonly string[]): number => Math.max(0, ...texts.map((text) => widthOf(text, SIZE)));
  const x = scaleOf(
    chart.x,
    shown.flatMap(({ start, end, point = end }) => [start, end, point]),
    rules,
  );
  // Without it faint bars have no edge.
  const outline = groups.length > 1 ? { stroke: colourOf, strokeWidth: 0.8 } : {};
  const behind = { x: 'end', y: 'row', text: 'label', textAnchor: 'start', fontSize: SIZE } as const;
  return {
    height: Math.max(rows.length > MOST_ROWS ? THIN_ROW : ROW, LINE * lines) * rows.length + 60,
    marginTop: rules.length > 0 ? 22 : 10,
    marginLeft: Math.max(40, widest([...names.values()].flat()) + 12),
    marginRight: Math.max(16, widest([...spans, ...rules].map(({ label }) => label)) + 11),
    marginBottom: 40,
    x: { ...x, grid: true },
    y: { domain: rows, label: null, padding: 0.25 },
    marks: [
      ...axisMarks(plot, { axis: chart.x, scale: x }),
      plot.axisY({ tickFormat: (row: string) => names.get(row)!.join('\n') }),
      plot.barX(bars, {
        x1: 'start',
        x2: 'end',
        y: 'row',
        fill: colourOf,
        fillOpacity: (span: Span) => (isFaint(place(span)) ? FAINT : 1),
        ...outline,
        title,
      }),
      plot.ruleY(points, { x1: 'start', x2: 'end', y: 'row', stroke: colourOf, strokeWidth: 3 }),
      plot.dot(points, { x: 'point', y: 'row', r: 5, fill: colourOf, title }),
      // Behind the stretch, or the point's mark.
      plot.text(bars, { ...behind, dx: 6 }),
      plot.text(points, { ...behind, dx: 9 }),
      ...ruleMarks(plot, rules),
    ],
  };
}

/** What the colours of the groups mean; nothing of a single one. */
export function spanLegend(chart: SpanChart): LegendEntry[] {
  const groups = groupsOf(chart);
  return groups.length < 2
    ? []
    : groups.map((name, k) => ({ name, colour: styleOf(k).colour, opacity: isFaint(k) ? FAINT : 1 }));
}

/** The stretches, a row each. */
export function spanTable({ x, spans }: SpanChart): ChartTable {
  const pointed = spans.some(({ point }) => point !== undefined);
  const from = spans.some(({ start }) => start !== 0);
  const grouped = groupsOf({ spans }).length > 1;
  return {
    head: [
      '',
      ...(grouped ? ['of'] : []),
      ...(pointed ? [x.label] : []),
      ...(from ? ['from'] : []),
      from ? 'to' : x.label,
    ],
    rows: spans.map(({ row, start, end, point, group }) => [
      row,
      ...(grouped ? [group ?? ''] : []),
      ...(pointed ? [point === undefined ? '' : written(x, point)] : []),
      ...(from ? [written(x, start)] : []),
      written(x, end),
    ]),
  };
}
