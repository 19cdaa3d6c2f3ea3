/**
 * Walking through the blocks of a matrix, by a slider or by pointing: says what each is, and which clusters meet there.
 */
import { classesOf, type Block } from '#hmatrix/report/charts/blocks.js';
import type { BlockStructure } from '#hmatrix/hierarchical/matrix/block-structure.js';
import type { Marked } from './tree-picture.js';

interface Walked {
  readonly block: Block;
  /** Its rectangle, and that of its mirror image. */
  readonly marks: readonly Element[];
}

/** The slider of the figure of blocks. */
export class BlockWalk {
  readonly #slider = document.querySelector<HTMLInputElement>('#walk')!;
  readonly #said = document.querySelector<HTMLOutputElement>('#walk-said')!;
  readonly #chosen: (marked: Marked) => void;
  #blocks: readonly Walked[] = [];
  #marked: readonly Element[] = [];

  /** `chosen` hears which positions the chosen block's rows and columns are. */
  constructor(chosen: (marked: Marked) => void) {
    this.#chosen = chosen;
    this.#slider.addEventListener('input', () => {
      this.#choose(this.#slider.valueAsNumber - 1);
    });
    document.querySelector('#blocks .picture')!.addEventListener('pointerover', ({ target }) => {
      const k = this.#blocks.findIndex(({ marks }) => marks.includes(target as Element));
      if (k < 0) return;
      this.#slider.valueAsNumber = k + 1;
      this.#choose(k);
    });
  }

  /** Begins anew with the blocks of the picture that is shown. */
  begin(structure: BlockStructure): void {
    // The picture holds the blocks in this order, each followed by its mirror image.
    const marks = [...document.querySelectorAll('#blocks .picture rect > title')].map((title) => title.parentElement!);
    let at = 0;
    this.#blocks = classesOf(structure).flatMap(({ blocks }) =>
      blocks.map((block) => ({ block, marks: marks.slice(at, (at += block.kind === 'diagonal' ? 1 : 2)) })),
    );
    this.#slider.max = String(this.#blocks.length);
    this.#slider.valueAsNumber = 0;
    this.#choose(-1);
  }

  #choose(k: number): void {
    for (const mark of this.#marked) mark.classList.remove('chosen');
    const walked = this.#blocks[k] as Walked | undefined;
    this.#marked = walked?.marks ?? [];
    for (const mark of this.#marked) mark.classList.add('chosen');
    const text =
      walked === undefined
        ? `${this.#blocks.length} blocks, not counting mirror images: move the slider, or point at one.`
        : `Rows ${range(walked.block.rows)}, columns ${range(walked.block.cols)}: ` +
          (walked.marks[0]?.querySelector('title')?.textContent ?? '');
    this.#said.textContent = text;
    this.#slider.setAttribute('aria-valuetext', text);
    this.#chosen(walked === undefined ? [] : [walked.block.rows, walked.block.cols]);
  }
}

const range = ([from, to]: readonly [number, number]): string => `${from + 1}–${to}`;
