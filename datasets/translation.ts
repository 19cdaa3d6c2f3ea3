/**
 * Pairs of sentences in two languages, made from nothing but a seed. Data sets.
 * English sentences of a small grammar, and what they are in an invented language (translation-words.ts) that has
 * another word order and more agreement: the verb comes last, after object and adverb; adjectives follow their noun and
 * agree with it in gender and number, articles and relative pronouns too; nouns and articles show the object's case;
 * the verb agrees with its subject in number, in the past also in gender; prepositions follow their noun; negation is
 * one word before the verb where English needs an auxiliary.
 */
import { requireSeed } from '../src/core/checks.js';
import { RandomStream } from '../src/core/random.js';
import type { SentencePair } from '../src/text/sentence-pairs.js';
import { requireCount } from './count.js';
import {
  adjectives,
  adverbs,
  beings,
  intransitives,
  places,
  prepositions,
  things,
  transitives,
  type Gender,
  type Noun,
  type Plain,
  type Verb,
} from './translation-words.js';

const purpose = 0x7472616e;

/** What an article says, in English singular and plural, and its stem in the invented language. */
const articles = [
  { singular: 'the', plural: 'the', stem: 'l' },
  { singular: 'a', plural: 'some', stem: 'sh' },
  { singular: 'this', plural: 'these', stem: 'd' },
] as const;

/** A noun with its number, article, adjectives and relative clause. */
interface NounPhrase {
  readonly noun: Noun;
  readonly plural: boolean;
  readonly article: (typeof articles)[number];
  readonly adjectives: readonly Plain[];
  readonly relative: Clause | undefined;
}

/** A verb with what belongs to it but its subject. */
interface Clause {
  readonly verb: Verb;
  readonly past: boolean;
  readonly negated: boolean;
  readonly object: NounPhrase | undefined;
  readonly place: { readonly preposition: Plain; readonly phrase: NounPhrase } | undefined;
  readonly adverb: Plain | undefined;
}

const pick = <T>(items: readonly T[], random: RandomStream): T => items[random.integer(items.length)];
const chance = (share: number, random: RandomStream): boolean => random.uniform() < share;

/** `rich`: with adjectives by chance, and a relative clause. */
function drawPhrase(nouns: readonly Noun[], rich: number, random: RandomStream): NounPhrase {
  const noun = pick(nouns, random);
  const plural = chance(0.4, random);
  const article = pick(articles, random);
  const own: Plain[] = [];
  while (own.length < 2 && chance(0.35 * Math.min(1, rich), random)) {
    const next = pick(adjectives, random);
    if (!own.includes(next)) own.push(next);
  }
  const relative = chance(0.2 * (rich - 1), random) ? drawClause(false, random) : undefined;
  return { noun, plural, article, adjectives: own, relative };
}

/** A clause of the sentence itself, or (`main` false) of a relative one, which stays short. */
function drawClause(main: boolean, random: RandomStream): Clause {
  const transitive = chance(0.75, random);
  const past = chance(0.4, random);
  const negated = chance(main ? 0.2 : 0.1, random);
  const verb = pick(transitive ? transitives : intransitives, random);
  const nouns = chance(0.4, random) ? beings : things;
  const object = transitive ? drawPhrase(nouns, main ? 2 : 1, random) : undefined;
  // What follows a relative clause might belong to either verb.
  const open = main && object?.relative === undefined;
  const place =
    open && chance(0.3, random)
      ? { preposition: pick(prepositions, random), phrase: drawPhrase(places, 0.5, random) }
      : undefined;
  const adverb = open && chance(0.3, random) ? pick(adverbs, random) : undefined;
  return { verb, past, negated, object, place, adverb };
}

/** English. */
function englishPhrase({ noun, plural, article, adjectives: own, relative }: NounPhrase): string[] {
  const rest = [...own.map(({ word }) => word), plural ? noun.plural : noun.singular];
  const written = plural ? article.plural : article.singular;
  const first = written === 'a' && /^[aeiou]/.test(rest[0]) ? 'an' : written;
  return [first, ...rest, ...(relative === undefined ? [] : ['that', ...englishClause(relative, plural)])];
}

function englishClause({ verb, past, negated, object, place, adverb }: Clause, plural: boolean): string[] {
  const words = negated
    ? [past ? 'did' : plural ? 'do' : 'does', 'not', verb.base]
    : [past ? verb.past : plural ? verb.base : verb.third];
  if (object !== undefined) words.push(...englishPhrase(object));
  if (place !== undefined) words.push(place.preposition.word, ...englishPhrase(place.phrase));
  if (adverb !== undefined) words.push(adverb.word);
  return words;
}

/** The invented language: the case of an object is written on article and noun. */
function inventedPhrase(phrase: NounPhrase, object: boolean): string[] {
  const { noun, plural, article, adjectives: own, relative } = phrase;
  const number = plural ? 'r' : '';
  return [
    article.stem + noun.gender + number + (object ? 'm' : ''),
    noun.stem + noun.gender + number + (object ? 'n' : ''),
    ...own.map(({ stem }) => stem + noun.gender + number),
    ...(relative === undefined ? [] : [`k${noun.gender}${number}`, ...inventedClause(relative, noun.gender, plural)]),
  ];
}

function inventedClause(clause: Clause, gender: Gender, plural: boolean): string[] {
  const { verb, past, negated, object, place, adverb } = clause;
  return [
    ...(place === undefined ? [] : [...inventedPhrase(place.phrase, false), place.preposition.stem]),
    ...(object === undefined ? [] : inventedPhrase(object, true)),
    ...(adverb === undefined ? [] : [adverb.stem]),
    ...(negated ? ['nem'] : []),
    verb.stem + (past ? `t${gender}` : 'u') + (plural ? 'r' : ''),
  ];
}

function drawPair(random: RandomStream): SentencePair {
  const subject = drawPhrase(beings, 2, random);
  const clause = drawClause(true, random);
  return {
    source: `${[...englishPhrase(subject), ...englishClause(clause, subject.plural)].join(' ')}.`,
    target: `${[...inventedPhrase(subject, false), ...inventedClause(clause, subject.noun.gender, subject.plural)].join(
      ' ',
    )}.`,
  };
}

/**
 * `training` pairs of an English sentence and its translation, and `heldOut` others: no sentence comes twice, so none
 * that is held out is trained on. Equal seeds give equal pairs; the held-out ones do not depend on how many are trained
 * on, of which fewer are the first of more. Throws ShapeError, OptionError.
 */
export function translationPairs(
  training: number,
  heldOut: number,
  seed: number,
): { readonly training: readonly SentencePair[]; readonly heldOut: readonly SentencePair[] } {
  requireCount(training, 'translationPairs', 'training');
  requireCount(heldOut, 'translationPairs', 'heldOut');
  requireSeed(seed);
  const seen = new Set<string>();
  const pairs: SentencePair[] = [];
  for (let i = 0; pairs.length < training + heldOut; i++) {
    const pair = drawPair(new RandomStream(seed, purpose, i));
    if (seen.has(pair.source) || seen.has(pair.target)) continue;
    seen.add(pair.source).add(pair.target);
    pairs.push(pair);
  }
  return { training: pairs.slice(heldOut), heldOut: pairs.slice(0, heldOut) };
}
