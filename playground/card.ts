/**
 * The graphics card's part of the first section.
 */
import { inBytes, inPowers } from '#hmatrix/core/number-text.js';
import { say } from './figures.js';
import type { HostClient } from './host-client.js';
import { timeText } from './numbers.js';
import type { Answer } from './protocol.js';
import type { Settings } from './settings.js';

/** Multiplies on the card when the button is pressed. */
export function openCard(host: HostClient, settings: Settings): void {
  const button = document.querySelector<HTMLButtonElement>('#card-run')!;
  const hear = (answer: Answer): void => {
    if (answer.kind === 'progress') say('card-said', `${answer.phase}…`);
    if (answer.kind === 'onCard') {
      const { card, vectors, cardSeconds, hereSeconds, bytes, difference } = answer;
      say(
        'card-said',
        `${vectors} products at once: ${timeText(cardSeconds)} there, vectors sent and fetched; ` +
          `${timeText(hereSeconds)} here. ${inBytes(bytes)} lie there, in float32; relative difference ` +
          `${inPowers(difference)}. ${card}.`,
      );
    }
    if (answer.kind === 'failed') say('card-said', answer.message === 'stopped' ? '' : answer.message);
    button.disabled = answer.kind !== 'done' && answer.kind !== 'failed';
  };
  button.addEventListener('click', () => {
    say('card-said', 'Opening the card…');
    host.ask({ ...settings.task(), kind: 'card' }, hear);
    button.disabled = true;
  });
}
