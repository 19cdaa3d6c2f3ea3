/**
 * Domains and ticks of axes.
 */
import { written, type Axis, type Rule } from './chart.js';
import type { Drawing, Mark, Plot } from './plot-library.js';

/** Most ticks of a logarithmic axis. */
const MOST_TICKS = 6;
/** How far a logarithmic axis reaches beyond its values: a share of what it spans, and at most so many times. */
const MARGIN_SHARE = 0.06;
const MOST_MARGIN = 1.6;
/** Values that differ by less than this ratio stand on a linear axis: a logarithmic one would have a tick or two. */
const LEAST_RATIO = 4;

/** Whether an axis can show a value. */
export const isShown = ({ scale }: Axis, value: number): boolean =>
  Number.isFinite(value) && (scale !== 'log' || value > 0);

/** Powers of ten from `low` to `high`, thinned out; of less than a decade 1, 2 and 5 times powers of ten. */
function logTicks(low: number, high: number): number[] {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const within = (value: number): boolean => value >= low && value <= high;
  const powers = Array.from({ length: last - first + 1 }, (_, k) => Number(`1e${first + k}`));
  const decades = powers.filter(within);
  if (decades.length < 3) return powers.flatMap((power) => [power, 2 * power, 5 * power]).filter(within);
  const step = Math.ceil(decades.length / MOST_TICKS);
  return decades.filter((_, k) => k % step === 0);
}

type ScaleOptions = NonNullable<Drawing['x']>;

/** Plot's scale for these values; what cannot be shown is left out of it. */
export function scaleOf(axis: Axis, values: readonly number[], rules: readonly Rule[] = []): ScaleOptions {
  const shown = [...values, ...rules.map(({ value }) => value)].filter((value) => isShown(axis, value));
  const common = { label: axis.label };
  const [least, most] = shown.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Infinity, -Infinity],
  );
  if (shown.length === 0)
    return { ...common, type: axis.scale ?? 'linear', domain: axis.scale === 'log' ? [1, 10] : [0, 1] };
  if (axis.scale === 'log' && (most === least || most > LEAST_RATIO * least)) {
    const margin = most === least ? MOST_MARGIN : Math.min(MOST_MARGIN, (most / least) ** MARGIN_SHARE);
    const domain = [least / margin, most * margin];
    return { ...common, type: 'log', domain, ticks: logTicks(domain[0], domain[1]) };
  }
  const low = axis.fromZero === true ? Math.min(0, least) : least;
  const spread = most - low || Math.abs(most) || 1;
  const domain = [axis.fromZero === true && low === 0 ? 0 : low - 0.04 * spread, most + 0.06 * spread];
  const ticks = axis.whole === true ? wholeTicks(Math.max(0, Math.ceil(low)), Math.floor(most)) : 5;
  return { ...common, domain, ticks };
}

/** The axes of scales that `scaleOf` made, with values as they write them. */
export function axisMarks(
  plot: Plot,
  x: { readonly axis: Axis; readonly scale: ScaleOptions },
  y?: { readonly axis: Axis; readonly scale: ScaleOptions },
): Mark[] {
  const options = ({
    axis,
    scale,
  }: typeof x): { ticks: NonNullable<ScaleOptions['ticks']>; text: (value: number) => string } => ({
    ticks: scale.ticks ?? 5,
    text: (value) => written(axis, value),
  });
  return [
    plot.axisX({ ...options(x), labelAnchor: 'center', labelArrow: 'none' }),
    ...(y === undefined ? [] : [plot.axisY({ ...options(y), labelArrow: 'none' })]),
  ];
}

/** Whole numbers from one to the other, thinned out. */
function wholeTicks(first: number, last: number): number[] {
  const raw = Math.max(1, (last - first) / MOST_TICKS);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((one) => one >= raw && Number.isInteger(one)) ?? 1;
  const begin = Math.ceil(first / step) * step;
  return Array.from({ length: Math.max(1, Math.floor((last - begin) / step) + 1) }, (_, k) => begin + k * step);
}
