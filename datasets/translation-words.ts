/**
 * The words of translation.ts: English ones, and those of an invented language. Data sets.
 */
import { RandomStream } from '../src/core/random.js';

/** Gender of a noun in the invented language: the vowel that it and what agrees with it end in. */
export type Gender = 'a' | 'o' | 'e';
const genders: readonly Gender[] = ['a', 'o', 'e'];

/** A noun: both English numbers, and the invented stem, to which gender, number and case are added. */
export interface Noun {
  readonly singular: string;
  readonly plural: string;
  readonly stem: string;
  readonly gender: Gender;
}

/** A verb: English base and past, third person singular, and the invented stem. */
export interface Verb {
  readonly base: string;
  readonly third: string;
  readonly past: string;
  readonly stem: string;
}

/** A word that does not change in English, and its invented stem. */
export interface Plain {
  readonly word: string;
  readonly stem: string;
}

const withS = (word: string): string =>
  /(s|x|z|ch|sh)$/.test(word) ? `${word}es` : /[^aeiou]y$/.test(word) ? `${word.slice(0, -1)}ies` : `${word}s`;

/** Invented stems: two or three syllables, each once, the same ones always. */
const random = new RandomStream(0x776f7264);
const taken = new Set<string>();
const letter = (letters: string): string => letters[random.integer(letters.length)];
function newStem(syllables: number): string {
  for (;;) {
    let stem = '';
    for (let k = 0; k < syllables; k++) stem += letter('bdfgklmnprstvz') + letter('aeiou');
    stem += letter('lmnrsk');
    if (taken.has(stem)) continue;
    taken.add(stem);
    return stem;
  }
}

const list = (words: string): string[] => words.trim().split(/\s+/);
const nounsOf = (words: string): Noun[] =>
  list(words).map((word) => {
    const [singular, plural = withS(singular)] = word.split('/');
    return { singular, plural, stem: newStem(2), gender: genders[random.integer(3)] };
  });
const verbsOf = (words: string): Verb[] =>
  list(words).map((word) => {
    const [base, past] = word.split('/');
    return { base, third: withS(base), past, stem: newStem(2) };
  });
const plainOf = (words: string, syllables: number): Plain[] =>
  list(words).map((word) => ({ word, stem: newStem(syllables) }));

/** Those who act. */
export const beings = nounsOf(`
  man/men woman/women child/children girl boy farmer teacher doctor king queen sailor baker
  dog cat horse bird wolf/wolves fox mouse/mice goat cow lion bear duck frog bee
`);

/** What is acted on. */
export const things = nounsOf(`
  apple book box cup knife/knives key letter lamp chair table bread stone flower coin rope boat
  wheel door hat shoe bell drum basket candle
`);

/** Where it happens. */
export const places = nounsOf('house garden river forest field city bridge tower school market mountain lake');

/** Verbs with an object. */
export const transitives = verbsOf(`
  see/saw like/liked find/found carry/carried push/pushed love/loved watch/watched take/took bring/brought
  want/wanted hear/heard follow/followed touch/touched know/knew hide/hid buy/bought paint/painted wash/washed
  lose/lost remember/remembered break/broke forget/forgot need/needed help/helped
`);

/** Verbs without one. */
export const intransitives = verbsOf(`
  sleep/slept run/ran sing/sang wait/waited laugh/laughed dance/danced fall/fell cry/cried swim/swam work/worked
`);

/** Adjectives. */
export const adjectives = plainOf(
  `big small old young red green white black happy sad strong quiet clever hungry beautiful strange new heavy cheap
  wet`,
  2,
);

/** Adverbs, which end an English sentence. */
export const adverbs = plainOf('often slowly quickly never always today again here carefully secretly', 2);

/** Prepositions, which become postpositions. */
export const prepositions = plainOf('in near behind before under beyond', 1);
