/**
 * Series over two axes: lines, marks, intervals and bands.
 */
import {
  written,
  type Axis,
  type Curve,
  type CurveChart,
  type CurvePoint,
  type ChartTable,
  type Rule,
} from './chart.js';
import type { LegendEntry } from './legend.js';
import { styleOf, type Style } from './palette.js';
import type { Drawing, Mark, Plot } from './plot-library.js';
import { axisMarks, isShown, scaleOf } from './scales.js';

/** A curve of more points is a line without marks, */
const MOST_MARKS = 40;
/** and of more yet has every second, third, … alone. */
const MOST_POINTS = 600;
/** Rows of a curve in the table, at most. */
const MOST_ROWS = 24;
const HEIGHT = 270;

/** Every k-th of a long list, its first and its last. */
function thinned<T>(list: readonly T[], most: number): readonly T[] {
  if (list.length <= most) return list;
  return Array.from({ length: most }, (_, k) => list[Math.round((k * (list.length - 1)) / (most - 1))]);
}

/** The points that the axes can show. */
const shownOf = ({ x, y }: CurveChart, { points }: Curve): CurvePoint[] =>
  points.filter((point) => isShown(x, point.x) && isShown(y, point.y));

/** Whether its axes can show a point of it. */
export const showsCurves = (chart: CurveChart): boolean =>
  chart.curves.some((curve) => shownOf(chart, curve).length > 0);

/** How each curve is drawn: those beside others as those, with open marks. */
function styles({ curves }: CurveChart): readonly Style[] {
  const own = curves.filter(({ beside }) => beside === undefined);
  const place = (name: string): number => own.findIndex((curve) => curve.name === name);
  return curves.map((curve) => styleOf(Math.max(0, place(curve.beside ?? curve.name))));
}

const noteOf = ({ x, y }: CurveChart, { name }: Curve, point: CurvePoint): string =>
  point.note ??
  `${name}: ${written(x, point.x)}, ${written(y, point.y)}` +
    (point.low === undefined || point.high === undefined
      ? ''
      : ` (${written(y, point.low)} to ${written(y, point.high)})`);

const hasMarks = ({ shape, points }: Curve): boolean =>
  shape === 'marks' || (shape !== 'line' && points.length <= MOST_MARKS);

function marksOf(plot: Plot, chart: CurveChart, curve: Curve, style: Style): Mark[] {
  const all = shownOf(chart, curve);
  const points = thinned(all, MOST_POINTS);
  const { colour, symbol, dash } = style;
  const marks: Mark[] = [];
  const ranges = points.flatMap(({ x, y, low = y, high = y }) => {
    // What an axis cannot show of an interval ends at the point itself.
    const [from, to] = [isShown(chart.y, low) ? low : y, isShown(chart.y, high) ? high : y];
    return from < to ? [{ x, low: from, high: to }] : [];
  });
  if (curve.shape === 'line' && ranges.length > 0)
    marks.push(plot.areaY(ranges, { x: 'x', y1: 'low', y2: 'high', fill: colour, fillOpacity: 0.25 }));
  else if (ranges.length > 0)
    marks.push(plot.ruleX(ranges, { x: 'x', y1: 'low', y2: 'high', stroke: colour, strokeWidth: 1.5 }));
  if (curve.shape !== 'marks' && points.length > 1)
    marks.push(
      plot.line(points, {
        x: 'x',
        y: 'y',
        stroke: colour,
        strokeWidth: 1.8,
        strokeDasharray: dash,
      }),
    );
  if (hasMarks(curve))
    marks.push(
      plot.dot(points, {
        x: 'x',
        y: 'y',
        symbol: symbol as 'circle',
        r: 4,
        stroke: colour,
        strokeWidth: 1.5,
        fill: curve.beside === undefined ? colour : 'none',
        title: (point: CurvePoint) => noteOf(chart, curve, point),
      }),
    );
  return marks;
}

/** The rules at values that the axes can show. */
export const shownRules = ({ rules = [], ...axes }: Pick<CurveChart, 'x' | 'rules'> & { readonly y?: Axis }): Rule[] =>
  rules.filter(({ along, value }) => isShown(axes[along] ?? axes.x, value));

/** Lines at values, with what they are. */
export function ruleMarks(plot: Plot, rules: readonly Rule[]): Mark[] {
  const style = { stroke: 'currentColor', strokeDasharray: '4 3', strokeOpacity: 0.7 } as const;
  return rules.flatMap((rule) =>
    rule.along === 'y'
      ? [
          plot.ruleY([rule], { y: 'value', ...style }),
          plot.text([rule], { y: 'value', text: 'label', frameAnchor: 'left', dx: 4, dy: -6 }),
        ]
      : [
          plot.ruleX([rule], { x: 'value', ...style }),
          plot.text([rule], { x: 'value', text: 'label', frameAnchor: 'top', dx: 4, dy: 2, textAnchor: 'start' }),
        ],
  );
}

/** The curves, drawn by Plot. */
export function drawCurves(plot: Plot, chart: CurveChart): Drawing {
  const { curves } = chart;
  const rules = shownRules(chart);
  const points = curves.flatMap((curve) => shownOf(chart, curve));
  const along = (which: Rule['along']): Rule[] => rules.filter((rule) => rule.along === which);
  const looks = styles(chart);
  const x = scaleOf(
    chart.x,
    points.map((point) => point.x),
    along('x'),
  );
  const y = scaleOf(
    chart.y,
    points.flatMap(({ y: value, low = value, high = value }) => [value, low, high]),
    along('y'),
  );
  return {
    height: HEIGHT,
    marginLeft: 52,
    marginBottom: 40,
    marginTop: 24,
    x,
    y: { ...y, grid: true },
    marks: [
      ...axisMarks(plot, { axis: chart.x, scale: x }, { axis: chart.y, scale: y }),
      ...ruleMarks(plot, rules),
      ...curves.flatMap((curve, k) => marksOf(plot, chart, curve, looks[k])),
    ],
  };
}

/** What the styles of the curves mean; nothing of a single one. */
export function curveLegend(chart: CurveChart): LegendEntry[] {
  const looks = styles(chart);
  if (chart.curves.length < 2) return [];
  return chart.curves.map((curve, k) => ({
    name: curve.name,
    colour: looks[k].colour,
    symbol: hasMarks(curve) ? looks[k].symbol : undefined,
    open: curve.beside !== undefined,
    dash: curve.shape === 'marks' ? undefined : looks[k].dash,
  }));
}

/** What is said beneath the picture of points that its axes cannot show: of those that are numbers, and of others. */
export function hiddenNote(chart: CurveChart): string | undefined {
  const all = chart.curves.flatMap(({ points }) => points);
  const finite = all.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y)).length;
  const hidden = finite - chart.curves.reduce((sum, curve) => sum + shownOf(chart, curve).length, 0);
  const notes: string[] = [];
  if (hidden > 0) notes.push(`${hidden === 1 ? 'A value' : `${hidden} values`} that a logarithmic axis cannot show`);
  const others = all.length - finite;
  if (others > 0) notes.push(others === 1 ? 'A value that is no number' : `${others} values that are no numbers`);
  return notes.length === 0 ? undefined : `${notes.join('. ')}: see the numbers.`;
}

/** The points by series; of long ones some. */
export function curveTable(chart: CurveChart): ChartTable {
  const { x, y, curves } = chart;
  const ranged = curves.some(({ points }) => points.some(({ low }) => low !== undefined));
  const several = curves.length > 1;
  return {
    head: [...(several ? ['series'] : []), x.label, y.label, ...(ranged ? ['from', 'to'] : [])],
    rows: curves.flatMap(({ name, points }) =>
      thinned(points, MOST_ROWS).map((point) => [
        ...(several ? [name] : []),
        written(x, point.x),
        written(y, point.y),
        ...(ranged ? [point.low, point.high].map((value) => (value === undefined ? '' : written(y, value))) : []),
      ]),
    ),
  };
}
