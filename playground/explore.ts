/**
 * The first section: one kernel matrix, compressed anew after each change.
 */
import { blocksChart, partsChart, rankChart } from '#hmatrix/report/records/measures.js';
import { inBytes, inPercent, inPowers } from '#hmatrix/core/number-text.js';
import { BlockWalk } from './block-walk.js';
import { CsvError, pointsOf } from './csv.js';
import { say, show } from './figures.js';
import type { HostClient } from './host-client.js';
import { timeText } from './numbers.js';
import type { Answer, Compressed } from './protocol.js';
import { Settings } from './settings.js';
import { drawTree, type Marked } from './tree-picture.js';

/** A slider that is dragged asks once it has rested so long. */
const REST_MILLISECONDS = 120;

const fact = (name: string, text: string): void => {
  document.querySelector(`[data-fact="${name}"]`)!.textContent = text;
};

/** Shows what the form asks for, and again after each change. */
export class Explorer {
  readonly settings: Settings;
  readonly #host: HostClient;
  readonly #level = document.querySelector<HTMLInputElement>('#level')!;
  readonly #walk: BlockWalk;
  #shown: Compressed | undefined;
  #marked: Marked = [];
  #rest: ReturnType<typeof setTimeout> | undefined;

  constructor(host: HostClient) {
    this.#host = host;
    this.#walk = new BlockWalk((marked) => {
      this.#marked = marked;
      this.#drawTree();
    });
    this.settings = new Settings(document.querySelector('#settings')!, () => {
      clearTimeout(this.#rest);
      this.#rest = setTimeout(() => {
        this.#ask();
      }, REST_MILLISECONDS);
    });
    this.#level.addEventListener('input', () => {
      this.#drawTree();
    });
    const file = document.querySelector<HTMLInputElement>('#csv')!;
    file.addEventListener('change', () => void this.#read(file));
    this.#ask();
  }

  async #read({ files }: HTMLInputElement): Promise<void> {
    const file = files?.[0];
    if (file === undefined) return;
    try {
      const points = pointsOf(await file.text());
      this.settings.take(points);
      say('csv-said', `${points.count} points of ${points.dimension} coordinates, each scaled to lie between 0 and 1.`);
      this.#ask();
    } catch (error) {
      if (!(error instanceof CsvError)) throw error;
      say('csv-said', error.message);
    }
  }

  #ask(): void {
    const began = performance.now();
    say('explore-said', 'Compressing…');
    this.#host.ask(this.settings.task(), (answer) => void this.#hear(answer, began));
  }

  async #hear(answer: Answer, began: number): Promise<void> {
    if (answer.kind === 'progress') {
      const { phase, done, total } = answer;
      say('explore-said', `${phase}${total > 0 ? `, ${Math.round((100 * done) / total)} %` : ''}…`);
    } else if (answer.kind === 'compressed') {
      await this.#show(answer);
      document.documentElement.dataset['drawn'] = String(Math.round(performance.now() - began));
    } else if (answer.kind === 'measured') {
      const { relative, low, high, exact } = answer.error;
      fact('error', inPowers(relative));
      fact('interval', exact ? 'exact' : `95 %: ${inPowers(low)} to ${inPowers(high)}`);
    } else if (answer.kind === 'failed') {
      say('explore-said', answer.message === 'stopped' ? '' : answer.message);
    } else if (answer.kind === 'done') {
      say('explore-said', 'Done.');
    }
  }

  async #show(matrix: Compressed): Promise<void> {
    const { structure, ranks, memory, seconds, productSeconds, workers } = matrix;
    const { bytes, share, ...parts } = memory;
    fact('memory', inBytes(bytes));
    fact('share', inPercent(share));
    fact('rank', String(ranks.reduce((most, { max }) => Math.max(most, max), 0)));
    fact('error', '…');
    fact('interval', '');
    fact('seconds', timeText(seconds));
    fact('product', timeText(productSeconds));
    say(
      'threads',
      `Computed by WebAssembly on ${workers} thread${workers === 1 ? '' : 's'}` +
        (crossOriginIsolated ? '.' : '; served with the headers of an isolated page, it would use all cores.'),
    );
    await Promise.all([
      show('blocks', blocksChart(structure)),
      ...(ranks.length === 0 ? [] : [show('ranks', rankChart(ranks))]),
      show('memory', partsChart(parts, { bytes, share })),
    ]);
    this.#shown = matrix;
    this.#level.max = String(Math.log2(structure.leafBegin.length - 1));
    this.#walk.begin(structure);
  }

  #drawTree(): void {
    if (this.#shown === undefined) return;
    const level = this.#level.valueAsNumber;
    const clusters = 2 ** level;
    const text = `Level ${level}: ${clusters} cluster${clusters === 1 ? '' : 's'}${
      this.#marked.length > 0 ? ', but for those that meet in the block all are faded' : ''
    }.`;
    say('level-said', text);
    this.#level.setAttribute('aria-valuetext', text);
    const canvas = document.querySelector<HTMLCanvasElement>('#points canvas')!;
    canvas.setAttribute('aria-label', `The points in the plane. ${text}`);
    drawTree(canvas, this.#shown, level, this.#marked);
  }
}
