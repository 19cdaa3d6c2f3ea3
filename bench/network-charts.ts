/**
 * What was measured of networks as pictures: races of optimizers, what a step costs, passes on tapes.
 */
import { inSeconds } from '../src/core/number-text.js';
import type { Chart, Curve, Span } from '../src/report/charts/chart.js';
import { digits } from './labels.js';
import type { TapeResult } from './tape.js';
import { RACES, type RaceResult, type StepsResult, type ThreadsResult, type TrainingResult } from './training-cases.js';

/** Targets against the seconds to them, the racers one by one. */
function raceChart({ name, data, racers }: RaceResult): Chart {
  const { label, of, targets } = RACES.find((race) => race.name === name)!;
  return {
    kind: 'curves',
    id: name,
    title: `Time to a ${of}: ${label}`,
    alt: `Seconds of steps of ${racers.map(({ method }) => method).join(', ')} to a ${of} of ${targets.join(' and ')}.`,
    caption: `${data}; medians over seeds; what was not reached in time is not shown.`,
    x: { label: 'time of steps (s)', scale: 'log' },
    y: { label: of },
    curves: racers.map(({ method, batchSize, seconds }): Curve => ({
      name: `${method}, batch ${batchSize}`,
      points: targets.flatMap((target, k) => {
        const time = seconds[k];
        return time === null ? [] : [{ x: time, y: target }];
      }),
    })),
  };
}

/** Steps that take so many times the shortest one have a picture of their own. */
const LONG = 10;

/** Short steps, and long ones. */
function stepsCharts(result: StepsResult): Chart[] {
  const least = Math.min(...result.costs.map(({ milliseconds }) => milliseconds));
  const isLong = ({ milliseconds }: StepsResult['costs'][number]): boolean => milliseconds > LONG * least;
  return [false, true].flatMap((long) => {
    const costs = result.costs.filter((one) => isLong(one) === long);
    return costs.length === 0 ? [] : [stepsChart({ ...result, costs }, long)];
  });
}

/** Milliseconds of a step by part, one behind the other. */
function stepsChart({ name, network, sgemm, costs }: StepsResult, long: boolean): Chart {
  return {
    kind: 'spans',
    id: long ? `${name}-long` : name,
    title: `${long ? 'A long step' : 'A step'} by its parts: ${network}`,
    alt: `Milliseconds of a step of ${costs.length} methods, by part, on one thread.`,
    caption: `One thread, sgemm ${digits(sgemm)} GFLOP/s.`,
    x: { label: 'time of a step (ms)', fromZero: true },
    spans: costs.flatMap(({ method, batchSize, milliseconds, parts }) => {
      const row = `${method}, batch ${batchSize}`;
      const all = Object.entries(parts).filter(([, time]) => time > 0);
      let at = 0;
      return all.map(([group, time], k): Span => {
        const start = at;
        at += time;
        const label = k === all.length - 1 ? digits(milliseconds) : '';
        return { row, start, end: at, label, group, note: `${row}, ${group}: ${digits(time)} ms` };
      });
    }),
  };
}

/** An epoch by one thread over one by two. */
const threadsChart = ({ name, network, epochs }: ThreadsResult): Chart => ({
  kind: 'spans',
  id: name,
  title: `An epoch by one thread over one by two: ${network}`,
  alt: `How many times faster two threads are than one, of ${epochs.length} methods.`,
  x: { label: 'times faster', fromZero: true },
  spans: epochs.map(({ method, batchSize, seconds: [one, two] }) => ({
    row: `${method}, batch ${batchSize}`,
    start: 0,
    end: one / two,
    label: digits(one / two, 3),
    note: `${method}, batch ${batchSize}: ${inSeconds(one)} s by one thread, ${inSeconds(two)} s by two`,
  })),
  rules: [{ along: 'x', value: 1, label: '' }],
});

/** Of training.json. */
export const trainingCharts = (results: readonly TrainingResult[]): Chart[] =>
  results.flatMap((result) => {
    if (result.kind === 'steps') return stepsCharts(result);
    return result.kind === 'race' ? raceChart(result) : threadsChart(result);
  });

/** What passes are called. */
const PASSES = { gradient: 'gradient', tangent: 'J·v', gaussNewton: 'Gauss–Newton product' } as const;

/** Of tape.json: the share of gemm's rate that each pass comes to, and seconds beside those of a gradient. */
export function tapeCharts(results: readonly TapeResult[]): Chart[] {
  const label = ({ name }: TapeResult): string => name.replace('tape, ', '');
  return [
    {
      kind: 'spans',
      id: 'tape-rates',
      title: 'Passes of networks of layers, beside gemm',
      alt: `The rate of gradient, J·v and Gauss–Newton product of ${results.length} networks as a share of gemm's.`,
      caption: 'One thread; GFLOP/s of the pass over those of gemm in the same run.',
      x: { label: 'share of the rate of gemm', fromZero: true },
      spans: results.flatMap((result) =>
        Object.entries(PASSES).map(([pass, group]): Span => {
          const { share, gflops } = result[pass as keyof typeof PASSES];
          const note = `${label(result)}, ${group}: ${digits(share)} of gemm, ${digits(gflops)} GFLOP/s`;
          return { row: label(result), start: share, end: share, point: share, label: '', group, note };
        }),
      ),
      rules: [{ along: 'x', value: 1, label: 'gemm' }],
    },
    {
      kind: 'spans',
      id: 'tape-products',
      title: 'A Gauss–Newton product beside a gradient',
      alt: `Seconds of a Gauss–Newton product over those of a gradient, of ${results.length} networks.`,
      x: { label: 'time over that of a gradient', fromZero: true },
      spans: results.map((result) => {
        const ratio = result.gaussNewton.seconds / result.gradient.seconds;
        return { row: label(result), start: 0, end: ratio, label: digits(ratio, 3) };
      }),
    },
  ];
}
