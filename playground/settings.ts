/**
 * What the form says, as a task; kept in the page's address, so that a link shows the same.
 */
import type { CompressTask, OwnPoints } from './protocol.js';

const FIRST = {
  cloud: 'square',
  count: '1024',
  kernel: 'gaussian',
  bandwidth: '-0.5',
  format: 'hss',
  tolerance: '-5',
  leaf: '6',
};
type Field = keyof typeof FIRST;
const FIELDS = Object.keys(FIRST) as readonly Field[];

/** The form, and the points that were read from a file. */
export class Settings {
  readonly #form: HTMLFormElement;
  #own: OwnPoints | undefined;

  /** The form as the address says, with `changed` called after each change. */
  constructor(form: HTMLFormElement, changed: () => void) {
    this.#form = form;
    const asked = new URLSearchParams(location.hash.slice(1));
    for (const name of FIELDS) this.#set(name, asked.get(name) ?? FIRST[name]);
    this.#say();
    form.addEventListener('input', ({ target }) => {
      if ((target as HTMLInputElement).type === 'file') return;
      this.#say();
      history.replaceState(
        null,
        '',
        `#${new URLSearchParams(FIELDS.map((name) => [name, this.#value(name)])).toString()}`,
      );
      changed();
    });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
    });
  }

  /** Takes points of one's own, and chooses them. */
  take(points: OwnPoints): void {
    this.#own = points;
    const { options } = this.#form.elements.namedItem('cloud') as HTMLSelectElement;
    const own = [...options].find(({ value }) => value === 'own')!;
    own.disabled = false;
    own.textContent = `your own file (${points.count} points in ${points.dimension}-D)`;
    this.#set('cloud', 'own');
  }

  /** What is to be computed. */
  task(): CompressTask {
    const cloud = this.#value('cloud');
    return {
      kind: 'compress',
      cloud: cloud === 'own' ? 'square' : (cloud as CompressTask['cloud']),
      own: cloud === 'own' ? this.#own : undefined,
      count: Number(this.#value('count')),
      kernel: this.#value('kernel') as CompressTask['kernel'],
      bandwidth: this.#power('bandwidth'),
      format: this.#value('format') as CompressTask['format'],
      tolerance: this.#power('tolerance'),
      leafSize: 2 ** Number(this.#value('leaf')),
    };
  }

  #power(name: 'bandwidth' | 'tolerance'): number {
    return Number((10 ** Number(this.#value(name))).toPrecision(2));
  }

  #value(name: Field): string {
    return (this.#form.elements.namedItem(name) as HTMLInputElement | RadioNodeList).value;
  }

  /** What is no choice of the form stays as it was. */
  #set(name: Field, value: string): void {
    const field = this.#form.elements.namedItem(name) as HTMLInputElement | HTMLSelectElement | RadioNodeList;
    const before = field.value;
    field.value = value;
    if (field.value === '') field.value = before === '' ? FIRST[name] : before;
  }

  /** Writes what the sliders stand for beside them. */
  #say(): void {
    const { bandwidth, tolerance, leafSize } = this.task();
    const texts = {
      'bandwidth-said': String(bandwidth),
      'tolerance-said': tolerance.toExponential(0),
      'leaf-said': String(leafSize),
    };
    const sliders = { 'bandwidth-said': 'bandwidth', 'tolerance-said': 'tolerance', 'leaf-said': 'leaf' } as const;
    for (const [id, text] of Object.entries(texts)) {
      document.getElementById(id)!.textContent = text;
      const slider = this.#form.elements.namedItem(sliders[id as keyof typeof sliders]) as HTMLInputElement;
      slider.setAttribute('aria-valuetext', text);
    }
  }
}
