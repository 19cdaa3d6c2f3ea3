import { describe, expect, it } from 'vitest';
import { OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { adjectives, beings, places, things, transitives, intransitives } from '#datasets/translation-words.js';
import { translationPairs } from '#datasets/translation.js';

const { training, heldOut } = translationPairs(3000, 300, 1);
const all = [...heldOut, ...training];
const words = (text: string): string[] => text.replace(/\.$/, '').split(' ');

describe('pairs of sentences', () => {
  it('depend on the seed alone; fewer are the first of more, and those held out stay the same', () => {
    const fewer = translationPairs(50, 300, 1);
    expect(fewer.heldOut).toEqual(heldOut);
    expect(fewer.training).toEqual(training.slice(0, 50));
    expect(translationPairs(50, 300, 2).training).not.toEqual(fewer.training);
  });

  it('no sentence comes twice, in either language, so none that is held out is trained on', () => {
    expect(new Set(all.map(({ source }) => source)).size).toBe(all.length);
    expect(new Set(all.map(({ target }) => target)).size).toBe(all.length);
  });

  it('every word is of the lexicon, and a few hundred there are', () => {
    const [source, target] = [
      new Set(all.flatMap((pair) => words(pair.source))),
      new Set(all.flatMap((pair) => words(pair.target))),
    ];
    expect(source.size).toBeGreaterThan(200);
    expect(source.size).toBeLessThan(400);
    expect(target.size).toBeGreaterThan(400);
    expect(target.size).toBeLessThan(900);
    for (const { source: text, target: other } of all) {
      expect(text).toMatch(/^[a-z]+( [a-z]+)+\.$/);
      expect(other).toMatch(/^[a-z]+( [a-z]+)+\.$/);
    }
  });

  it('the verb comes last and agrees with its subject in number, in the past in gender', () => {
    const verbs = [...transitives, ...intransitives];
    for (const { source, target } of all) {
      const last = words(target).at(-1)!;
      const verb = verbs.find(({ stem }) => last.startsWith(stem))!;
      expect(verb, target).toBeDefined();
      const [, , noun] = /^(\w+) (\w+)/.exec(target)!;
      const subject = beings.find(({ stem }) => noun.startsWith(stem))!;
      const plural = noun === `${subject.stem}${subject.gender}r`;
      const past = /t[aoe]r?$/.test(last.slice(verb.stem.length));
      expect(last).toBe(verb.stem + (past ? `t${subject.gender}` : 'u') + (plural ? 'r' : ''));
      // English agrees as well.
      const head = words(source)
        .slice(1)
        .find((word) => beings.some(({ singular, plural: p }) => word === singular || word === p))!;
      expect(head).toBe(plural ? subject.plural : subject.singular);
    }
  });

  it('adjectives change sides and agree with their noun', () => {
    const nouns = [...beings, ...things, ...places];
    let seen = 0;
    for (const { source, target } of all) {
      const english = words(source);
      const invented = words(target);
      english.forEach((word, k) => {
        const adjective = adjectives.find((one) => one.word === word);
        const noun = nouns.find(({ singular, plural }) => [singular, plural].includes(english[k + 1]));
        if (adjective === undefined || noun === undefined) return;
        const ending = noun.gender + (english[k + 1] === noun.plural ? 'r' : '');
        const at = invented.findIndex((one) => one === adjective.stem + ending);
        expect(at, `${source} | ${target}`).toBeGreaterThan(0);
        seen++;
      });
    }
    expect(seen).toBeGreaterThan(500);
  });

  it('the object stands before the verb, marked as such, with all it needs', () => {
    for (const { target } of all) {
      const nouns = words(target).filter((word) => /^(lo|la|le|sho|sha|she|do|da|de)r?m$/.test(word));
      for (const article of nouns) expect(words(target)[words(target).indexOf(article) + 1]).toMatch(/n$/);
    }
    const shares = (test: (pair: (typeof all)[number]) => boolean): number => all.filter(test).length / all.length;
    // Of these kinds there are enough to learn from.
    expect(shares(({ source }) => / that /.test(source))).toBeGreaterThan(0.1);
    expect(shares(({ source }) => / (does|do|did) not /.test(source))).toBeGreaterThan(0.1);
    expect(shares(({ target }) => / nem /.test(target))).toBe(
      shares(({ source }) => / (does|do|did) not /.test(source)),
    );
  });

  it('numbers that are none are refused', () => {
    for (const bad of [0, -1, 1.5, Number.NaN]) {
      expect(() => translationPairs(bad, 1, 0)).toThrow(ShapeError);
      expect(() => translationPairs(1, bad, 0)).toThrow(ShapeError);
    }
    expect(() => translationPairs(1, 1, -1)).toThrow(OptionError);
  });
});
