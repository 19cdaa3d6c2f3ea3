/**
 * The second section: every format, and low rank, on the matrix of the first.
 */
import { inPercent } from '#hmatrix/core/number-text.js';
import type { CurveChart } from '#hmatrix/report/charts/chart.js';
import { fillTable, say, show } from './figures.js';
import type { HostClient } from './host-client.js';
import { errorText, timeText } from './numbers.js';
import type { Answer, ComparedRow } from './protocol.js';
import type { Settings } from './settings.js';

function chartOf(rows: readonly ComparedRow[]): CurveChart {
  const methods = [...new Set(rows.map(({ method }) => method))];
  return {
    kind: 'curves',
    id: 'compare',
    title: 'Error against memory',
    alt: `Relative errors of ${methods.join(', ')} against their share of the dense matrix's memory.`,
    x: { label: 'memory (% of the dense matrix)', scale: 'log' },
    y: { label: 'relative error', scale: 'log' },
    curves: methods.map((name) => ({
      name,
      points: rows
        .filter(({ method }) => method === name)
        .map(({ share, error: { relative, low, high } }) => ({ x: 100 * share, y: relative, low, high })),
    })),
  };
}

/** Compares when the button is pressed. */
export function openComparison(host: HostClient, settings: Settings): void {
  const button = document.querySelector<HTMLButtonElement>('#compare-run')!;
  const rows: ComparedRow[] = [];
  const hear = (answer: Answer): void => {
    if (answer.kind === 'progress' && answer.total === 0) say('compare-said', `${answer.phase}…`);
    if (answer.kind === 'row') {
      rows.push(answer);
      void show('compare', chartOf(rows));
      fillTable(
        'compare-table',
        ['method', 'memory', 'relative error', 'time'],
        rows.map(({ method, share, error, seconds }) => [
          method,
          inPercent(share),
          errorText(error),
          timeText(seconds),
        ]),
      );
    }
    if (answer.kind === 'done') say('compare-said', 'Done.');
    if (answer.kind === 'failed') say('compare-said', answer.message);
    button.disabled = answer.kind !== 'done' && answer.kind !== 'failed';
  };
  button.addEventListener('click', () => {
    rows.length = 0;
    const { cloud, count, own, kernel, bandwidth } = settings.task();
    host.ask({ kind: 'compare', cloud, count, own, kernel, bandwidth }, hear);
    button.disabled = true;
  });
}
