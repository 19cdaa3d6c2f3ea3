/**
 * Workers over time: which phase each was busy in, and when nobody but the calling thread was.
 */
import { inPercent, inSeconds } from '../../core/number-text.js';
import type { PhaseSpans, WorkerSpan } from '../../experiment/worker-times.js';
import type { Chart, Span } from '../charts/chart.js';
import { SECONDS, SHORTEST_PHASE } from './measures.js';

const rowOf = (worker: number): string => `worker ${worker}`;

function spanOf(phase: string, worker: number, [start, end, busy]: WorkerSpan): Span {
  const share = end > start ? `, busy ${inPercent(busy / (end - start))} of it` : '';
  return {
    row: rowOf(worker),
    start,
    end,
    label: '',
    group: phase,
    note: `${rowOf(worker)}, ${phase}: ${inSeconds(start)} to ${inSeconds(end)} s${share}`,
  };
}

/** The timeline of a run; nothing of a record that tells none, or of a run without phases. */
export function timelineCharts(timeline: readonly PhaseSpans[] | undefined): Chart[] {
  const all = (timeline ?? []).flatMap(({ phase, workers }) =>
    workers.flatMap((span, worker) => (span === null ? [] : [{ phase, worker, span }])),
  );
  if (all.length === 0) return [];
  const last = all.reduce((most, { span }) => Math.max(most, span[1]), 0);
  const shown = all.filter(({ span: [from, to] }) => to - from > SHORTEST_PHASE * last);
  const workers = Math.max(...all.map(({ worker }) => worker)) + 1;
  const busy = all.reduce((sum, { span }) => sum + span[2], 0);
  const phases = [...new Set(shown.map(({ phase }) => phase))];
  return [
    {
      kind: 'spans',
      id: 'workers',
      title: 'Workers over time',
      alt:
        `A timeline of ${workers} worker${workers === 1 ? '' : 's'} over ${inSeconds(last)} s: ${phases.join(', ')}. ` +
        `They were busy for ${inPercent(busy / (workers * last))} of the time.`,
      caption:
        `Busy ${inPercent(busy / (workers * last))} of the time; between phases the calling thread, worker 0, ` +
        'prepares the next.' +
        (shown.length < all.length ? ' What took less than a thousandth of the time is left out.' : ''),
      x: SECONDS,
      // The rows are in the order of the workers, whoever began first.
      spans: shown.sort((a, b) => a.worker - b.worker).map(({ phase, worker, span }) => spanOf(phase, worker, span)),
    },
  ];
}
