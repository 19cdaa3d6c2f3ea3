/**
 * The third section: the Hessian of a network that reads digits.
 */
import { inPercent } from '#hmatrix/core/number-text.js';
import type { TableRecord } from '#hmatrix/experiment/table-record.js';
import { fillTable, say, show } from './figures.js';
import type { HostClient } from './host-client.js';
import { errorText, timeText } from './numbers.js';
import type { Answer } from './protocol.js';

const SAMPLES = 400;
const EPOCHS = 6;

/** Images side by side, dark on light. */
function drawDigits({ pixels, side, count }: Extract<Answer, { readonly kind: 'digits' }>): void {
  const canvas = document.querySelector<HTMLCanvasElement>('#digits')!;
  const across = canvas.width / side;
  const context = canvas.getContext('2d')!;
  for (let k = 0; k < count; k++) {
    const image = context.createImageData(side, side);
    for (let p = 0; p < side * side; p++) {
      const grey = 255 - pixels[side * side * k + p];
      image.data.set([grey, grey, grey, 255], 4 * p);
    }
    context.putImageData(image, side * (k % across), side * Math.floor(k / across));
  }
  canvas.setAttribute('aria-label', `${count} of the generated digits`);
}

/** The chart of reports, which knows the methods: it is loaded when it is needed. */
async function showTable(record: TableRecord): Promise<void> {
  const { tableCharts } = await import('#hmatrix/report/records/approximations.js');
  await show('hessian', tableCharts(record)[0]);
}

/** Trains and compresses when the button is pressed. */
export function openHessian(host: HostClient): void {
  const button = document.querySelector<HTMLButtonElement>('#hessian-run')!;
  const hidden = document.querySelector<HTMLSelectElement>('#hidden')!;
  const hear = (answer: Answer): void => {
    if (answer.kind === 'progress') {
      const { phase, done, total } = answer;
      say('hessian-said', `${phase}${total > 0 ? `, ${done} of ${total}` : ''}…`);
    }
    if (answer.kind === 'digits') drawDigits(answer);
    if (answer.kind === 'table') {
      const { record } = answer;
      void showTable(record);
      fillTable(
        'hessian-table',
        ['method', 'memory', 'relative error', 'smallest eigenvalue', 'time'],
        record.rows.map(({ method, share, error, lambdaMin, seconds }) => [
          method,
          inPercent(share),
          errorText(error),
          lambdaMin.toExponential(1),
          timeText(seconds.build),
        ]),
      );
      say('hessian-said', `Done: N = ${record.size} weights, ${record.samples} digits, network ${record.network}.`);
    }
    if (answer.kind === 'failed') say('hessian-said', answer.message);
    button.disabled = answer.kind !== 'done' && answer.kind !== 'failed';
  };
  button.addEventListener('click', () => {
    host.ask({ kind: 'hessian', hidden: Number(hidden.value), samples: SAMPLES, epochs: EPOCHS }, hear);
    button.disabled = true;
  });
}
