/**
 * Texts as words and punctuation marks, and back.
 */

/** Letters and digits with the marks that go with them, joined by apostrophes and hyphens; or one other sign. */
export const WORD_PATTERN = "[\\p{L}\\p{N}\\p{M}_]+(?:['’\\-][\\p{L}\\p{N}\\p{M}_]+)*|[^\\s\\p{L}\\p{N}\\p{M}_]";
const pattern = new RegExp(WORD_PATTERN, 'gu');

/** Words and punctuation marks of a text, in order; blanks part them and are left out. */
export const splitWords = (text: string): string[] => text.match(pattern) ?? [];

/** Marks that stand close to the word before, and to the one behind. */
const CLOSING = /^[.,;:!?)\]}»…%’]$/u;
const OPENING = /^[([{«¿¡]$/u;

/** Words as a text: one blank between them, none before closing marks and behind opening ones. */
export function joinWords(words: readonly string[]): string {
  let text = '';
  let open = true;
  for (const word of words) {
    text += open || CLOSING.test(word) ? word : ` ${word}`;
    open = OPENING.test(word);
  }
  return text;
}
